//! Versions: what may be written over what.

use super::{Subject, steps::*};
use std::collections::HashSet;
use wythe_blocks::{
    Key, Kind,
    state::{Condition, Delete, Put},
};

pub(super) async fn changes(subject: Subject) {
    let driver = subject.driver();
    let mut seen = HashSet::new();
    for _ in 0..50 {
        assert!(seen.insert(put(&*driver, "key", "the same value").await));
    }
}

pub(super) async fn same(subject: Subject) {
    let driver = subject.driver();
    let etag = put(&*driver, "key", "value").await;
    for _ in 0..2 {
        assert_eq!(get(&*driver, "key").await.expect("an entry").etag, etag);
    }
}

pub(super) async fn wrong_put(subject: Subject) {
    let driver = subject.driver();
    let stale = put(&*driver, "key", "1").await;
    let right = put_if(&*driver, "key", "2", Condition::Matches(stale.clone()))
        .await
        .expect("a put");
    for wrong in [
        stale,
        "no etag at all".into(),
        String::new(),
        "ffffffffffffffff0".into(),
    ] {
        assert_eq!(
            kind(put_if(&*driver, "key", "3", Condition::Matches(wrong)).await),
            Kind::Conflict
        );
    }
    let entry = get(&*driver, "key").await.expect("an entry");
    assert_eq!((text(&entry).as_str(), &entry.etag), ("2", &right));
}

/// Messages name a key as the app knows it.
pub(super) async fn shown(subject: Subject) {
    let driver = subject.driver();
    let key = Key::new("space||", "key");
    let condition = Condition::Matches("no etag at all".into());
    let mut put = Put::new(key.clone(), "1");
    put.options.condition = condition.clone();
    let put = driver.put(put).await.expect_err("a conflict");
    let delete = Delete { key, condition };
    let delete = driver.delete(delete).await.expect_err("a conflict");
    for error in [put, delete] {
        assert_eq!(error.kind(), Kind::Conflict);
        assert!(!error.message().contains("space||"), "{error}");
    }
}

pub(super) async fn wrong_delete(subject: Subject) {
    let driver = subject.driver();
    let stale = put(&*driver, "key", "1").await;
    let right = put(&*driver, "key", "2").await;
    assert_eq!(
        kind(delete_if(&*driver, "key", Condition::Matches(stale)).await),
        Kind::Conflict
    );
    assert_eq!(value(&*driver, "key").await.as_deref(), Some("2"));
    delete_if(&*driver, "key", Condition::Matches(right))
        .await
        .expect("a delete");
    assert_eq!(get(&*driver, "key").await, None);
}

pub(super) async fn of_absent(subject: Subject) {
    let driver = subject.driver();
    let etag = put(&*driver, "other", "1").await;
    assert_eq!(
        kind(put_if(&*driver, "key", "1", Condition::Matches(etag.clone())).await),
        Kind::Conflict
    );
    assert_eq!(
        kind(delete_if(&*driver, "key", Condition::Matches(etag)).await),
        Kind::Conflict
    );
    assert_eq!(get(&*driver, "key").await, None);
}

/// An old etag must not fit an entry that was deleted and created again.
pub(super) async fn no_return(subject: Subject) {
    let driver = subject.driver();
    let mut seen = HashSet::new();
    for _ in 0..20 {
        let etag = put(&*driver, "key", "value").await;
        for old in &seen {
            let lost = put_if(&*driver, "key", "x", Condition::Matches(String::clone(old))).await;
            assert_eq!(kind(lost), Kind::Conflict);
        }
        assert!(seen.insert(etag));
        delete(&*driver, "key").await;
    }
}

pub(super) async fn first_write(subject: Subject) {
    let driver = subject.driver();
    let first = put_if(&*driver, "key", "1", Condition::Absent)
        .await
        .expect("a put");
    assert_eq!(
        kind(put_if(&*driver, "key", "2", Condition::Absent).await),
        Kind::Conflict
    );
    let second = put_if(&*driver, "key", "3", Condition::Matches(first.clone()))
        .await
        .expect("a put");
    assert_eq!(
        kind(put_if(&*driver, "key", "4", Condition::Matches(first)).await),
        Kind::Conflict
    );
    put_if(&*driver, "key", "5", Condition::Matches(second))
        .await
        .expect("a put");
    assert_eq!(value(&*driver, "key").await.as_deref(), Some("5"));
    delete(&*driver, "key").await;
    put_if(&*driver, "key", "6", Condition::Absent)
        .await
        .expect("a put");
}

pub(super) async fn silent(subject: Subject) {
    let driver = subject.driver();
    let etag = put(&*driver, "key", "a hidden value").await;
    let error = put_if(&*driver, "key", "2", Condition::Absent)
        .await
        .expect_err("a conflict");
    assert!(
        !error.message().contains(&etag) && !error.message().contains("hidden"),
        "{error}"
    );
}
