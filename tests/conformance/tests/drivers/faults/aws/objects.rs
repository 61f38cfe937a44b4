//! Objects beside the suite: what Dapr's requests may ask for, and what no key may reach.

use super::{KEY, bucket};
use crate::faults::run;
use bytes::Bytes;
use serde_json::Value;
use servers::{Moto, Server};
use std::{
    io::{Read, Write},
    net::TcpStream,
};
use wythe_blocks::{
    Kind, Result, Trace,
    bindings::{Driver, Outcome, Request},
};

pub(super) const TESTS: [(&str, fn()); 2] = [
    ("requests_of_dapr_are_answered", || run(requests())),
    ("a_key_leads_to_no_other_bucket", || run(keys())),
];

pub(in crate::faults) async fn ask(
    driver: &dyn Driver,
    operation: &str,
    data: &str,
    metadata: &[(&str, &str)],
) -> Result<Outcome> {
    let metadata: Vec<_> = metadata
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let request = Request {
        operation,
        data: &Bytes::copy_from_slice(data.as_bytes()),
        metadata: &metadata,
        max_bytes: 1 << 20,
        trace: Trace::start(),
        account: None,
    };
    driver.invoke(request).await
}

pub(in crate::faults) fn json(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.data).expect("it is JSON")
}

/// The body of a plain request, as anybody may send it.
pub(in crate::faults) fn fetched(url: &str) -> String {
    let (_, rest) = url.split_once("://").expect("a URL");
    let (host, path) = rest.split_once('/').expect("a path");
    let mut stream = TcpStream::connect(host).expect("a connection");
    let request = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    body.to_owned()
}

async fn requests() {
    let server = Server::start(Moto::default()).expect("a server");
    Moto::bucket(server.address(), "the-bucket");
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: storageClass, value: STANDARD_IA }, { name: presignTTL, value: 15m }";
    let opened = bucket(server.address(), directory.path(), KEY, more).await;
    let driver = &*opened.expect("it opens");
    let metadata = [
        ("key", "p/a b+c"),
        ("decodeBase64", "true"),
        ("Content-Type", "text/x-own"),
        ("tags", r#"{"one":"1 2"}"#),
        ("presignTTL", "1m"),
    ];
    let created = ask(driver, "create", "aGVsbG8=", &metadata)
        .await
        .expect("it is created");
    let created = json(&created);
    let expected = format!("http://{}/the-bucket/p/a%20b%2Bc", server.address());
    assert_eq!(created["location"], expected.as_str());
    let url = created["presignURL"].as_str().expect("a URL");
    assert!(
        url.contains("X-Amz-Expires=60") && !url.contains(KEY.1),
        "{url}"
    );
    assert_eq!(fetched(url), "hello");
    let key = ("key", "p/a b+c");
    let signed = json(&ask(driver, "presign", "", &[key]).await.expect("a URL"));
    let url = signed["presignURL"].as_str().expect("a URL");
    assert!(url.contains("X-Amz-Expires=900"), "{url}");
    let got = ask(driver, "get", "", &[key, ("encodeBase64", "true")]).await;
    assert_eq!(got.expect("it is there").data, "aGVsbG8=");
    lists(driver).await;
}

async fn lists(driver: &dyn Driver) {
    for key in ["p/b", "q/c"] {
        ask(driver, "create", "x", &[("key", key)])
            .await
            .expect("it is created");
    }
    let listed = ask(driver, "list", r#"{"prefix":"p/","maxResults":1}"#, &[]).await;
    let listed = json(&listed.expect("a list"));
    assert_eq!(listed["Contents"][0]["Key"], "p/a b+c");
    assert_eq!(listed["Contents"][0]["StorageClass"], "STANDARD_IA");
    assert_eq!(listed["IsTruncated"], true);
    let listed = ask(driver, "list", r#"{"delimiter":"/"}"#, &[]).await;
    let listed = json(&listed.expect("a list"));
    assert_eq!(listed["CommonPrefixes"][1]["Prefix"], "q/");
    assert_eq!(listed["Contents"], Value::Null);
}

async fn keys() {
    let server = Server::start(Moto::default()).expect("a server");
    for name in ["the-bucket", "other-bucket"] {
        Moto::bucket(server.address(), name);
    }
    let directory = tempfile::tempdir().expect("a directory");
    let opened = bucket(server.address(), directory.path(), KEY, "").await;
    let driver = &*opened.expect("it opens");
    for key in [
        "../other-bucket/a",
        "a/../../other-bucket/a",
        "..",
        "",
        "a\0b",
    ] {
        for operation in ["get", "delete", "presign"] {
            let metadata = [("key", key), ("presignTTL", "1m")];
            let error = ask(driver, operation, "", &metadata).await.expect_err(key);
            assert_eq!(error.kind(), Kind::Invalid, "{operation} `{key}`: {error}");
        }
    }
    for (name, value) in [
        ("filePath", "/etc/passwd"),
        ("storageClass", "x\r\ny: z"),
        ("Content-Type", "a\r\nb: c"),
        ("tags", "[]"),
        ("decodeBase64", "perhaps"),
        ("presignTTL", "200h"),
    ] {
        let error = ask(driver, "create", "x", &[("key", "a"), (name, value)]).await;
        let error = error.expect_err(name);
        assert!(
            matches!(error.kind(), Kind::Invalid | Kind::Unsupported),
            "{name}: {error}"
        );
    }
    let odd = "%2e%2e/\u{e9}?x=y&z#\"'<>";
    ask(driver, "create", "kept", &[("key", odd)])
        .await
        .expect("it is created");
    let got = ask(driver, "get", "", &[("key", odd)]).await;
    assert_eq!(got.expect("it is there").data, "kept");
}
