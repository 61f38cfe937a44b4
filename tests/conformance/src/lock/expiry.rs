//! Time: a grant lasts as long as it says, and no longer.

use super::{Subject, steps::*};
use std::time::{Duration, Instant, SystemTime};
use wythe_blocks::{Kind, lock::Driver};

/// Asks until somebody else's grant is over, and says when that was at the earliest and at the latest.
async fn next(driver: &dyn Driver, key: &str) -> (u64, Instant) {
    loop {
        if let Some(grant) = acquire(driver, key, LONG).await {
            return (grant.token, Instant::now());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

pub(super) async fn ends(subject: Subject) {
    let driver = subject.driver();
    let begin = Instant::now();
    let first = take(&*driver, "key", SHORT).await;
    let granted = Instant::now();
    let (second, at) = next(&*driver, "key").await;
    assert!(at + GRAIN >= begin + SHORT, "after {:?}", at - begin);
    assert!(second > first.token);
    // Sure even on a busy machine: it is asked for every few milliseconds.
    let late = at - granted;
    assert!(late < SHORT + Duration::from_secs(20), "after {late:?}");
}

pub(super) async fn over(subject: Subject) {
    let driver = subject.driver();
    let grant = take(&*driver, "key", SHORT).await;
    tokio::time::sleep(SHORT + GRAIN).await;
    assert_eq!(holder(&*driver, "key").await, None);
    let renewed = driver.renew(&"key".into(), grant.token, LONG).await;
    assert_eq!(kind(renewed), Kind::Conflict);
    let released = driver.release(&"key".into(), grant.token).await;
    assert_eq!(kind(released), Kind::Conflict);
    assert_eq!(holder(&*driver, "key").await, None);
}

pub(super) async fn longer(subject: Subject) {
    let driver = subject.driver();
    let second = Duration::from_secs(20);
    let token = take(&*driver, "key", second).await.token;
    let before = SystemTime::now();
    let expires = driver
        .renew(&"key".into(), token, LONG)
        .await
        .expect("a renewal");
    assert!(expires + GRAIN >= before + LONG);
    assert!(about(expires, SystemTime::now() + LONG));
    let reported = holder(&*driver, "key").await.expect("a holder");
    assert!(about(reported.expires, expires));
    assert_eq!((reported.token, reported.owner.as_str()), (token, "app"));
    // Twice the first time, were it not renewed.
    let short = take(&*driver, "short", SHORT).await.token;
    let renewed = driver.renew(&"short".into(), short, LONG).await;
    // On a machine that stands still for so long the grant is over, as it should be.
    if renewed.is_ok() {
        tokio::time::sleep(SHORT * 2).await;
        assert_eq!(held_by(&*driver, "short").await, Some(short));
    }
}

pub(super) async fn shorter(subject: Subject) {
    let driver = subject.driver();
    let token = take(&*driver, "key", LONG).await.token;
    let begin = Instant::now();
    let expires = driver
        .renew(&"key".into(), token, SHORT)
        .await
        .expect("a renewal");
    assert!(about(expires, SystemTime::now() + SHORT));
    let (second, at) = next(&*driver, "key").await;
    assert!(at + GRAIN >= begin + SHORT, "after {:?}", at - begin);
    assert!(second > token);
}

/// The sweep in the background must not take the neighbours of what it removes, either.
pub(super) async fn many(subject: Subject) {
    let driver = subject.driver();
    let mut stored = Vec::new();
    for number in 0..200 {
        let key = format!("key{number}");
        match number % 2 {
            0 => stored.push((take(&*driver, &key, LONG).await.token, key)),
            _ => drop(take(&*driver, &key, SHORT).await),
        }
    }
    tokio::time::sleep(SHORT + GRAIN).await;
    // What is granted again before a sweep belongs to its new holder.
    stored.push((take(&*driver, "key1", LONG).await.token, "key1".into()));
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    for (token, key) in &stored {
        assert_eq!(held_by(&*driver, key).await, Some(*token), "{key}");
    }
    for number in (3..200).step_by(2) {
        let key = format!("key{number}");
        assert_eq!(holder(&*driver, &key).await, None, "{key}");
    }
}
