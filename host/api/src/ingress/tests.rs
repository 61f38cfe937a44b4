//! Connections that ask for nothing are closed. Time is not waited for: it goes on when nobody has anything to do.

mod quotas;

use super::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use wythe_blocks::connections::IDLE;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A front door without an app: everything is not found.
async fn ingress() -> (std::net::SocketAddr, Arc<Host>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    let host = Arc::new(Host::default());
    let ingress = Ingress {
        host: host.clone(),
        audience: Audience::Strangers,
    };
    let (stopping, drain) = (host.tasks().stopping(), Duration::from_secs(5));
    host.tasks().spawn(async move {
        ingress.serve(listener, stopping, drain).await;
    });
    (address, host)
}

/// The text that the host says until it closes the connection.
async fn said_until_closed(address: std::net::SocketAddr, sent: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(sent).await.expect("bytes are taken");
    let mut said = Vec::new();
    let ended = timeout(IDLE * 5, stream.read_to_end(&mut said)).await;
    assert!(ended.is_ok(), "still open after {sent:?}");
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_for_nothing_is_closed() {
    let (address, host) = ingress().await;
    let settings = [PREFACE, b"\0\0\0\x04\0\0\0\0\0"].concat();
    let cases: [&[u8]; 7] = [
        b"",
        b"P",
        b"PRI * HTT",
        PREFACE,
        &settings,
        b"G",
        b"GET / HTTP/1.1\r\nhost: a\r\n",
    ];
    for sent in cases {
        let said = said_until_closed(address, sent).await;
        assert!(!said.contains(" 404 "), "{said}");
    }
    assert!(host.close(Duration::from_secs(60)).await);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_asks_no_more_is_closed() {
    let (address, host) = ingress().await;
    let said = said_until_closed(address, b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(said.starts_with("HTTP/1.1 404 "), "{said}");
    // A request that never comes whole does not keep it open either.
    let two = b"GET / HTTP/1.1\r\nhost: a\r\n\r\nGET / HTTP/1.1\r\nho";
    let said = said_until_closed(address, two).await;
    assert_eq!(said.matches("HTTP/1.1 ").count(), 1, "{said}");
    assert!(host.close(Duration::from_secs(60)).await);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_is_framed_twice_is_refused_and_nothing_after_it_read() {
    let (address, host) = ingress().await;
    let post = |coding: &str| {
        let next = "0\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n";
        format!("POST / HTTP/1.1\r\nhost: a\r\n{coding}\r\n{next}")
    };
    for (coding, expected) in [
        ("transfer-encoding: chunked\r\n", "404 404"),
        (
            "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
            "400",
        ),
        ("transfer-encoding: chunked, chunked\r\n", "400"),
        ("transfer-encoding: gzip, chunked\r\n", "400"),
    ] {
        let said = said_until_closed(address, post(coding).as_bytes()).await;
        let answers = said.split("HTTP/1.1 ").skip(1);
        let statuses: Vec<_> = answers.filter_map(|one| one.get(..3)).collect();
        assert_eq!(statuses.join(" "), expected, "{coding}: {said}");
    }
    assert!(host.close(Duration::from_secs(60)).await);
}
