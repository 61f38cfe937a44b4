//! The forms that are read here, as targets of the fuzzer in `tests/fuzz`: no bytes may panic, and what can be written is
//! read back as it was.

use crate::{
    durable::codec::{entry, job, message},
    shared::{
        configuration::items,
        keys::{Key, set},
        secrets::nested::{self, Shape},
    },
};
use std::path::Path;
use wythe_manifest::{Document, parse_document};

/// A record of state on disk.
pub fn record(data: &[u8]) {
    if let Ok(record) = entry::decode(data) {
        let bytes = entry::encode(&record);
        assert_eq!(entry::decode(&bytes).ok(), Some(record.clone()));
        assert_eq!(entry::version(&bytes).ok(), Some(record.version));
        record.entry();
    }
}

/// A message on disk.
pub fn message(data: &[u8]) {
    message::published(data);
    if let Ok(found) = message::decode(data) {
        let bytes = message::encode("topic", 7, &found);
        assert_eq!(message::decode(&bytes).ok(), Some(found));
        assert_eq!(message::published(&bytes), Some(7));
    }
}

/// The row of a job on disk.
pub fn job(data: &[u8]) {
    let head = job::Head::decode(data).ok();
    if let Ok(row) = job::decode("app", "name", data) {
        let bytes = job::encode(&row);
        assert_eq!(job::Head::decode(&bytes).ok(), head);
        assert_eq!(job::decode("app", "name", &bytes).ok(), Some(row));
    }
}

/// A file of secrets.
pub fn secrets(data: &[u8]) {
    let Some(tree) = document(data) else {
        return;
    };
    for multi_valued in [false, true] {
        let separator = ":".to_owned();
        let shape = Shape {
            separator,
            multi_valued,
        };
        match nested::secrets(&tree, &shape) {
            Ok(found) => assert!(multi_valued || found.values().all(|one| one.values.len() == 1)),
            Err(misfit) => drop(misfit.to_string()),
        }
    }
}

/// A file of configuration.
pub fn configuration(data: &[u8]) {
    if let Some(tree) = document(data)
        && let Ok(items) = items::of_tree(&tree, ".")
    {
        assert!(items.iter().all(|(key, item)| *key == item.key));
    }
}

fn document(data: &[u8]) -> Option<Document> {
    let text = std::str::from_utf8(data).ok()?;
    parse_document(text, Path::new("a.yaml")).ok()
}

/// A file of one key, and a set of keys. What is public of a key is a key.
pub fn keys(data: &[u8]) {
    let key = Key::parse(data).ok();
    if let Some(public) = key.and_then(|key| key.describe().public) {
        let again = Key::parse(public.as_bytes()).expect("its own JWK");
        assert_eq!(again.describe().public, Some(public));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        drop(set(text));
    }
}

#[cfg(test)]
#[path = "../../../../tests/fuzz/replay.rs"]
mod replay;

#[test]
fn seeds_are_read() {
    replay::replay(&[
        ("configuration", configuration),
        ("job", job),
        ("keys", keys),
        ("message", message),
        ("record", record),
        ("secrets", secrets),
    ]);
}
