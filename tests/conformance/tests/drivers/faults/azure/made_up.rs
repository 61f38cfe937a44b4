//! Servers that are made up: what they say has no end, or is none of the service's words.

use super::{create, get, opened, refused, settings};
use crate::{
    faults::{
        aws::objects::ask,
        made_up::{NOTHING, fake},
        run,
    },
    open::{component, site},
};
use std::net::{Ipv4Addr, SocketAddr};
use wythe_blocks::Kind;

pub(super) const TESTS: [(&str, fn()); 5] = [
    ("an_unknown_host_says_so", || run(unknown_host())),
    ("an_answer_without_end_is_given_up", || run(endless())),
    ("another_server_says_so", || run(another())),
    ("a_service_that_is_asked_too_often_says_so", || {
        run(throttled())
    }),
    ("settings_that_do_not_fit_say_so", || run(wrong())),
];

async fn unknown_host() {
    let metadata = "[{ name: endpoint, value: \"https://nowhere.invalid\" }, { name: accountName, value: abc }, \
        { name: accountKey, value: a2V5 }, { name: queueName, value: abc }]";
    let component = component("bindings", "azure.storagequeues", metadata);
    let directory = tempfile::tempdir().expect("a directory");
    let registry = wythe_drivers::registry();
    let opened = registry.bindings.open(&component, site(directory.path()));
    let error = opened.await.err().expect("an error");
    assert_eq!(error.kind(), Kind::Unavailable);
    let expected =
        "the service at nowhere.invalid: the service cannot be reached: check `endpoint`";
    assert!(error.message().starts_with(expected), "{error}");
}

/// A blob of any length is read no further than the app's bytes go.
async fn endless() {
    let hostile = fake(NOTHING, "HTTP/1.1 200 OK\r\n\r\n*");
    let directory = tempfile::tempdir().expect("a directory");
    let driver = opened(hostile, directory.path(), "").await;
    let error = get(&*driver).await.expect_err("no end");
    assert_eq!(error.kind(), Kind::Invalid);
    let expected = "has more than 1048576 bytes";
    assert!(error.message().contains(expected), "{error}");
    let error = ask(&*driver, "list", "", &[]).await.expect_err("no end");
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
    let heads = fake(NOTHING, "HTTP/1.1 200 OK\r\nx: *");
    let driver = opened(heads, directory.path(), "").await;
    let error = get(&*driver).await.expect_err("no end");
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

async fn another() {
    let page = fake(
        NOTHING,
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n<html><p>Welcome",
    );
    let directory = tempfile::tempdir().expect("a directory");
    let driver = opened(page, directory.path(), "").await;
    let error = ask(&*driver, "list", "", &[]).await.expect_err("a page");
    assert_eq!(error.kind(), Kind::Internal);
    let expected = "is not one of this service: check `endpoint`";
    assert!(error.message().contains(expected), "{error}");
    let error = create(&*driver, "one").await.expect_err("a page");
    assert_eq!(error.kind(), Kind::UnknownOutcome, "{error}");
    let other = fake("SSH-2.0-OpenSSH_9\r\n", NOTHING);
    let error = refused(other, "").await;
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
}

async fn throttled() {
    const OFTEN: &str = "HTTP/1.1 503 Busy\r\nx-ms-error-code: ServerBusy\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    let directory = tempfile::tempdir().expect("a directory");
    let driver = opened(fake(NOTHING, OFTEN), directory.path(), "").await;
    let error = create(&*driver, "one").await.expect_err("too often");
    assert_eq!(error.kind(), Kind::Exhausted);
    assert!(error.retry_after().is_some(), "{error}");
}

async fn wrong() {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    for (setting, expected) in [
        (
            "azureClientId, value: a",
            "azureClientId: this build asks by the account's key",
        ),
        (
            "connectionString, value: AccountKey=kept-secret",
            "connectionString: expected its parts",
        ),
        (
            "publicAccessLevel, value: all",
            "publicAccessLevel: expected `none`",
        ),
        (
            "getBlobRetryCount, value: 1000",
            "getBlobRetryCount: expected 0 to 100",
        ),
        ("azureEnvironment, value: a", "azureEnvironment: expected"),
        ("timeout, value: 0s", "timeout: expected 10ms to 1h"),
        ("tableName, value: a", "tableName"),
    ] {
        let error = refused(address, &format!(", {{ name: {setting} }}")).await;
        assert!(error.message().contains(expected), "{setting}: {error}");
        assert!(!error.chain().contains("kept-secret"), "{error}");
    }
    wrong_queues(address).await;
}

async fn wrong_queues(address: SocketAddr) {
    let directory = tempfile::tempdir().expect("a directory");
    for (setting, expected) in [
        ("queueName, value: A_b", "queueName: expected a name"),
        (
            "queueName, value: abc }, { name: pollingInterval, value: 1ms",
            "pollingInterval: expected 100ms to 168h",
        ),
        (
            "queueName, value: abc }, { name: ttlInSeconds, value: 0",
            "ttlInSeconds: expected 1 or more",
        ),
    ] {
        let metadata = settings(address, "a2V5", &format!(", {{ name: {setting} }}"));
        let component = component("bindings", "azure.storagequeues", &metadata);
        let registry = wythe_drivers::registry();
        let opened = registry.bindings.open(&component, site(directory.path()));
        let error = opened.await.err().expect("an error");
        assert!(error.message().contains(expected), "{setting}: {error}");
    }
}
