//! Azure Storage that is gone, slow, hostile, or refuses: each says so, and the driver comes back by itself.

mod entries;
mod made_up;
mod messages;

use super::{
    aws::objects::{ask, fetched, json},
    run,
};
use crate::{
    backends::{AZURE_BLOBS, AZURE_QUEUES},
    open::{component, site},
};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use servers::{Azurite, Missing, Proxy, Server, Service, must_be_there};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Kind, Result,
    bindings::{Driver, Outcome},
};

const BLOBS: [(&str, fn()); 8] = [
    ("a_wrong_key_says_so", || run(wrong_key())),
    ("a_container_that_is_missing_says_so", || run(missing())),
    ("a_server_that_restarts_is_found_again", || run(restarts())),
    ("a_blob_that_is_cut_short_is_unknown", || run(cut_short())),
    ("a_slow_server_is_waited_for", || run(slow())),
    ("requests_of_dapr_are_answered", || run(requests())),
    ("a_list_comes_in_pages", || run(pages())),
    ("a_name_leads_to_no_other_blob", || run(names())),
];

pub(super) fn trials() -> Vec<Trial> {
    let blobs = [&BLOBS[..], &entries::TESTS].concat();
    let blobs = served(blobs, AZURE_BLOBS.server().err());
    let queues = served(messages::TESTS.to_vec(), AZURE_QUEUES.server().err());
    let made_up = served(made_up::TESTS.to_vec(), None);
    [blobs, queues, made_up].into_iter().flatten().collect()
}

fn served(tests: Vec<(&'static str, fn())>, missing: Option<Missing>) -> Vec<Trial> {
    let is_ignored = missing
        .as_ref()
        .is_some_and(|missing| !must_be_there(missing));
    let reason = missing.map_or(String::new(), |missing| format!(" ({missing})"));
    let trials = tests.into_iter().map(|(name, test)| {
        let trial = Trial::test(format!("faults::azure::{name}{reason}"), move || {
            test();
            Ok::<_, Failed>(())
        });
        trial.with_ignored_flag(is_ignored)
    });
    trials.collect()
}

/// Metadata of a component over a server, with more of them in YAML.
fn settings(address: SocketAddr, key: &str, more: &str) -> String {
    let account = Azurite::ACCOUNT;
    format!(
        "[{{ name: endpoint, value: \"http://{address}\" }}, {{ name: accountName, value: {account} }}, \
         {{ name: accountKey, value: {key} }}{more}]"
    )
}

const CONTAINER: &str = ", { name: containerName, value: the-container }";

/// Opens the binding of a container by this key, with more metadata in YAML.
async fn container(
    address: SocketAddr,
    directory: &Path,
    key: &str,
    more: &str,
) -> Result<Arc<dyn Driver>> {
    let metadata = settings(address, key, &format!("{CONTAINER}{more}"));
    let registry = wythe_drivers::registry();
    let component = component("bindings", "azure.blobstorage", &metadata);
    registry.bindings.open(&component, site(directory)).await
}

async fn opened(address: SocketAddr, directory: &Path, more: &str) -> Arc<dyn Driver> {
    let opened = container(address, directory, Azurite::KEY, more).await;
    opened.unwrap_or_else(|error| panic!("it opens: {}", error.chain()))
}

fn started() -> Server {
    Server::start(Azurite(Service::Blob)).expect("a server")
}

const NAME: (&str, &str) = ("blobName", "a/b");

async fn create(driver: &dyn Driver, data: &str) -> Result<Outcome> {
    ask(driver, "create", data, &[NAME]).await
}

async fn get(driver: &dyn Driver) -> Result<Outcome> {
    ask(driver, "get", "", &[NAME]).await
}

async fn wrong_key() {
    let server = started();
    let address = server.address();
    let directory = tempfile::tempdir().expect("a directory");
    // `wrong-secret`, in base64.
    let wrong = "d3Jvbmctc2VjcmV0";
    let error = container(address, directory.path(), wrong, "").await;
    let error = error.err().expect("an error");
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    let expected = "check `accountName` and `accountKey`";
    assert!(error.message().contains(expected), "{error}");
    let text = format!("{}{error:?}", error.chain());
    assert!(!text.contains(wrong), "{text}");
    let driver = opened(address, directory.path(), "").await;
    let described = driver.describe().expect("a description");
    let expected = format!("container `the-container` of account `wythe` at {address}");
    assert_eq!(described, expected);
}

async fn missing() {
    let server = started();
    let address = server.address();
    let directory = tempfile::tempdir().expect("a directory");
    let unmanaged = ", { name: disableEntityManagement, value: true }";
    let error = container(address, directory.path(), Azurite::KEY, unmanaged).await;
    let error = error.err().expect("an error");
    assert_eq!(error.kind(), Kind::Unavailable);
    let expected = format!(
        "the service at {address}: there is no container `the-container`: make it, or check `containerName`"
    );
    assert!(error.message().starts_with(&expected), "{error}");
    // Made by one that may, it is there for the other.
    let _driver = opened(address, directory.path(), "").await;
    let driver = opened(address, directory.path(), unmanaged).await;
    create(&*driver, "one").await.expect("it is created");
}

/// A server that ends as its operator wants it keeps what it had.
async fn restarts() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let driver = opened(server.address(), directory.path(), "").await;
    create(&*driver, "one").await.expect("it is created");
    server.stop();
    let error = create(&*driver, "two").await.expect_err("no server");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    assert!(driver.health().await.is_err());
    server.restart();
    driver.health().await.expect("it is back");
    assert_eq!(get(&*driver).await.expect("it is there").data, "one");
    driver.close().await.expect("it closes");
    let error = get(&*driver).await.expect_err("closed");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
}

/// A read that is cut short has changed nothing; of a write nobody knows.
async fn cut_short() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let driver = opened(proxy.address(), directory.path(), "").await;
    let kind = |answer: Result<Outcome>| answer.expect_err("an error").kind();
    // The time of a blob is a minute more, so that the connection is cut where the test would wait.
    let cut = async || {
        tokio::time::sleep(Duration::from_millis(300)).await;
        proxy.drop_connections();
    };
    server.pause();
    let (written, ()) = tokio::join!(create(&*driver, "one"), cut());
    assert_eq!(kind(written), Kind::UnknownOutcome);
    let (read, ()) = tokio::join!(get(&*driver), cut());
    assert_eq!(kind(read), Kind::Unavailable);
    server.resume();
    proxy.cut();
    // A read finds out that the connections which waited are gone; from then on none is written to.
    assert_eq!(kind(get(&*driver).await), Kind::Unavailable);
    assert_eq!(kind(create(&*driver, "one").await), Kind::Unavailable);
    proxy.restore();
    create(&*driver, "two").await.expect("it is back");
    assert_eq!(get(&*driver).await.expect("it is there").data, "two");
}

async fn slow() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    proxy.delay(Duration::from_millis(50));
    let driver = opened(proxy.address(), directory.path(), "").await;
    proxy.throttle(100_000);
    let data = "x".repeat(100_000);
    create(&*driver, &data).await.expect("it is created");
    assert!(get(&*driver).await.expect("it is there").data == data);
}

async fn requests() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: decodeBase64, value: true }";
    let driver = &*opened(server.address(), directory.path(), more).await;
    let name = ("blobName", "p/a b+\u{e9}");
    let metadata = [
        name,
        ("contentType", "text/x-own"),
        ("cacheControl", "no-cache"),
        ("Author", "ada"),
        ("signTTL", "1m"),
    ];
    let created = ask(driver, "create", "aGVsbG8=", &metadata).await;
    let created = json(&created.expect("it is created"));
    let account = format!("http://{}/wythe/the-container", server.address());
    let expected = format!("{account}/p/a%20b%2B%C3%A9");
    assert_eq!(created["blobURL"], expected.as_str());
    assert_eq!(created["blobName"], name.1);
    let presigned = ask(driver, "presign", "", &[name, ("signTTL", "15m")]).await;
    for answer in [&created, &json(&presigned.expect("a URL"))] {
        let url = answer["presignURL"].as_str().expect("a URL");
        assert_eq!(fetched(url), "hello", "{url}");
        assert!(fetched(&url.replace("sp=r", "sp=rw")).contains("<Code>"));
    }
    assert!(fetched(&expected).contains("<Code>"), "it is not public");
    let got = ask(driver, "get", "", &[name, ("includeMetadata", "true")]).await;
    let got = got.expect("it is there");
    assert_eq!(got.data, "hello");
    assert_eq!(got.metadata[1], ("author".to_owned(), "ada".to_owned()));
    deletes(driver, name).await;
}

/// Refuses metadata in other words, and deletes a blob once.
async fn deletes(driver: &dyn Driver, name: (&str, &str)) {
    let error = ask(driver, "create", "no base64", &[name]).await;
    assert_eq!(error.expect_err("no base64").kind(), Kind::Invalid);
    for (operation, word) in [
        ("delete", ("deleteSnapshots", "all")),
        ("presign", ("a", "b")),
    ] {
        let error = ask(driver, operation, "", &[name, word]).await;
        assert_eq!(error.expect_err(operation).kind(), Kind::Invalid);
    }
    let deleted = ask(
        driver,
        "delete",
        "",
        &[name, ("deleteSnapshots", "include")],
    )
    .await;
    deleted.expect("it is deleted");
    let error = ask(driver, "delete", "", &[name]).await;
    assert_eq!(error.expect_err("it is gone").kind(), Kind::NotFound);
}

async fn pages() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let driver = &*opened(server.address(), directory.path(), "").await;
    for name in ["p/a", "p/b", "q/c"] {
        let metadata = [("blobName", name), ("owner", "ada")];
        let created = ask(driver, "create", "x", &metadata).await;
        created.expect("it is created");
    }
    let (mut names, mut marker) = (Vec::new(), String::new());
    loop {
        let asked = serde_json::json!({
            "prefix": "p/", "maxResults": 1, "marker": marker, "include": { "metadata": true },
        });
        let page = ask(driver, "list", &asked.to_string(), &[]).await;
        let page = page.expect("a list");
        let blobs = json(&page);
        for blob in blobs.as_array().expect("an array") {
            assert_eq!(blob["Metadata"]["owner"], "ada");
            assert_eq!(blob["Properties"]["ContentLength"], 1);
            names.push(blob["Name"].clone());
        }
        let found = |name: &str| {
            let found = page.metadata.iter().find(|(known, _)| known == name);
            found.expect("it is told").1.clone()
        };
        assert_eq!(
            found("number"),
            blobs.as_array().map_or(0, Vec::len).to_string()
        );
        marker = found("marker");
        if marker.is_empty() {
            break;
        }
    }
    assert_eq!(names, [Value::from("p/a"), Value::from("p/b")]);
}

async fn names() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let driver = &*opened(server.address(), directory.path(), "").await;
    for name in [
        "../other/a",
        "a/../../b",
        "a\\..\\b",
        "/a",
        "a/",
        "a\r\nx: y",
    ] {
        for operation in ["create", "get", "delete", "presign"] {
            let metadata = [("blobName", name), ("signTTL", "1m")];
            let error = ask(driver, operation, "x", &metadata).await;
            let error = error.expect_err(name);
            assert_eq!(error.kind(), Kind::Invalid, "{operation} {name}: {error}");
        }
    }
    let plain = ["%2e%2e/a", "a?b=c", "a#b"];
    for name in plain {
        let created = ask(driver, "create", name, &[("blobName", name)]).await;
        created.expect("it is created");
    }
    for name in plain {
        let got = ask(driver, "get", "", &[("blobName", name)]).await;
        assert_eq!(got.expect("it is there").data, name);
    }
}

async fn refused(address: SocketAddr, more: &str) -> Error {
    let directory = tempfile::tempdir().expect("a directory");
    let opened = container(address, directory.path(), Azurite::KEY, more).await;
    opened.err().expect("an error")
}
