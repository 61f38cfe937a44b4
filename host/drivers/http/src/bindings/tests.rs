//! The driver against a server that answers what the test wants, on a thread of its own.

mod connections;
mod redirects;
mod unruly;

use super::*;
use crate::tests::served::{answer, read, serve};
use bytes::Bytes;
use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
};
use wythe_blocks::{Kind, Trace};

/// Time longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Gives each connection to `serve`, on a thread of its own; the answer is the component's URL.
fn listen(serve: impl Fn(TcpStream) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/base", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (stream.unwrap(), serve.clone());
            thread::spawn(move || serve(stream));
        }
    });
    url
}

const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn driver(url: &str, strict: bool, timeout: Option<Duration>) -> Arc<dyn Driver> {
    Arc::new(web(url, strict, timeout))
}

fn web(url: &str, strict: bool, timeout: Option<Duration>) -> Web {
    let config = Config {
        url: url.into(),
        error_if_not_2xx: Some(strict),
        response_timeout: timeout.map(Time),
    };
    Web::new(parse(config).unwrap())
}

async fn ask(
    driver: &dyn Driver,
    operation: &str,
    data: &'static str,
    metadata: &[(&str, &str)],
) -> Result<Outcome> {
    let metadata: Vec<_> = metadata
        .iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect();
    let request = Request {
        operation,
        data: &Bytes::from_static(data.as_bytes()),
        metadata: &metadata,
        max_bytes: 100,
        trace: Trace::parse(TRACE).unwrap(),
        account: None,
    };
    driver.invoke(request).await
}

#[tokio::test]
async fn a_request_is_what_dapr_would_send() {
    let (url, requests) = serve(vec![answer(
        "201 Created",
        "X-Kind: one\r\nX-Kind: two\r\n",
        "made",
    )]);
    let driver = driver(&url, true, None).await;
    let metadata = [
        ("path", "/items?a=b"),
        ("X-Token", "t"),
        ("Traceparent", "an app's own"),
        ("lower", "no header"),
    ];
    let outcome = ask(&*driver, "create", "{}", &metadata).await.unwrap();
    assert_eq!(outcome.data, "made");
    for pair in [
        ("statusCode", "201"),
        ("status", "201 Created"),
        ("x-kind", "one, two"),
    ] {
        let pair = (pair.0.to_owned(), pair.1.to_owned());
        assert!(outcome.metadata.contains(&pair), "{:?}", outcome.metadata);
    }
    let request = requests.recv().unwrap();
    assert!(
        request.starts_with("POST /base/items?a=b HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(request.contains("x-token: t\r\n"), "{request}");
    let trace = format!("traceparent: {TRACE}\r\n");
    assert!(request.contains(&trace), "{request}");
    assert!(
        request.contains("content-type: application/json; charset=utf-8\r\n"),
        "{request}"
    );
    assert!(!request.contains("no header"), "{request}");
    assert!(request.ends_with("\r\n\r\n{}"), "{request}");
}

#[tokio::test]
async fn every_operation_is_a_method() {
    for operation in OPERATIONS {
        let (url, requests) = serve(vec![answer("200 OK", "", "")]);
        let driver = driver(&url, true, None).await;
        ask(&*driver, operation, "", &[]).await.unwrap();
        let expected = match operation {
            "create" => "POST".to_owned(),
            other => other.to_ascii_uppercase(),
        };
        let request = requests.recv().unwrap();
        assert!(
            request.starts_with(&format!("{expected} /base HTTP/1.1")),
            "{request}"
        );
    }
}

#[tokio::test]
async fn another_status_is_an_error_unless_it_is_wanted() {
    let (url, _requests) = serve(vec![answer("404 Not Found", "", "no"); 2]);
    let error = ask(&*driver(&url, true, None).await, "get", "", &[]).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound);
    assert_eq!(
        error.message(),
        "`127.0.0.1` answered 404 Not Found; see `errorIfNot2XX`"
    );
    let outcome = ask(&*driver(&url, false, None).await, "get", "", &[])
        .await
        .unwrap();
    assert_eq!(outcome.data, "no");
    assert_eq!(outcome.metadata[0].1, "404");
}

#[tokio::test]
async fn a_large_answer_is_refused() {
    let (url, _requests) = serve(vec![answer("200 OK", "", &"x".repeat(101))]);
    let error = ask(&*driver(&url, true, None).await, "get", "", &[])
        .await
        .unwrap_err();
    assert_eq!(
        error.message(),
        "the answer of `127.0.0.1` has more than 100 bytes; see `maxDataBytes`"
    );
}

#[tokio::test]
async fn nobody_there_is_unavailable() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = ask(&*driver(&url, true, None).await, "post", "", &[])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    assert_eq!(error.message(), "`127.0.0.1` cannot be reached");
}

#[tokio::test]
async fn a_post_without_an_answer_has_an_unknown_outcome() {
    let (url, _requests) = serve(vec![String::new(), String::new()]);
    let driver = driver(&url, true, None).await;
    let error = ask(&*driver, "post", "x", &[]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::UnknownOutcome, "{}", error.chain());
}

#[tokio::test]
async fn silence_ends_after_the_response_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let driver = driver(&url, true, Some(Duration::from_millis(100))).await;
    let error = ask(&*driver, "get", "", &[]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout, "{}", error.chain());
    let error = ask(&*driver, "post", "", &[]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::UnknownOutcome, "{}", error.chain());
}

#[tokio::test]
async fn what_cannot_be_sent_is_invalid() {
    let driver = driver("http://127.0.0.1:1", true, None).await;
    for (operation, data, metadata, expected) in [
        (
            "get",
            "x",
            ("a", "b"),
            "operation `get` sends no data, and 1 bytes were given; expected none",
        ),
        (
            "trace",
            "",
            ("X-Token", "secret"),
            "operation `trace` sends no headers, for its answer shows them; expected no name in capitals",
        ),
        (
            "post",
            "",
            ("Host", "a"),
            "the header `Host` is the host's own; leave it out",
        ),
        (
            "post",
            "",
            ("Bad name", "a"),
            "`Bad name` is no name of a header",
        ),
        (
            "post",
            "",
            ("X-Token", "secret\r\nX-Other: a"),
            "the value of the header `X-Token`; expected one line of text",
        ),
    ] {
        let error = ask(&*driver, operation, data, &[metadata])
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.message()), (Kind::Invalid, expected));
    }
}

#[tokio::test]
async fn an_answer_counts_for_the_app_that_asks_while_it_comes() {
    let body = "x".repeat(90);
    let (url, _requests) = serve(vec![answer("200 OK", "", &body)]);
    let driver = driver(&url, true, None).await;
    let ledger = wythe_blocks::quota::Ledger::new("t".parse().unwrap());
    let account = wythe_blocks::Account::new("app".parse().unwrap(), 50, ledger);
    let request = Request {
        operation: "get",
        data: &Bytes::new(),
        metadata: &[],
        max_bytes: 100,
        trace: wythe_blocks::Trace::start(),
        account: Some(&account),
    };
    let error = driver.invoke(request).await.unwrap_err();
    assert!(
        error.message().ends_with("see `limits.hostMemory`"),
        "{error}"
    );
    assert_eq!(account.used(), 0);
}
