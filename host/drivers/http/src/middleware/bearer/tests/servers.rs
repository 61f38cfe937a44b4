//! Keys that come from servers, good ones and others.

use super::*;
use crate::{
    fetch::TIME,
    tests::served::{answer, serve, serve_at},
};
use std::net::TcpListener;
use tokio::io::AsyncWriteExt;

/// A server of one answer.
fn server(answer: String) -> url::Url {
    let (url, _) = serve(vec![answer]);
    url.parse().expect("a URL")
}

#[tokio::test]
async fn keys_come_from_a_url() {
    let one = ec("one");
    let url = server(answer("200 OK", "", &set(&[&one])));
    let bearer = bearer(config(), Origin::Url(url)).await.expect("keys");
    let token = signed(&one, Algorithm::ES256, Some("one"), &claims());
    assert_eq!(refusal(&bearer, &token).await, None);
}

#[tokio::test]
async fn keys_that_cannot_be_had_at_the_start_are_an_error_with_its_reason() {
    let ok = |body: &str| answer("200 OK", "", body);
    let many = json!({ "keys": vec![ec("a").jwk; 101] }).to_string();
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_owned();
    let moved = answer("302 Found", "", "");
    let secret = r#"{"keys": [{"kty": "oct", "k": "YQ"}]}"#;
    for (given, expected) in [
        (moved, "answered 302 Found; expected 200"),
        (ok("<html>"), "is no JWKS; expected JSON with a list `keys`"),
        (ok(&"x".repeat(300 << 10)), "answered more than 256 KiB"),
        (ok(&many), "has more than 100 keys"),
        (ok(secret), "has no key for signatures"),
        (short, "broke off its answer"),
        (String::new(), "broke off its answer"),
    ] {
        let url = server(given);
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
    let keys = server(answer("200 OK", "", &set(&[&one])));
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
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("a bound port"));
        let said = answer("200 OK", "", &at(if named { &issuer } else { ISSUER }, uri));
        serve_at(listener, vec![said]);
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

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_asked_twice_has_the_time_of_one_answer() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let issuer = format!("http://{}", listener.local_addr().expect("a port"));
    let uri = format!("{issuer}/keys");
    let said = json!({ "issuer": issuer, "jwks_uri": uri }).to_string();
    let config = Config {
        issuer: issuer.clone(),
        jwks_path: None,
        ..config()
    };
    // Its configuration comes late, and its keys never do.
    let serving = async {
        let (mut first, _) = listener.accept().await.expect("a connection");
        sleep(TIME * 3 / 4).await;
        let said = answer("200 OK", "", &said);
        first.write_all(said.as_bytes()).await.expect("a client");
        let _second = listener.accept().await.expect("a connection");
        std::future::pending::<()>().await;
    };
    let opened = tokio::select! {
        opened = bearer(config, Origin::Issuer(issuer.parse().expect("a URL"))) => opened,
        () = serving => unreachable!("it waits for ever"),
    };
    let error = opened.err().expect("keys that do not come");
    let expected = format!("the issuer `{issuer}/` did not answer within 4 s");
    assert!(error.message().starts_with(&expected), "{error}");
}
