//! The grants that a durable driver still has after it was closed and opened again.

use super::{Subject, steps::*};
use wythe_blocks::{Kind, lock::Acquired};

pub(super) async fn grants(mut subject: Subject) {
    let mut grants = Vec::new();
    for number in 0..50 {
        let (driver, key) = (subject.driver(), format!("key{number}"));
        let owner = format!("owner {number}");
        let acquired = driver.acquire(&(&key).into(), &owner, LONG).await;
        let Acquired::Granted(grant) = acquired.expect("an answer") else {
            panic!("`{key}` is free");
        };
        grants.push((key, grant));
    }
    let (key, renewed) = &mut grants[7];
    let ttl = LONG * 2;
    let expires = subject
        .driver()
        .renew(&key.as_str().into(), renewed.token, ttl)
        .await;
    renewed.expires = expires.expect("a renewal");
    for _ in 0..2 {
        subject.reopen().await;
        let driver = subject.driver();
        for (key, grant) in &grants {
            let reported = holder(&*driver, key).await;
            let reported = reported.unwrap_or_else(|| panic!("`{key}` is held"));
            assert!(
                about(reported.expires, grant.expires),
                "{reported:?}, {grant:?}"
            );
            assert_eq!(reported.token, grant.token, "{reported:?}");
            assert_eq!(reported.owner, grant.owner);
            assert_eq!(acquire(&*driver, key, LONG).await, None, "{key}");
        }
    }
    for (key, grant) in &grants {
        release(&*subject.driver(), key, grant.token).await;
    }
    subject.reopen().await;
    for (key, _) in &grants {
        assert_eq!(holder(&*subject.driver(), key).await, None, "{key}");
    }
}

pub(super) async fn tokens(mut subject: Subject) {
    let mut last = [0, 0];
    for _ in 0..6 {
        for (key, last) in ["a", "b"].into_iter().zip(&mut last) {
            let grant = take(&*subject.driver(), key, LONG).await;
            assert!(grant.token > *last, "`{key}`: {} after {last}", grant.token);
            *last = grant.token;
            release(&*subject.driver(), key, grant.token).await;
        }
        subject.reopen().await;
    }
}

pub(super) async fn ended(mut subject: Subject) {
    let short = take(&*subject.driver(), "short", SHORT).await;
    let long = take(&*subject.driver(), "long", LONG).await;
    subject.reopen().await;
    tokio::time::sleep(SHORT + GRAIN).await;
    let driver = subject.driver();
    assert_eq!(holder(&*driver, "short").await, None);
    assert_eq!(held_by(&*driver, "long").await, Some(long.token));
    assert!(take(&*driver, "short", LONG).await.token > short.token);
}

pub(super) async fn closed(mut subject: Subject) {
    let old = subject.driver();
    let token = take(&*old, "key", LONG).await.token;
    subject.reopen().await;
    let acquired = old.acquire(&"other".into(), "app", LONG).await;
    assert_eq!(kind(acquired), Kind::Unavailable);
    assert_eq!(
        kind(old.release(&"key".into(), token).await),
        Kind::Unavailable
    );
    assert_eq!(held_by(&*subject.driver(), "key").await, Some(token));
}
