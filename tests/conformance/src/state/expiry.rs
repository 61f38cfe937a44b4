//! Entries that end by themselves: neither early nor late.

use super::{Subject, steps::*};
use std::time::{Duration, Instant, SystemTime};
use wythe_blocks::{
    Kind,
    state::{Condition, Driver, Operation, Put},
};

/// A time long enough for a slow machine to write before it is over.
const TTL: Duration = Duration::from_millis(700);

/// Puts an entry and returns a moment before which it must still be there, and one after which it must be gone.
async fn put_lasting(driver: &dyn Driver, key: &str, value: &str) -> (Instant, Instant) {
    let before = Instant::now();
    driver.put(lasting(key, value, TTL)).await.expect("a put");
    // The contract counts in whole milliseconds.
    let grain = Duration::from_millis(1);
    (before + TTL - grain, Instant::now() + TTL + grain)
}

async fn until(moment: Instant) {
    tokio::time::sleep_until(moment.into()).await;
}

pub(super) async fn ends(subject: Subject) {
    let driver = subject.driver();
    let (there, gone) = put_lasting(&*driver, "key", "value").await;
    loop {
        let found = get(&*driver, "key").await.is_some();
        // Asked after the read: an entry that was still owed must have been found.
        if Instant::now() < there {
            assert!(found, "gone too early");
        } else if !found {
            break;
        }
        assert!(
            Instant::now() < gone + Duration::from_millis(250),
            "still there"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    until(gone).await;
    assert_eq!(get(&*driver, "key").await, None);
    let many = driver.get_many(vec!["key".into()]).await;
    assert!(
        many.into_iter()
            .all(|answer| answer.expect("a get").is_none())
    );
}

pub(super) async fn says_when(subject: Subject) {
    let driver = subject.driver();
    let ttl = Duration::from_secs(3_600);
    let before = SystemTime::now();
    driver
        .put(lasting("key", "value", ttl))
        .await
        .expect("a put");
    let after = SystemTime::now();
    let expires = get(&*driver, "key")
        .await
        .expect("an entry")
        .expires
        .expect("an expiry");
    let second = Duration::from_secs(1);
    assert!(
        expires >= before + ttl - second && expires <= after + ttl + second,
        "{expires:?}"
    );
}

pub(super) async fn cleared(subject: Subject) {
    let driver = subject.driver();
    let (_, gone) = put_lasting(&*driver, "key", "1").await;
    put(&*driver, "key", "2").await;
    assert_eq!(get(&*driver, "key").await.expect("an entry").expires, None);
    until(gone + Duration::from_millis(1_200)).await;
    assert_eq!(value(&*driver, "key").await.as_deref(), Some("2"));
}

pub(super) async fn renewed(subject: Subject) {
    let driver = subject.driver();
    let (_, gone) = put_lasting(&*driver, "key", "1").await;
    driver
        .put(lasting("key", "2", Duration::from_secs(60)))
        .await
        .expect("a put");
    until(gone + Duration::from_millis(1_200)).await;
    assert_eq!(value(&*driver, "key").await.as_deref(), Some("2"));
}

pub(super) async fn conditions(subject: Subject) {
    let driver = subject.driver();
    let mut etags = Vec::new();
    for key in ["put", "delete", "first"] {
        etags.push(driver.put(lasting(key, "1", TTL)).await.expect("a put"));
    }
    tokio::time::sleep(TTL + Duration::from_millis(5)).await;
    let matches = |index: usize| Condition::Matches(etags[index].clone());
    assert_eq!(
        kind(put_if(&*driver, "put", "2", matches(0)).await),
        Kind::Conflict
    );
    assert_eq!(
        kind(delete_if(&*driver, "delete", matches(1)).await),
        Kind::Conflict
    );
    put_if(&*driver, "first", "2", Condition::Absent)
        .await
        .expect("a put");
    assert_eq!(value(&*driver, "first").await.as_deref(), Some("2"));
}

pub(super) async fn unlisted(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, "a", "1").await;
    let (_, gone) = put_lasting(&*driver, "b", "1").await;
    put(&*driver, "c", "1").await;
    until(gone).await;
    assert_eq!(keys(&*driver, "", 1).await, ["a", "c"]);
}

pub(super) async fn increment(subject: Subject) {
    let driver = subject.driver();
    let (_, gone) = put_lasting(&*driver, "key", "41").await;
    until(gone).await;
    assert_eq!(
        driver
            .increment(&"key".into(), 1)
            .await
            .expect("an increment"),
        1
    );
}

pub(super) async fn increment_retains(subject: Subject) {
    let driver = subject.driver();
    let (_, gone) = put_lasting(&*driver, "key", "41").await;
    assert_eq!(
        driver
            .increment(&"key".into(), 1)
            .await
            .expect("an increment"),
        42
    );
    assert!(
        get(&*driver, "key")
            .await
            .is_none_or(|entry| entry.expires.is_some())
    );
    until(gone + Duration::from_millis(20)).await;
    assert_eq!(get(&*driver, "key").await, None);
}

pub(super) async fn transaction(subject: Subject) {
    let driver = subject.driver();
    driver
        .transact(vec![
            Operation::Put(lasting("key", "1", TTL)),
            putting("kept", "1"),
        ])
        .await
        .expect("a transaction");
    tokio::time::sleep(TTL + Duration::from_millis(5)).await;
    assert_eq!(get(&*driver, "key").await, None);
    assert!(get(&*driver, "kept").await.is_some());
}

/// The sweep in the background must not take the neighbours of what it removes, either.
pub(super) async fn many(subject: Subject) {
    let driver = subject.driver();
    let puts = (0..300).map(|number| match number % 3 {
        0 => Put::new(format!("kept{number}"), "v"),
        _ => lasting(&format!("over{number}"), "v", TTL),
    });
    assert!(
        driver
            .put_many(puts.collect())
            .await
            .iter()
            .all(Result::is_ok)
    );
    // What is written again before the sweep belongs to its writer.
    tokio::time::sleep(TTL).await;
    put(&*driver, "over1", "new").await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    for number in 0..300 {
        let stored = get(&*driver, &format!("kept{number}")).await.is_some();
        let over = get(&*driver, &format!("over{number}")).await.is_some();
        assert_eq!((stored, over), (number % 3 == 0, number == 1), "{number}");
    }
}
