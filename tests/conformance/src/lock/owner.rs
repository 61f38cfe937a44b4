//! Tokens: they grow, and whoever has an old one has nothing.

use super::{Subject, steps::*};
use std::time::Duration;
use wythe_blocks::{Key, Kind, lock::Driver};

pub(super) async fn tokens(subject: Subject) {
    let driver = subject.driver();
    let mut last = [0, 0];
    for round in 0..60 {
        for (key, last) in ["a", "b"].into_iter().zip(&mut last) {
            // Some grants end by their time.
            let (is_left, ttl) = match round % 10 {
                9 => (true, Duration::from_millis(1)),
                _ => (false, LONG),
            };
            let token = take(&*driver, key, ttl).await.token;
            assert!(token > *last, "`{key}`: {token} after {last}");
            *last = token;
            match is_left {
                true => tokio::time::sleep(Duration::from_millis(10)).await,
                false => release(&*driver, key, token).await,
            }
        }
    }
}

/// Messages name a key as the app knows it.
pub(super) async fn shown(subject: Subject) {
    let driver = subject.driver();
    let key = Key::new("lock||space||", "key");
    let release = driver.release(&key, 1).await.expect_err("a conflict");
    let renew = driver.renew(&key, 1, LONG).await.expect_err("a conflict");
    for error in [release, renew] {
        assert_eq!(error.kind(), Kind::Conflict);
        assert!(!error.message().contains("space||"), "{error}");
    }
}

/// The token of a grant that is over, and one of a grant that is alive.
async fn two(driver: &dyn Driver) -> (u64, u64) {
    let old = take(driver, "key", LONG).await.token;
    release(driver, "key", old).await;
    (old, take(driver, "key", LONG).await.token)
}

pub(super) async fn stale_release(subject: Subject) {
    let driver = subject.driver();
    let (old, new) = two(&*driver).await;
    for token in [old, new + 1, 0, u64::MAX] {
        let answer = driver.release(&"key".into(), token).await;
        assert_eq!(kind(answer), Kind::Conflict, "token {token}");
        assert_eq!(held_by(&*driver, "key").await, Some(new));
    }
    release(&*driver, "key", new).await;
    assert_eq!(
        kind(driver.release(&"key".into(), new).await),
        Kind::Conflict
    );
    assert_eq!(
        kind(driver.release(&"absent".into(), 1).await),
        Kind::Conflict
    );
}

pub(super) async fn stale_renewal(subject: Subject) {
    let driver = subject.driver();
    let (old, new) = two(&*driver).await;
    for token in [old, new + 1, 0, u64::MAX] {
        let answer = driver.renew(&"key".into(), token, SHORT).await;
        assert_eq!(kind(answer), Kind::Conflict, "token {token}");
    }
    let expires = holder(&*driver, "key").await.expect("a holder").expires;
    assert!(about(expires, std::time::SystemTime::now() + LONG));
    release(&*driver, "key", new).await;
    assert_eq!(
        kind(driver.renew(&"key".into(), new, LONG).await),
        Kind::Conflict
    );
    assert_eq!(
        kind(driver.renew(&"absent".into(), 1, LONG).await),
        Kind::Conflict
    );
    assert_eq!(holder(&*driver, "key").await, None);
}

pub(super) async fn other_key(subject: Subject) {
    let driver = subject.driver();
    let (a, b) = (
        take(&*driver, "a", LONG).await.token,
        take(&*driver, "b", LONG).await.token,
    );
    // Tokens of two keys may be the same number, which then says nothing.
    if a != b {
        assert_eq!(kind(driver.release(&"a".into(), b).await), Kind::Conflict);
        assert_eq!(
            kind(driver.renew(&"b".into(), a, LONG).await),
            Kind::Conflict
        );
    }
    assert_eq!(held_by(&*driver, "a").await, Some(a));
    release(&*driver, "b", b).await;
    assert_eq!(held_by(&*driver, "a").await, Some(a));
}
