//! Attacks on what lies around the host: files, environment, network, output, entropy.
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;

use wythe_sdk::http::{self, Request};
use wythe_sdk::wasip2::random::random::get_random_bytes;

/// An address and a port, or a name and a port, which asks for name resolution too.
pub fn connect(to: &str) -> String {
    match TcpStream::connect(to) {
        Ok(_) => format!("connected to {to}"),
        Err(error) => format!("refused: {error}"),
    }
}

pub fn fetch(url: &str) -> String {
    let got = http::send(Request::get(url))
        .and_then(|mut response| Ok((response.status(), response.bytes()?)));
    match got {
        Ok((status, body)) => format!("{status} {}", String::from_utf8_lossy(&body)),
        Err(error) => format!("refused: {error}"),
    }
}

pub fn env() -> String {
    let mut told = format!("{} arguments\n", std::env::args().count());
    for (name, value) in std::env::vars() {
        // Writing to a string cannot fail.
        let _ = writeln!(told, "{name}={value}");
    }
    told
}

pub fn files() -> String {
    let mut told = String::new();
    for path in ["/etc/passwd", "/proc/self/environ", "../../etc/passwd", "."] {
        let found = match std::fs::read(path) {
            Ok(bytes) => format!("read {} bytes", bytes.len()),
            Err(error) => format!("refused: {error}"),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(told, "{path}: {found}");
    }
    let listed = std::fs::read_dir("/").map(|entries| entries.count());
    let written = std::fs::write("/tmp/hostile", "hello");
    let _ = writeln!(told, "list /: {listed:?}\nwrite /tmp/hostile: {written:?}");
    told
}

pub fn stdout_flood(mib: u64) -> String {
    let line = [b'x'; 1023];
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    for written in 0..mib * 512 {
        let result = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
        let result = result
            .and_then(|()| err.write_all(&line))
            .and_then(|()| err.write_all(b"\n"));
        if let Err(error) = result {
            return format!("wrote {} KiB, then: {error}", written * 2);
        }
    }
    format!("wrote {mib} MiB")
}

pub fn random(mib: u64) -> String {
    format!("got {} random bytes", get_random_bytes(mib << 20).len())
}
