//! Transactions: all or nothing, in order.

use super::{Subject, steps::*};
use wythe_blocks::{
    Kind,
    state::{Condition, Delete, Driver, Operation},
};

async fn check(driver: &dyn Driver, expected: &[(&str, Option<&str>)]) {
    for (key, expected) in expected {
        assert_eq!(value(driver, key).await.as_deref(), *expected, "{key}");
    }
}

pub(super) async fn all(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, "gone", "old").await;
    put(&*driver, "changed", "old").await;
    let operations = vec![
        putting("new", "1"),
        deleting("gone"),
        putting("changed", "2"),
    ];
    driver.transact(operations).await.expect("a transaction");
    check(
        &*driver,
        &[("new", Some("1")), ("gone", None), ("changed", Some("2"))],
    )
    .await;
}

pub(super) async fn order(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, "k1", "old").await;
    let operations = vec![
        deleting("k1"),
        putting("k2", "1"),
        deleting("k2"),
        putting("k3", "1"),
        putting("k3", "2"),
    ];
    driver.transact(operations).await.expect("a transaction");
    check(&*driver, &[("k1", None), ("k2", None), ("k3", Some("2"))]).await;
    driver
        .transact(vec![deleting("k3"), putting("k3", "3")])
        .await
        .expect("a transaction");
    check(&*driver, &[("k3", Some("3"))]).await;
}

pub(super) async fn absent(subject: Subject) {
    let driver = subject.driver();
    driver
        .transact(vec![deleting("absent"), putting("key", "1")])
        .await
        .expect("a transaction");
    check(&*driver, &[("key", Some("1"))]).await;
}

pub(super) async fn sees_itself(subject: Subject) {
    let driver = subject.driver();
    let etag = put(&*driver, "key", "1").await;
    let first = |key| Operation::Put(conditional(key, "2", Condition::Absent));
    driver
        .transact(vec![deleting("key"), first("key")])
        .await
        .expect("a transaction");
    assert_eq!(
        kind(driver.transact(vec![first("new"), first("new")]).await),
        Kind::Conflict
    );
    let stale = Operation::Delete(Delete {
        key: "key".into(),
        condition: Condition::Matches(etag),
    });
    assert_eq!(
        kind(driver.transact(vec![putting("key", "3"), stale]).await),
        Kind::Conflict
    );
    check(&*driver, &[("key", Some("2")), ("new", None)]).await;
}

pub(super) async fn nothing(subject: Subject) {
    let driver = subject.driver();
    let etag = put(&*driver, "a", "old").await;
    put(&*driver, "b", "old").await;
    let lost = [
        Operation::Put(conditional("b", "new", Condition::Absent)),
        Operation::Put(conditional("b", "new", Condition::Matches(etag.clone()))),
        Operation::Delete(Delete {
            key: "b".into(),
            condition: Condition::Matches(etag.clone()),
        }),
        Operation::Put(conditional(
            "absent",
            "new",
            Condition::Matches(etag.clone()),
        )),
    ];
    for lost in lost {
        let operations = vec![
            putting("a", "new"),
            putting("c", "new"),
            deleting("a"),
            lost,
            putting("d", "new"),
        ];
        assert_eq!(kind(driver.transact(operations).await), Kind::Conflict);
        check(
            &*driver,
            &[
                ("a", Some("old")),
                ("b", Some("old")),
                ("c", None),
                ("d", None),
            ],
        )
        .await;
    }
    assert_eq!(get(&*driver, "a").await.expect("an entry").etag, etag);
}

pub(super) async fn etags(subject: Subject) {
    let driver = subject.driver();
    let operations = vec![
        putting("a", "1"),
        deleting("b"),
        putting("c", "1"),
        putting("a", "2"),
    ];
    let etags = driver.transact(operations).await.expect("a transaction");
    assert_eq!(
        etags.iter().map(Option::is_some).collect::<Vec<_>>(),
        [true, false, true, true]
    );
    assert_eq!(get(&*driver, "a").await.map(|entry| entry.etag), etags[3]);
    assert_eq!(get(&*driver, "c").await.map(|entry| entry.etag), etags[2]);
}

pub(super) async fn empty(subject: Subject) {
    assert!(
        subject
            .driver()
            .transact(Vec::new())
            .await
            .expect("a transaction")
            .is_empty()
    );
}

pub(super) async fn limit(subject: Subject) {
    let driver = subject.driver();
    let limit = driver.features().max_operations as usize;
    let operations: Vec<_> = (0..limit)
        .map(|number| putting(&format!("key{number}"), "1"))
        .collect();
    driver
        .transact(operations.clone())
        .await
        .expect("a transaction");
    let beyond = [operations, vec![putting("beyond", "1")]].concat();
    assert_eq!(kind(driver.transact(beyond).await), Kind::Invalid);
    check(&*driver, &[("key0", Some("1")), ("beyond", None)]).await;
}
