//! A made-up Vault that refuses, is sealed, is gone, or has more than the suite asks for.

use super::{made_up, run};
use crate::{
    open::{component, site},
    secrets::vault::{OLD, TOKEN, VAULT},
};
use libtest_mimic::Trial;
use servers::Proxy;
use std::{fs, path::Path, sync::Arc};
use wythe_blocks::{Kind, Result, secrets::Driver};

const TESTS: [(&str, fn()); 6] = [
    ("a_wrong_token_says_so", || run(wrong_token())),
    ("versions_are_asked_for", || run(versions())),
    ("names_of_directories_are_listed", || run(names())),
    ("a_text_is_the_whole_secret", || run(text())),
    ("a_token_that_is_renewed_is_read_anew", || run(renewed())),
    ("a_server_that_is_gone_or_sealed_says_so", || run(gone())),
];

pub(super) fn trials() -> Vec<Trial> {
    made_up::of("vault", &TESTS, None)
}

async fn store(address: &str, directory: &Path, more: &str) -> Result<Arc<dyn Driver>> {
    let metadata = format!("[{{ name: vaultAddr, value: \"http://{address}\" }}{more}]");
    let registry = wythe_drivers::registry();
    let component = component("secretstores", "hashicorp.vault", &metadata);
    registry.secrets.open(&component, site(directory)).await
}

/// The store of a directory of the made-up server.
async fn team(more: &str) -> Arc<dyn Driver> {
    let directory = tempfile::tempdir().expect("a directory");
    let more = format!(
        ", {{ name: vaultToken, value: {TOKEN} }}, {{ name: vaultKVPrefix, value: team }}{more}"
    );
    let store = store(&VAULT.to_string(), directory.path(), &more).await;
    store.expect("it opens")
}

fn value(found: &wythe_blocks::secrets::Found, key: &str) -> String {
    String::from_utf8_lossy(found.values[key].reveal()).into_owned()
}

async fn wrong_token() {
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: vaultToken, value: s.wrong-token }";
    let opened = store(&VAULT.to_string(), directory.path(), more).await;
    let error = opened.err().expect("an error");
    assert_eq!(error.kind(), Kind::Denied);
    let expected = "the server denies the component's token: check the token";
    assert!(error.message().contains(expected), "{error}");
    let text = format!("{}{error:?}", error.chain());
    assert!(!text.contains("wrong-token"), "{text}");
    let described = team("").await.describe().expect("a description");
    assert_eq!(
        described,
        format!("Vault at {}, secrets of `secret/team`", *VAULT)
    );
}

async fn versions() {
    let store = team("").await;
    let get = async |version: Option<&str>| {
        let metadata = version.map(|version| ("version_id".to_owned(), version.to_owned()));
        let metadata: Vec<_> = metadata.into_iter().collect();
        store.get("db", &metadata).await
    };
    let newest = get(None).await.expect("a read").expect("a secret");
    assert_eq!(
        (value(&newest, "password"), value(&newest, "port")),
        ("third".into(), "5432".into())
    );
    assert_eq!(newest.version.as_deref(), Some("3"));
    let first = get(Some("1")).await.expect("a read").expect("a secret");
    assert_eq!(
        (value(&first, "password"), first.version.as_deref()),
        ("first".into(), Some("1"))
    );
    for version in ["2", "9"] {
        assert_eq!(get(Some(version)).await.expect("a read"), None, "{version}");
    }
    assert_eq!(
        get(Some("1&x=y")).await.expect_err("no number").kind(),
        Kind::Invalid
    );
    assert_eq!(store.get("gone", &[]).await.expect("a read"), None);
    assert_eq!(
        store.get("../dapr/PASSWORD", &[]).await.expect("a read"),
        None
    );
}

async fn names() {
    let store = team("").await;
    let names = store.names().await.expect("the names");
    assert_eq!(names, ["db", "gone", "web/a b", "web/api/key"]);
    let found = store
        .get("web/a b", &[])
        .await
        .expect("a read")
        .expect("a secret");
    assert_eq!(value(&found, "a"), "b");
    let none = team(", { name: enginePath, value: other }").await;
    assert!(none.names().await.expect("no names").is_empty());
}

async fn text() {
    let store = team(", { name: vaultValueType, value: text }").await;
    assert!(!store.features().multiple_values);
    let found = store
        .get("db", &[])
        .await
        .expect("a read")
        .expect("a secret");
    assert_eq!(value(&found, "db"), r#"{"password":"third","port":5432}"#);
}

async fn renewed() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("token");
    fs::write(&file, format!("{OLD}\n")).expect("a file");
    let opened =
        |more: &'static str| async { store(&VAULT.to_string(), directory.path(), more).await };
    let renewed = opened(", { name: vaultTokenMountPath, value: token }").await;
    let renewed = renewed.expect("it opens");
    let error = renewed.get("TOKEN", &[]).await.expect_err("it may not");
    assert_eq!(error.kind(), Kind::Denied, "{error}");
    fs::write(&file, format!("{TOKEN}\n")).expect("a file");
    assert!(renewed.get("TOKEN", &[]).await.expect("it may").is_some());
    let missing = opened(", { name: vaultTokenMountPath, value: none }");
    let error = missing.await.err().expect("no file");
    assert!(
        error
            .message()
            .contains("vaultTokenMountPath: it cannot be read"),
        "{error}"
    );
}

async fn gone() {
    let proxy = Proxy::start(*VAULT).expect("a proxy");
    let directory = tempfile::tempdir().expect("a directory");
    let more =
        format!(", {{ name: vaultToken, value: {TOKEN} }}, {{ name: timeout, value: 500ms }}");
    let opened = store(&proxy.address().to_string(), directory.path(), &more).await;
    let store = opened.expect("it opens");
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
    let sealed = team(", { name: enginePath, value: sealed }").await;
    let error = sealed.get("db", &[]).await.expect_err("sealed");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.message().contains("is sealed"), "{error}");
    store.close().await.expect("it closes");
    assert_eq!(
        store.get("TOKEN", &[]).await.expect_err("closed").kind(),
        Kind::Unavailable
    );
}
