//! Answers that are whole, too large or late, and connections that end.

use super::*;
use http_body_util::Full;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// A server that treats each connection so, by its number; the count is that of connections.
fn serve(treat: fn(usize, TcpStream)) -> (Server, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://{}/", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let connections = count.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let number = connections.fetch_add(1, SeqCst);
            thread::spawn(move || treat(number, stream));
        }
    });
    let server = Server::new(Connector::new(), uri.parse().unwrap(), 4);
    (server, count)
}

fn heard(stream: &mut TcpStream) -> bool {
    stream.read(&mut [0; 4096]).is_ok_and(|count| count > 0)
}

fn well(_: usize, mut stream: TcpStream) {
    while heard(&mut stream) {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nwell");
    }
}

async fn ask(server: &Server, largest: usize, is_safe: bool) -> Result<(Answer, usize), Failed> {
    let mut drawn = 0;
    let mut room = |bytes| {
        drawn += bytes;
        Ok(())
    };
    let answer = server.ask(Ask {
        request: Request::new(Full::new(Bytes::new())),
        largest,
        time: Duration::from_millis(500),
        is_safe,
        room: &mut room,
    });
    let answer = answer.await?;
    Ok((answer, drawn))
}

/// Returns whether a request was sent that has no answer; none where something else is so.
fn sent<T>(answer: Result<T, Failed>) -> Option<bool> {
    match answer {
        Err(Failed::Fault { was_sent, .. }) => Some(was_sent),
        _ => None,
    }
}

#[tokio::test]
async fn an_answer_is_whole_and_its_connection_is_used_again() {
    let (server, count) = serve(well);
    for _ in 0..3 {
        let (answer, drawn) = ask(&server, 4, false).await.ok().unwrap();
        assert_eq!(
            (answer.status.as_u16(), &answer.body[..]),
            (200, &b"well"[..])
        );
        assert_eq!(drawn, 4, "as much as is announced");
    }
    assert_eq!(count.load(SeqCst), 1);
    server.close();
    assert_eq!(sent(ask(&server, 4, false).await), Some(false));
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_read() {
    let (server, _) = serve(well);
    assert!(matches!(ask(&server, 3, true).await, Err(Failed::Large)));
    let (server, _) = serve(|_, mut stream| {
        heard(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
        while stream.write_all(b"4\r\nwell\r\n").is_ok() {}
    });
    assert!(matches!(
        ask(&server, 4_000, true).await,
        Err(Failed::Large)
    ));
}

#[tokio::test]
async fn what_was_sent_and_has_no_answer_says_so() {
    let (server, _) = serve(|_, mut stream| while heard(&mut stream) {});
    assert_eq!(sent(ask(&server, 4, true).await), Some(true), "late");
    let (server, count) = serve(|_, mut stream| {
        heard(&mut stream);
    });
    assert_eq!(sent(ask(&server, 4, true).await), Some(true), "cut");
    assert_eq!(count.load(SeqCst), 1, "a new connection is not tried again");
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let uri = format!("http://{nobody}/").parse().unwrap();
    let server = Server::new(Connector::new(), uri, 1);
    assert_eq!(sent(ask(&server, 4, true).await), Some(false), "no server");
}

/// A server that ends each connection at its second request.
fn tired(_: usize, mut stream: TcpStream) {
    heard(&mut stream);
    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    heard(&mut stream);
}

#[tokio::test]
async fn only_what_changes_nothing_is_asked_again() {
    let (server, count) = serve(tired);
    for _ in 0..3 {
        assert!(ask(&server, 4, true).await.is_ok());
    }
    assert_eq!(count.load(SeqCst), 3);
    let (server, count) = serve(tired);
    assert!(ask(&server, 4, false).await.is_ok());
    assert_eq!(sent(ask(&server, 4, false).await), Some(true));
    assert_eq!(count.load(SeqCst), 1);
}
