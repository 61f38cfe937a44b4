//! Put, get and delete of one entry.

use super::{Subject, steps::*};
use bytes::Bytes;
use wythe_blocks::{
    Kind,
    state::{Delete, Operation, Put, PutOptions},
};

pub(super) async fn absent(subject: Subject) {
    assert_eq!(get(&*subject.driver(), "absent").await, None);
}

pub(super) async fn round_trip(subject: Subject) {
    let driver = subject.driver();
    let values: [&[u8]; 7] = [
        b"42",
        b"true",
        b"\x00\xff\x80",
        b"text",
        b"\"json text\"",
        b"",
        br#"{"id":1,"tags":["a"]}"#,
    ];
    for (number, value) in values.into_iter().enumerate() {
        let key = format!("key{number}");
        driver
            .put(Put::new(key.clone(), Bytes::from_static(value)))
            .await
            .expect("a put");
        let entry = get(&*driver, &key).await.expect("an entry");
        assert_eq!(entry.value, value);
        assert_eq!((entry.content_type, entry.expires), (None, None));
        assert!(!entry.etag.is_empty());
    }
}

pub(super) async fn replace(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, "key", "a long first value").await;
    put(&*driver, "key", "second").await;
    assert_eq!(value(&*driver, "key").await.as_deref(), Some("second"));
}

pub(super) async fn delete(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, "key", "value").await;
    super::steps::delete(&*driver, "key").await;
    assert_eq!(get(&*driver, "key").await, None);
}

pub(super) async fn delete_absent(subject: Subject) {
    super::steps::delete(&*subject.driver(), "absent").await;
}

pub(super) async fn content_type(subject: Subject) {
    let driver = subject.driver();
    let options = PutOptions {
        content_type: Some("application/json".into()),
        ..PutOptions::default()
    };
    driver
        .put(Put {
            options,
            ..Put::new("key", "{}")
        })
        .await
        .expect("a put");
    assert_eq!(
        get(&*driver, "key")
            .await
            .expect("an entry")
            .content_type
            .as_deref(),
        Some("application/json")
    );
    put(&*driver, "key", "{}").await;
    assert_eq!(
        get(&*driver, "key").await.expect("an entry").content_type,
        None
    );
}

/// Bytes in which no part is like another.
fn pattern(size: usize) -> Bytes {
    (0..size)
        .map(|at| (at ^ (at >> 8) ^ (at >> 16)) as u8)
        .collect()
}

pub(super) async fn big_value(subject: Subject) {
    let driver = subject.driver();
    for size in [4 << 20, 1 << 20, 4 << 20, 0, 100_000] {
        let value = pattern(size);
        driver
            .put(Put::new("key", value.clone()))
            .await
            .expect("a put");
        assert!(
            get(&*driver, "key").await.expect("an entry").value == value,
            "{size} bytes"
        );
    }
}

pub(super) async fn long_key(subject: Subject) {
    let driver = subject.driver();
    let (first, second) = ("k".repeat(1_024), format!("{}l", "k".repeat(1_023)));
    put(&*driver, &first, "first").await;
    put(&*driver, &second, "second").await;
    assert_eq!(value(&*driver, &first).await.as_deref(), Some("first"));
    assert_eq!(value(&*driver, &second).await.as_deref(), Some("second"));
    assert_eq!(value(&*driver, &"k".repeat(1_023)).await, None);
}

pub(super) async fn exact_keys(subject: Subject) {
    let driver = subject.driver();
    // A composed and a decomposed letter, cases, blanks, and what databases and shells make something of.
    let keys = [
        "é",
        "e\u{301}",
        "Key",
        "key",
        "key ",
        " key",
        "a||b",
        "a%",
        "a_",
        "a*",
        "a\\",
        "a'\"",
        "\u{10ffff}",
        "\u{1}",
    ];
    for key in keys {
        put(&*driver, key, key).await;
    }
    for key in keys {
        assert_eq!(value(&*driver, key).await.as_deref(), Some(key));
    }
}

pub(super) async fn features(subject: Subject) {
    let driver = subject.driver();
    let features = driver.features();
    assert!(features.max_value_bytes > 0 && features.max_operations > 0);
    put(&*driver, "key", "1").await;
    let transacted = driver.transact(vec![putting("other", "1")]).await;
    check(
        features.transactions,
        transacted.err().map(|error| error.kind()),
    );
    let listed = driver.list("", None, 1).await;
    check(features.list, listed.err().map(|error| error.kind()));
    let operations = [Operation::Delete(Delete {
        key: "key".into(),
        condition: Default::default(),
    })];
    check(
        features.transactions,
        driver
            .transact(operations.into())
            .await
            .err()
            .map(|error| error.kind()),
    );
    let left = driver.get(&"key".into()).await.expect("a get");
    assert_eq!(left.is_none(), features.transactions);
}

fn check(has: bool, error: Option<Kind>) {
    assert_eq!(error, if has { None } else { Some(Kind::Unsupported) });
}

pub(super) async fn limit(subject: Subject) {
    let driver = subject.driver();
    let limit = driver.features().max_value_bytes;
    // More than this is not worth the memory of a test: nobody says it is a limit.
    let Some(size) = usize::try_from(limit)
        .ok()
        .filter(|size| *size <= 128 << 20)
    else {
        return;
    };
    let error = driver
        .put(Put::new("key", vec![0; size + 1]))
        .await
        .expect_err("an error");
    assert_eq!(error.kind(), Kind::Invalid);
    let fitting = [
        Put::new("a", "1"),
        Put::new("key", vec![0; size + 1]),
        Put::new("b", "2"),
    ];
    let answers: Vec<_> = driver
        .put_many(fitting.into())
        .await
        .into_iter()
        .map(|answer| answer.is_ok())
        .collect();
    assert_eq!(answers, [true, false, true]);
    assert_eq!(get(&*driver, "key").await, None);
}
