//! Attempts to use the network, by the words of a key: `net connect HOST:PORT`, `net lookup NAME`, `net listen`,
//! `net udp HOST:PORT`, `net many HOST:PORT` and `net wait HOST:PORT`.
use std::io::Read;
use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

/// Does what the words of a key ask for, and says how it went; none where it is no key of this kind.
pub fn attempt(key: &str) -> Option<String> {
    let words: Vec<_> = key.strip_prefix("net ")?.split(' ').collect();
    let done = match words.as_slice() {
        ["connect", server] => TcpStream::connect(server).map(|_| "connected".to_owned()),
        ["lookup", name] => (*name, 1)
            .to_socket_addrs()
            .map(|found| format!("{} addresses", found.count())),
        ["listen"] => TcpListener::bind("127.0.0.1:0").map(|_| "listens".to_owned()),
        ["udp", server] => UdpSocket::bind("0.0.0.0:0")
            .and_then(|socket| socket.send_to(b"x", server))
            .map(|_| "sent".to_owned()),
        ["many", server] => Ok(many(server)),
        ["wait", server] => TcpStream::connect(server).and_then(|mut stream| {
            let mut byte = [0];
            stream.read(&mut byte).map(|count| format!("{count} bytes"))
        }),
        _ => Ok("no such attempt".to_owned()),
    };
    Some(done.unwrap_or_else(|error| format!("failed: {:?}", error.kind())))
}

/// Opens connections until one fails, and holds them all.
fn many(server: &str) -> String {
    let mut open = Vec::new();
    loop {
        match TcpStream::connect(server) {
            Ok(stream) if open.len() < 10_000 => open.push(stream),
            Ok(_) => return "no end".to_owned(),
            Err(error) => return format!("{} connections, then {:?}", open.len(), error.kind()),
        }
    }
}
