//! Servers that are made up: what they say has no end, or is none of the service's words.

use super::{KEY, ask, bucket, refused};
use crate::{
    faults::{made_up, run},
    open::{component, site},
};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
};
use wythe_blocks::{Kind, Site};

pub(super) const TESTS: [(&str, fn()); 6] = [
    ("an_unknown_host_says_so", || run(unknown_host())),
    ("an_answer_without_end_is_given_up", || run(endless())),
    ("another_server_says_so", || run(another())),
    ("a_redirect_is_not_followed", || run(redirect())),
    ("a_service_that_is_asked_too_often_says_so", || {
        run(throttled())
    }),
    ("settings_that_do_not_fit_say_so", || run(settings())),
];

/// A server that answers its first request with nothing at all, so that a component opens, and all others with a text.
pub(in crate::faults) fn fake(first: &'static str, other: &'static str) -> SocketAddr {
    made_up::serve(move |stream, number| match number {
        0 => answer(stream, first),
        _ => answer(stream, other),
    })
}

/// A text that ends in `*` never ends.
fn answer(mut stream: TcpStream, text: &str) {
    let _ = stream.read(&mut [0; 16 << 10]);
    let _ = stream.write_all(text.trim_end_matches('*').as_bytes());
    while text.ends_with('*') && stream.write_all(&[b'x'; 4096]).is_ok() {}
}

pub(in crate::faults) const NOTHING: &str =
    "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

async fn unknown_host() {
    let metadata = "[{ name: endpoint, value: \"https://nowhere.invalid\" }, { name: region, value: a }, \
        { name: accessKey, value: a }, { name: secretKey, value: b }]";
    let component = component("secretstores", "aws.secretmanager", metadata);
    let directory = tempfile::tempdir().expect("a directory");
    let registry = wythe_drivers::registry();
    let opened = registry.secrets.open(&component, site(directory.path()));
    let error = opened.await.err().expect("an error");
    assert_eq!(error.kind(), Kind::Unavailable);
    let expected =
        "the service at nowhere.invalid: the service cannot be reached: check `endpoint`";
    assert!(error.message().starts_with(expected), "{error}");
}

/// An object of any length is read no further than the app's bytes go.
async fn endless() {
    let hostile = fake(NOTHING, "HTTP/1.1 200 OK\r\n\r\n*");
    let directory = tempfile::tempdir().expect("a directory");
    let driver = bucket(hostile, directory.path(), KEY, "")
        .await
        .expect("it opens");
    let error = ask(&*driver, "get", b"").await.expect_err("no end");
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(
        error.message().contains("has more than 1048576 bytes"),
        "{error}"
    );
    let error = ask(&*driver, "list", b"").await.expect_err("no end");
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    let heads = fake(NOTHING, "HTTP/1.1 200 OK\r\nx: *");
    let driver = bucket(heads, directory.path(), KEY, "")
        .await
        .expect("it opens");
    let error = ask(&*driver, "get", b"").await.expect_err("no end");
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

async fn another() {
    let page = fake(
        NOTHING,
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html><p>Welcome",
    );
    let directory = tempfile::tempdir().expect("a directory");
    let driver = bucket(page, directory.path(), KEY, "")
        .await
        .expect("it opens");
    let error = ask(&*driver, "list", b"").await.expect_err("a page");
    assert_eq!(error.kind(), Kind::Internal);
    let expected = "is not one of this service: check `endpoint`";
    assert!(error.message().contains(expected), "{error}");
    let other = fake("SSH-2.0-OpenSSH_9\r\n", NOTHING);
    let error = refused(other, "").await;
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

/// A request is signed for one host, and a server names no other one.
async fn redirect() {
    const ELSEWHERE: &str = "HTTP/1.1 301 Moved\r\nlocation: http://127.0.0.1:1/\r\nconnection: close\r\n\r\n\
        <Error><Code>PermanentRedirect</Code><Message>m</Message></Error>";
    let error = refused(fake(ELSEWHERE, NOTHING), "").await;
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.message().contains("is in another region"), "{error}");
}

async fn throttled() {
    const OFTEN: &str =
        "HTTP/1.1 503 Slow\r\nconnection: close\r\n\r\n<Error><Code>SlowDown</Code></Error>";
    let directory = tempfile::tempdir().expect("a directory");
    let driver = bucket(fake(NOTHING, OFTEN), directory.path(), KEY, "")
        .await
        .expect("it opens");
    let error = ask(&*driver, "create", b"one")
        .await
        .expect_err("too often");
    assert_eq!(error.kind(), Kind::Exhausted);
    assert!(error.retry_after().is_some(), "{error}");
}

async fn settings() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    for (setting, expected) in [
        (
            "insecureSSL, value: true",
            "insecureSSL: certificates are always checked",
        ),
        ("presignTTL, value: 200h", "presignTTL: expected 1s to 168h"),
        (
            "storageClass, value: cold",
            "storageClass: expected a class",
        ),
        ("timeout, value: 0s", "timeout: expected 10ms to 1h"),
        ("assumeRoleArn, value: x", "assumeRoleArn"),
    ] {
        let error = refused(address, &format!(", {{ name: {setting} }}")).await;
        assert!(error.message().contains(expected), "{setting}: {error}");
    }
    // The host's own credentials are nobody's.
    let variables = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let directory = tempfile::tempdir().expect("a directory");
    let site = Site {
        environment: variables.into_iter().collect(),
        ..site(directory.path())
    };
    let metadata = "[{ name: region, value: a }, { name: bucket, value: the-bucket }]";
    let component = component("bindings", "aws.s3", metadata);
    let registry = wythe_drivers::registry();
    let error = registry.bindings.open(&component, site).await;
    let error = error.err().expect("an error");
    assert_eq!(error.kind(), Kind::Invalid);
    let expected = "the credentials of the host itself (its environment, its files, its machine's role) are never used";
    assert!(error.message().contains(expected), "{error}");
}
