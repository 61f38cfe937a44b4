//! Tokens as a server gives them, how long they are used, and servers that give none.

use super::*;
use crate::tests::served::{answer, serve};

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
    let (url, requests) = serve(vec![answer("200 OK", "", given)]);
    let one = credentials(config(&url));
    let (first, second) = tokio::join!(one.token(), one.token());
    assert_eq!(first.expect("a token"), "Bearer t1");
    assert_eq!(second.expect("a token"), "Bearer t1");
    let asked: Vec<_> = requests.try_iter().collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    let (head, body) = asked[0].split_once("\r\n\r\n").expect("a request");
    assert!(head.starts_with("POST /base HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("Basic bWU6YSUyNmI="), "{head}");
    assert_eq!(
        body,
        "grant_type=client_credentials&scope=read+write&audience=shop"
    );
}

#[tokio::test]
async fn a_token_whose_time_is_over_is_asked_for_anew() {
    let one = "{\"access_token\": \"t1\", \"expires_in\": 0}";
    // Types and numbers as servers write them; a short time is used for half of it.
    let two = "{\"access_token\": \"t2\", \"token_type\": \"bearer\", \"expires_in\": \"9\"}";
    let answers = vec![answer("200 OK", "", one), answer("201 Created", "", two)];
    let (url, requests) = serve(answers);
    let all = credentials(config(&url));
    assert_eq!(all.token().await.expect("a token"), "Bearer t1");
    for _ in 0..2 {
        assert_eq!(all.token().await.expect("a token"), "Bearer t2");
    }
    assert_eq!(requests.try_iter().count(), 2);
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
        let (url, requests) = serve(vec![answer(status, "", body)]);
        let one = credentials(config(&url));
        let (one, two) = tokio::join!(one.token(), one.token());
        for error in [one, two] {
            let error = error.expect_err(expected);
            let said = format!("no token of `127.0.0.1` can be had: it {expected}");
            assert_eq!(error.chain(), said);
        }
        // Who waited for the question does not ask again.
        assert_eq!(requests.try_iter().count(), 1);
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
    assert!(parsed.client.basic.is_none());
    assert!(
        parsed.form.ends_with("&client_id=me&client_secret=a%26b"),
        "{}",
        parsed.form
    );
}
