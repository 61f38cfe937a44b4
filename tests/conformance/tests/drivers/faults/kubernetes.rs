//! A made-up API server that refuses, forgets, is gone, or is none.

use super::run;
use crate::{
    open::{component, site},
    secrets::kubernetes::{Cluster, POOR, TOKEN, kubeconfig},
};
use libtest_mimic::{Failed, Trial};
use serde_json::json;
use servers::Proxy;
use std::{
    fs,
    path::Path,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::Duration,
};
use tempfile::TempDir;
use wythe_blocks::{Kind, Result, configuration, secrets};

const TESTS: [(&str, fn()); 9] = [
    ("who_is_not_known_or_may_not_is_told_so", || run(refused())),
    ("namespaces_are_asked_for", || run(namespaces())),
    ("names_come_in_pages", || run(pages())),
    ("a_token_that_is_renewed_is_read_anew", || run(renewed())),
    ("a_change_ends_a_wait", || run(changes())),
    (
        "a_watch_that_was_forgotten_begins_anew",
        || run(forgotten()),
    ),
    ("a_map_that_is_gone_says_so", || run(missing())),
    ("a_server_that_is_gone_or_none_says_so", || run(gone())),
    ("programs_that_log_in_are_not_started", || run(exec())),
];

pub(super) fn trials() -> Vec<Trial> {
    let trial = |(name, test): (&str, fn())| {
        Trial::test(format!("faults::kubernetes::{name}"), move || {
            test();
            Ok::<_, Failed>(())
        })
    };
    TESTS.into_iter().map(trial).collect()
}

/// A cluster of its own, and a directory with the file that leads there.
fn cluster(user: &str) -> (Cluster, TempDir) {
    let (cluster, directory) = (Cluster::start(), tempfile::tempdir().expect("a directory"));
    kubeconfig(directory.path(), cluster.address, user);
    (cluster, directory)
}

async fn store(directory: &Path, more: &str) -> Result<Arc<dyn secrets::Driver>> {
    let metadata = format!("[{{ name: kubeconfigPath, value: kubeconfig }}{more}]");
    let registry = wythe_drivers::registry();
    let component = component("secretstores", "kubernetes", &metadata);
    registry.secrets.open(&component, site(directory)).await
}

const SUITE: &str = ", { name: defaultNamespace, value: suite }";

async fn map(directory: &Path, more: &str) -> Result<Arc<dyn configuration::Driver>> {
    let metadata = format!(
        "[{{ name: kubeconfigPath, value: kubeconfig }}, {{ name: namespace, value: suite }}, {{ name: configMapName, value: items }}{more}]"
    );
    let registry = wythe_drivers::registry();
    let component = component("configuration", "kubernetes", &metadata);
    registry
        .configuration
        .open(&component, site(directory))
        .await
}

fn with(token: &str) -> String {
    format!("token: {token}")
}

async fn refused() {
    let (cluster, directory) = cluster(&with("t.wrong-token"));
    let error = store(directory.path(), SUITE)
        .await
        .err()
        .expect("an error");
    assert_eq!(error.kind(), Kind::Denied);
    let expected = format!(
        "Kubernetes at {}: the server does not know who asks (401)",
        cluster.address
    );
    assert!(error.message().starts_with(&expected), "{error}");
    let text = format!("{}{error:?}", error.chain());
    assert!(!text.contains("wrong-token"), "{text}");
    kubeconfig(directory.path(), cluster.address, &with(POOR));
    let poor = store(directory.path(), SUITE).await.expect("it opens");
    let error = poor.get("TOKEN", &[]).await.expect_err("it may not");
    assert_eq!(error.kind(), Kind::Denied);
    let expected = "denies the secret `TOKEN` in namespace `suite` (403): give the account a Role with the verb `get`";
    assert!(error.message().contains(expected), "{error}");
    let error = poor.names().await.expect_err("it may not");
    assert!(error.message().contains("the verb `list`"), "{error}");
    let error = map(directory.path(), "").await.err().expect("it may not");
    assert_eq!(error.kind(), Kind::Denied, "{error}");
}

async fn namespaces() {
    let (cluster, directory) = cluster(&with(TOKEN));
    let store = store(directory.path(), SUITE).await.expect("it opens");
    let get = async |name: &str, namespace: &str| {
        let metadata = [("namespace".to_owned(), namespace.to_owned())];
        store.get(name, &metadata).await
    };
    let found = get("db", "other").await.expect("a read").expect("a secret");
    assert_eq!(found.values["user"].reveal(), b"ada");
    assert_eq!(found.version.as_deref(), Some("42"));
    assert!(store.get("db", &[]).await.expect("a read").is_none());
    assert!(get("TOKEN", "").await.expect("a read").is_some());
    let empty = get("none", "other")
        .await
        .expect("a read")
        .expect("a secret");
    assert!(empty.values.is_empty());
    for namespace in ["../other", "other/secrets/db?", "Other", "a b"] {
        let error = get("db", namespace).await.expect_err("no namespace");
        assert_eq!(error.kind(), Kind::Invalid, "{namespace}: {error}");
    }
    for name in ["../../other/secrets/db", "..", "db?x", "%2e%2e", "a\nb"] {
        assert!(
            get(name, "other").await.expect("a read").is_none(),
            "{name}"
        );
    }
    let described = store.describe().expect("a description");
    let expected = format!(
        "Kubernetes v1.33.1 at {}, secrets of namespace `suite`",
        cluster.address
    );
    assert_eq!(described, expected);
    let opened = self::store(directory.path(), "").await;
    let error = opened.err().expect("no namespace");
    assert!(
        error.message().starts_with("defaultNamespace: expected it"),
        "{error}"
    );
}

async fn pages() {
    let (_cluster, directory) = cluster(&with(TOKEN));
    let more = ", { name: defaultNamespace, value: many }";
    let store = store(directory.path(), more).await.expect("it opens");
    let names = store.names().await.expect("the names");
    assert_eq!(names.len(), 250);
    assert!(names.is_sorted() && names.contains(&"secret-249".to_owned()));
}

async fn renewed() {
    let (cluster, directory) = cluster("tokenFile: token");
    let file = directory.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).expect("a file");
    let secrets = store(directory.path(), SUITE).await.expect("it opens");
    let items = map(directory.path(), "").await.expect("it opens");
    cluster.state.rotate("t.second-token");
    let error = secrets.get("TOKEN", &[]).await.expect_err("it is old");
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    fs::write(&file, "t.second-token\n").expect("a file");
    assert!(secrets.get("TOKEN", &[]).await.expect("a read").is_some());
    assert!(!items.get(&[]).await.expect("a read").is_empty());
    // While nobody can read it, nothing is said of it but that.
    cluster.state.rotate("t.third-token");
    fs::remove_file(&file).expect("no file");
    let error = secrets.get("TOKEN", &[]).await.expect_err("no token");
    assert!(error.message().contains("cannot be read"), "{error}");
    fs::write(&file, "t.third-token\n").expect("a file");
    assert!(secrets.get("TOKEN", &[]).await.expect("a read").is_some());
}

async fn changes() {
    let (cluster, directory) = cluster(&with(TOKEN));
    let driver = map(directory.path(), "").await.expect("it opens");
    for round in 0..3 {
        let before = driver.version().await.expect("a version");
        let waiting = {
            let (driver, before) = (driver.clone(), before.clone());
            tokio::spawn(async move { driver.wait(&before).await })
        };
        if round == 1 {
            // The server ends a watch without a word, and the next one goes on.
            cluster.state.ends.store(true, SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
            cluster.state.ends.store(false, SeqCst);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!waiting.is_finished(), "nothing has changed");
        let value = round.to_string();
        let data = json!({ "data": { "a": value, "same": "1" }, "binaryData": { "b": "AP8=" } });
        cluster.state.change(Some(data));
        let waited = waiting.await.expect("no panic");
        waited.expect("a good answer");
        assert_ne!(driver.version().await.expect("a version"), before);
        let items = driver.get(&["a".to_owned(), "b".to_owned()]).await;
        let items = items.expect("a read");
        assert_eq!((items[0].value.as_str(), items.len()), (&*value, 2));
        assert_eq!(items[1].metadata, [("encoding".into(), "base64".into())]);
    }
    driver.close().await.expect("it closes");
    for answer in [driver.version().await.err(), driver.wait("x").await.err()] {
        assert_eq!(answer.expect("closed").kind(), Kind::Unavailable);
    }
}

/// A watch that cannot begin where it should, for the server does not remember so much, is no change and no error.
async fn forgotten() {
    let (cluster, directory) = cluster(&with(TOKEN));
    let driver = map(directory.path(), "").await.expect("it opens");
    let before = driver.version().await.expect("a version");
    cluster.state.forgets.store(2, SeqCst);
    let waiting = {
        let driver = driver.clone();
        tokio::spawn(async move { driver.wait(&before).await })
    };
    while cluster.state.forgotten.load(SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!waiting.is_finished(), "nothing has changed");
    cluster.state.change(Some(json!({ "data": {} })));
    let waited = waiting.await.expect("no panic");
    waited.expect("a good answer");
    assert!(driver.get(&[]).await.expect("a read").is_empty());
}

async fn missing() {
    let (cluster, directory) = cluster(&with(TOKEN));
    let driver = map(directory.path(), "").await.expect("it opens");
    let before = driver.version().await.expect("a version");
    let waiting = {
        let driver = driver.clone();
        tokio::spawn(async move { driver.wait(&before).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    cluster.state.change(None);
    waiting.await.expect("no panic").expect("it is another one");
    let expected = "there is no config map `items` in namespace `suite`: make it";
    let opened = map(directory.path(), "").await.err();
    let errors = [
        driver.get(&[]).await.err(),
        driver.health().await.err(),
        opened,
    ];
    for error in errors.map(|error| error.expect("an error")) {
        assert_eq!(error.kind(), Kind::Unavailable);
        assert!(error.message().contains(expected), "{error}");
    }
    cluster.state.change(Some(json!({ "data": { "a": "1" } })));
    assert_eq!(driver.get(&[]).await.expect("a read")[0].value, "1");
}

async fn gone() {
    let (cluster, directory) = cluster("");
    let proxy = Proxy::start(cluster.address).expect("a proxy");
    kubeconfig(directory.path(), proxy.address(), &with(TOKEN));
    let more = format!("{SUITE}, {{ name: timeout, value: 500ms }}");
    let store = store(directory.path(), &more).await.expect("it opens");
    proxy.silence();
    let error = store.get("TOKEN", &[]).await.expect_err("silence");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(
        error.message().contains("did not answer within `timeout`"),
        "{error}"
    );
    proxy.restore();
    proxy.cut();
    let error = store.get("TOKEN", &[]).await.expect_err("no way");
    assert_eq!(error.kind(), Kind::Unavailable, "{error}");
    proxy.restore();
    assert!(store.get("TOKEN", &[]).await.expect("it is back").is_some());
    odd_answers(&cluster, &*store).await;
    *cluster.state.instead.lock() = None;
    store.close().await.expect("it closes");
    let error = store.get("TOKEN", &[]).await.expect_err("closed");
    assert_eq!(error.kind(), Kind::Unavailable);
}

type Odd = (&'static str, &'static [u8], Kind, &'static str);

async fn odd_answers(cluster: &Cluster, store: &dyn secrets::Driver) {
    const CASES: [Odd; 5] = [
        (
            "404 Not Found",
            b"<html>",
            Kind::Internal,
            "is not one of an API server",
        ),
        (
            "200 OK",
            b"{}",
            Kind::Internal,
            "is not one of an API server",
        ),
        (
            "200 OK",
            b"<html>",
            Kind::Internal,
            "is not one of an API server",
        ),
        (
            "429 Too Many Requests",
            b"{}",
            Kind::Exhausted,
            "too often (429)",
        ),
        (
            "503 Service Unavailable",
            b"{}",
            Kind::Unavailable,
            "the server failed",
        ),
    ];
    let large = vec![b' '; 9 << 20];
    let too_large: (_, &[u8], _, _) = ("200 OK", &large, Kind::Invalid, "more than 8388608 bytes");
    for (status, body, kind, expected) in CASES.into_iter().chain([too_large]) {
        *cluster.state.instead.lock() = Some((status, body.to_vec()));
        let error = store.get("TOKEN", &[]).await.expect_err(status);
        assert_eq!(error.kind(), kind, "{status}: {}", error.chain());
        assert!(error.message().contains(expected), "{status}: {error}");
    }
}

async fn exec() {
    let (_cluster, directory) = cluster("exec: { command: touch, args: [started] }");
    let error = store(directory.path(), SUITE)
        .await
        .err()
        .expect("an error");
    assert_eq!(error.kind(), Kind::Invalid);
    let expected = "kubeconfigPath: `exec`: no program is started to log in; make a service account and a token for it (`kubectl create token";
    assert!(error.message().starts_with(expected), "{error}");
    let metadata = "[{ name: defaultNamespace, value: a }]";
    let registry = wythe_drivers::registry();
    let component = component("secretstores", "kubernetes", metadata);
    let opened = registry
        .secrets
        .open(&component, site(directory.path()))
        .await;
    let error = opened.err().expect("no pod");
    assert!(error.message().contains("for this is no pod"), "{error}");
}
