//! Servers that are made up: they are older, something else, or say more than they may.

use super::super::Kinds;
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread,
};
use wythe_blocks::{
    Kind,
    state::{Condition, Put},
};

/// A server that answers each request by what a path and a body come to; a text that ends in `*` never ends.
fn fake(answers: Answers) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || answer(stream, answers));
        }
    });
    address
}

fn answer(mut stream: TcpStream, answers: Answers) {
    let mut request = vec![0; 64 << 10];
    let read = stream.read(&mut request).unwrap_or_default();
    let text = answers(&String::from_utf8_lossy(&request[..read]));
    let _ = stream.write_all(text.trim_end_matches('*').as_bytes());
    while text.ends_with('*') && stream.write_all(&[b'x'; 64 << 10]).is_ok() {}
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Opens, and then says something else.
fn after_opening(request: &str, body: &str) -> String {
    match request.contains("count_only") || request.starts_with("POST /v3/maintenance") {
        true => ok(r#"{"header":{"revision":"1"}}"#),
        false => body.to_owned(),
    }
}

type Answers = fn(&str) -> String;

/// An answer without a body, and what is beside its first line.
fn bare(first: &str) -> String {
    format!("HTTP/1.1 {first}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
}

pub(super) async fn servers(kind: &'static Kinds) {
    let leaderless: Answers = |_: &str| ok(r#"{"version":"3.4.0","errors":["no leader"]}"#);
    let cases: [(Answers, Kind, &str); 5] = [
        (
            |_: &str| bare("404 Not Found"),
            Kind::Unsupported,
            "it is older than 3.4",
        ),
        (
            |_: &str| ok("<html>"),
            Kind::Internal,
            "is not one of etcd: check `endpoints`",
        ),
        (
            |_: &str| "SSH-2.0-OpenSSH_9\r\n".to_owned(),
            Kind::Unavailable,
            "broke off",
        ),
        (leaderless, Kind::Unavailable, "is not ready"),
        (
            |_: &str| bare("302 Found\r\nlocation: http://127.0.0.1:1/"),
            Kind::Internal,
            "check `endpoints`",
        ),
    ];
    for (answers, expected, words) in cases {
        let error = super::error(kind, fake(answers), ", { name: timeout, value: 2s }").await;
        assert_eq!(error.kind(), expected, "{}", error.chain());
        assert!(error.message().contains(words), "{error}");
    }
}

/// A put whose answer cannot be read may have happened.
pub(super) async fn endless(kind: &'static Kinds) {
    let directory = tempfile::tempdir().expect("a directory");
    let cases: [(Answers, Kind); 4] = [
        (
            |request: &str| after_opening(request, "HTTP/1.1 200 OK\r\n\r\n{\"a\":\"*"),
            Kind::Invalid,
        ),
        (
            |request: &str| after_opening(request, "HTTP/1.1 200 OK\r\nx: *"),
            Kind::Unavailable,
        ),
        (
            |request: &str| {
                let odd = r#"{"header":{"revision":"1"},"kvs":[{"key":"?"}],"responses":7}"#;
                after_opening(request, &ok(odd))
            },
            Kind::Internal,
        ),
        // Another server that speaks JSON: it does not say that there is no such row.
        (
            |request: &str| after_opening(request, &ok("{}")),
            Kind::Internal,
        ),
    ];
    for (answers, read) in cases {
        let driver = kind.state(fake(answers), directory.path(), "").await;
        let driver = driver.expect("it opens");
        let error = driver.get(&"a".into()).await.expect_err("no answer");
        assert_eq!(error.kind(), read, "{}", error.chain());
        let mut put = Put::new("a", "1");
        put.options.condition = Condition::Absent;
        let error = driver.put(put).await.expect_err("no answer");
        assert_eq!(error.kind(), Kind::UnknownOutcome, "{}", error.chain());
    }
}
