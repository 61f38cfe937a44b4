//! Files of secrets that change, break and come back, and what is told of them.

use super::*;
use std::path::Path;

fn store(directory: &Path, json: &str) -> Result<Store> {
    fs::write(directory.join("secrets.json"), json).unwrap();
    let store = Store {
        path: directory.join("secrets.json"),
        shape: Shape {
            separator: ":".into(),
            multi_valued: false,
        },
        seen: Mutex::default(),
    };
    let seen = Seen {
        stamp: store.stamp(),
        secrets: store.read()?,
    };
    *store.seen.lock().unwrap() = seen;
    Ok(store)
}

fn value(store: &Store, name: &str) -> Option<String> {
    store.with(|secrets| {
        let found = secrets.get(name)?;
        Some(String::from_utf8_lossy(found.values[name].reveal()).into_owned())
    })
}

#[test]
fn a_changed_file_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), r#"{ "a": "first" }"#).unwrap();
    assert_eq!(value(&store, "a").as_deref(), Some("first"));
    fs::write(&store.path, r#"{ "a": "the second" }"#).unwrap();
    assert_eq!(value(&store, "a").as_deref(), Some("the second"));
}

#[test]
fn a_broken_file_keeps_the_last_good_secrets() {
    let directory = tempfile::tempdir().unwrap();
    let store = store(directory.path(), r#"{ "a": "first" }"#).unwrap();
    for broken in ["{ \"a\": ", "[]", "hunter2"] {
        fs::write(&store.path, broken).unwrap();
        assert_eq!(value(&store, "a").as_deref(), Some("first"), "{broken}");
    }
    fs::remove_file(&store.path).unwrap();
    assert_eq!(value(&store, "a").as_deref(), Some("first"));
    fs::write(&store.path, r#"{ "a": "back" }"#).unwrap();
    assert_eq!(value(&store, "a").as_deref(), Some("back"));
}

#[test]
fn files_of_secrets_are_not_quoted() {
    let directory = tempfile::tempdir().unwrap();
    let told = |json: &str| {
        let error = store(directory.path(), json).err().unwrap();
        let here = format!("{}/", directory.path().display());
        error.chain().replace(&here, "")
    };
    assert_eq!(
        told("{ \"a\": hunter2\": }"),
        "the secrets file `secrets.json:1:16`: expected a JSON object of secrets"
    );
    for text in ["[\"hunter2\"]", "hunter2", "", "{}\n---\n{}"] {
        assert_eq!(
            told(text),
            "the secrets file `secrets.json`: expected a JSON object of secrets"
        );
    }
    assert_eq!(
        told(&" ".repeat(2 << 20)),
        "the secrets file `secrets.json` is larger than 1 MiB, which is the most that is read"
    );
    assert_eq!(
        told("{ \"hunter2\": 1,\n  \"hunter2\": 2 }"),
        "the secrets file `secrets.json:2:3`: expected a JSON object of secrets"
    );
}
