//! Keys that come from servers, good ones and others.

#![expect(
    clippy::disallowed_methods,
    reason = "a server of a test ends with its runtime"
)]

use super::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server of one answer after the other; the last one is given again and again.
async fn server(answers: Vec<String>) -> url::Url {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound port");
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let answer = &answers[std::cmp::min(number, answers.len() - 1)];
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/keys").parse().expect("a URL")
}

fn answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn keys_come_from_a_url() {
    let one = ec("one");
    let url = server(vec![answer("200 OK", &set(&[&one]))]).await;
    let bearer = bearer(config(), Origin::Url(url)).await.expect("keys");
    let token = signed(&one, Algorithm::ES256, Some("one"), &claims());
    assert_eq!(refusal(&bearer, &token).await, None);
}

#[tokio::test]
async fn keys_that_cannot_be_had_at_the_start_are_an_error_with_its_reason() {
    for (given, expected) in [
        (answer("302 Found", ""), "answered 302 Found; expected 200"),
        (
            answer("200 OK", "<html>"),
            "is no JWKS; expected JSON with a list `keys`",
        ),
        (
            answer("200 OK", &"x".repeat(300 << 10)),
            "answered more than 256 KiB",
        ),
        (
            answer(
                "200 OK",
                &json!({ "keys": vec![ec("a").jwk; 101] }).to_string(),
            ),
            "has more than 100 keys",
        ),
        (
            answer("200 OK", "{\"keys\": [{\"kty\": \"oct\", \"k\": \"YQ\"}]}"),
            "has no key for signatures",
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned(),
            "broke off its answer",
        ),
        (String::new(), "broke off its answer"),
    ] {
        let url = server(vec![given]).await;
        let shown = url.to_string();
        let error = bearer(config(), Origin::Url(url))
            .await
            .err()
            .expect(expected);
        assert_eq!(error.kind(), Kind::Unavailable);
        let beginning = format!("the JWKS at `{shown}` {expected}");
        assert!(error.message().starts_with(&beginning), "{error}");
        assert!(error.message().ends_with("so nothing starts"), "{error}");
    }
    let nowhere = "http://127.0.0.1:1/keys".parse().expect("a URL");
    let error = bearer(config(), Origin::Url(nowhere)).await.err();
    let error = error.expect("a server that is not there");
    assert!(error.message().contains("cannot be reached"), "{error}");
}

#[tokio::test]
async fn an_issuer_says_where_its_keys_are() {
    let one = ec("one");
    let keys = server(vec![answer("200 OK", &set(&[&one]))]).await;
    let at = |issuer: &str, keys: &str| json!({ "issuer": issuer, "jwks_uri": keys }).to_string();
    for (named, uri, expected) in [
        (true, keys.as_str(), None),
        (false, keys.as_str(), Some("names itself otherwise")),
        // Another server's word does not lead into the host's own network.
        (
            true,
            "http://localhost:1/keys",
            Some("is of the host's own network"),
        ),
        (
            true,
            "http://10.0.0.1/keys",
            Some("is of the host's own network"),
        ),
        (true, "ftp://a.example/keys", Some("expected a URL")),
    ] {
        // The issuer's own address is part of what it says.
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("a bound port"));
        let said = answer("200 OK", &at(if named { &issuer } else { ISSUER }, uri));
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let _ = stream.read(&mut [0; 4096]).await;
            let _ = stream.write_all(said.as_bytes()).await;
        });
        let config = Config {
            issuer: issuer.clone(),
            jwks_path: None,
            ..config()
        };
        let opened = bearer(config, Origin::Issuer(issuer.parse().expect("a URL"))).await;
        let error = opened.err().map(|error| error.chain());
        match expected {
            None => assert_eq!(error, None),
            Some(expected) => {
                let error = error.expect(expected);
                assert!(error.contains(expected), "{error}");
            }
        }
    }
}
