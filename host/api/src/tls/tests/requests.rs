//! Requests over TLS.

use super::*;
use http::{Request, StatusCode, Version};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};

type Asked = Request<String>;

fn asked(host: &str) -> Asked {
    let request = Request::get(format!("https://{host}/")).header("host", host);
    request.body(String::new()).unwrap()
}

/// Asks over HTTP/1.1; a target is a path there.
async fn status(server: &Server, sni: &str, host: &str) -> StatusCode {
    let stream = server.connect(sni, &BOTH, &["http/1.1"]).await.unwrap();
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
    let asking = async move {
        let mut request = asked(host);
        *request.uri_mut() = "/".parse().unwrap();
        sender.send_request(request).await.unwrap().status()
    };
    // It ends once nobody asks any more.
    tokio::join!(asking, connection).0
}

#[tokio::test]
async fn a_host_of_another_tenant_than_that_of_the_connection_is_misdirected() {
    let server = Server::open().await;
    let (not_found, misdirected) = (StatusCode::NOT_FOUND, StatusCode::MISDIRECTED_REQUEST);
    for (sni, host, expected) in [
        (SHOP, SHOP, not_found),
        (SHOP, "SHOP.example.org:8443", not_found),
        (SHOP, "bank.example.org", misdirected),
        (SHOP, "localhost", misdirected),
        ("localhost", SHOP, misdirected),
        ("127.0.0.1", SHOP, misdirected),
        // Names that are no tenant's.
        ("localhost", "127.0.0.1", not_found),
        ("127.0.0.1", "localhost", not_found),
    ] {
        assert_eq!(status(&server, sni, host).await, expected, "{sni} {host}");
    }
    server.close().await;
}

#[tokio::test]
async fn requests_of_http_2_go_over_one_connection_each_for_itself() {
    let server = Server::open().await;
    let stream = server.connect(SHOP, &BOTH, &["h2"]).await.unwrap();
    let client = http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
    let (mut sender, connection) = client.await.unwrap();
    let asking = async move {
        for (host, expected) in [
            (SHOP, StatusCode::NOT_FOUND),
            ("bank.example.org", StatusCode::MISDIRECTED_REQUEST),
            (SHOP, StatusCode::NOT_FOUND),
        ] {
            let answer = sender.send_request(asked(host)).await.unwrap();
            let found = (answer.status(), answer.version());
            assert_eq!(found, (expected, Version::HTTP_2));
        }
    };
    let ((), _) = tokio::join!(asking, connection);
    server.close().await;
}
