//! Tokens as a server gives them, how long they are used, and servers that give none.

#![expect(
    clippy::disallowed_methods,
    reason = "a server of a test ends with its runtime"
)]

use super::*;
use parking_lot::Mutex as Plain;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// A server that answers one after the other, the last one again and again, with what it was asked.
async fn server(answers: &[(&str, &str)]) -> (String, Arc<Plain<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/token", listener.local_addr().expect("a port"));
    let asked = Arc::new(Plain::new(Vec::new()));
    let heard = asked.clone();
    let answers: Vec<_> = answers
        .iter()
        .map(|(status, body)| {
            let length = body.len();
            format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            )
        })
        .collect();
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut request = vec![0; 8192];
            let read = stream.read(&mut request).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&request[..read]).into_owned();
            heard.lock().push(text);
            let answer = &answers[std::cmp::min(number, answers.len() - 1)];
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (url, asked)
}

fn config(url: &str) -> Config {
    Config {
        client_id: "me".to_owned(),
        client_secret: Secret::new("a&b"),
        scopes: "read,write".to_owned(),
        token_url: url.to_owned(),
        header_name: "authorization".to_owned(),
        endpoint_params_query: Some("audience=shop".to_owned()),
        auth_style: None,
        path_filter: None,
    }
}

fn credentials(config: Config) -> ClientCredentials {
    ClientCredentials::new(parse(config).map_err(Error::from).expect("a config"))
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_used_again() {
    let given = "{\"access_token\": \"t1\", \"token_type\": \"Bearer\", \"expires_in\": 60}";
    let (url, asked) = server(&[("200 OK", given)]).await;
    let one = credentials(config(&url));
    let (first, second) = tokio::join!(one.token(), one.token());
    assert_eq!(first.expect("a token"), "Bearer t1");
    assert_eq!(second.expect("a token"), "Bearer t1");
    let asked = asked.lock().clone();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let (head, _) = asked[0].split_once("\r\n\r\n").expect("a request");
    assert!(head.starts_with("POST /token HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Basic bWU6YSUyNmI="), "{head}");
    let form = parse(config(&url))
        .map_err(Error::from)
        .expect("a config")
        .form;
    assert_eq!(
        form,
        "grant_type=client_credentials&scope=read+write&audience=shop"
    );
}

#[tokio::test]
async fn a_token_whose_time_is_over_is_asked_for_anew() {
    let one = "{\"access_token\": \"t1\", \"expires_in\": 0}";
    // Types and numbers as servers write them; a short time is used for half of it.
    let two = "{\"access_token\": \"t2\", \"token_type\": \"bearer\", \"expires_in\": \"9\"}";
    let (url, asked) = server(&[("200 OK", one), ("201 Created", two)]).await;
    let all = credentials(config(&url));
    assert_eq!(all.token().await.expect("a token"), "Bearer t1");
    for _ in 0..2 {
        assert_eq!(all.token().await.expect("a token"), "Bearer t2");
    }
    assert_eq!(asked.lock().len(), 2);
    assert_eq!(used(Duration::from_secs(9)), Duration::from_millis(4_500));
    assert_eq!(used(Duration::from_secs(60)), Duration::from_secs(50));
}

#[tokio::test]
async fn a_server_without_a_token_is_named_and_no_secret_is() {
    for (status, body, expected) in [
        (
            "401 Unauthorized",
            "{}",
            "answered 401 Unauthorized; expected 200",
        ),
        (
            "200 OK",
            "<html>",
            "answered no token; expected JSON with `access_token`",
        ),
        (
            "200 OK",
            "{\"access_token\": \"a\\nb\"}",
            "answered a token that no header can have",
        ),
    ] {
        let (url, asked) = server(&[(status, body)]).await;
        let one = credentials(config(&url));
        let (one, two) = tokio::join!(one.token(), one.token());
        for error in [one, two] {
            let error = error.expect_err(expected);
            let said = format!("no token of `127.0.0.1` can be had: it {expected}");
            assert_eq!(error.chain(), said);
        }
        // Who waited for the question does not ask again.
        assert_eq!(asked.lock().len(), 1);
    }
}

#[test]
fn a_config_is_whole() {
    let url = "https://login.example.com/token";
    let wrong = |config| {
        parse(config)
            .map(drop)
            .map_err(Error::from)
            .expect_err("wrong")
    };
    let style = Config {
        auth_style: Some(3),
        ..config(url)
    };
    assert_eq!(wrong(style).message(), "`authStyle: 3`; expected 0, 1 or 2");
    let header = Config {
        header_name: "a b".to_owned(),
        ..config(url)
    };
    assert!(
        wrong(header)
            .message()
            .starts_with("`headerName`: expected")
    );
    let empty = Config {
        client_secret: Secret::new(""),
        ..config(url)
    };
    assert_eq!(
        wrong(empty).message(),
        "`clientSecret` is empty; expected one"
    );
    let body = Config {
        auth_style: Some(1),
        ..config(url)
    };
    let parsed = parse(body).map_err(Error::from).expect("a config");
    assert!(parsed.basic.is_none());
    assert!(
        parsed.form.ends_with("&client_id=me&client_secret=a%26b"),
        "{}",
        parsed.form
    );
}
