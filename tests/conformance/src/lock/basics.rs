//! One holder: granted, held, told and released.

use super::{Subject, steps::*};
use std::time::{Duration, SystemTime};
use wythe_blocks::lock::{Acquired, Grant};

pub(super) async fn granted(subject: Subject) {
    let driver = subject.driver();
    let before = SystemTime::now();
    let owner = "an owner ä \u{1f600}";
    let acquired = driver
        .acquire(&"key".into(), owner, LONG)
        .await
        .expect("an answer");
    let Acquired::Granted(grant) = acquired else {
        panic!("a free lock is granted, not {acquired:?}");
    };
    let after = SystemTime::now();
    assert_eq!(grant.owner, owner);
    assert!(grant.expires + GRAIN >= before + LONG, "{grant:?}");
    assert!(grant.expires <= after + LONG + GRAIN, "{grant:?}");
    let reported = holder(&*driver, "key").await.expect("a holder");
    assert!(about(reported.expires, grant.expires), "{reported:?}");
    let expires = grant.expires;
    assert_eq!(
        Grant {
            expires,
            ..reported
        },
        grant
    );
}

/// A lock is held against its holder, too: it is not reentrant.
pub(super) async fn held(subject: Subject) {
    let driver = subject.driver();
    let grant = take(&*driver, "key", LONG).await;
    for owner in ["app", "other"] {
        let acquired = driver
            .acquire(&"key".into(), owner, LONG)
            .await
            .expect("an answer");
        let Acquired::Held { expires } = acquired else {
            panic!("a held lock is not granted: {acquired:?}");
        };
        assert!(expires.is_none_or(|expires| about(expires, grant.expires)));
    }
    assert_eq!(held_by(&*driver, "key").await, Some(grant.token));
}

pub(super) async fn nobody(subject: Subject) {
    let driver = subject.driver();
    assert_eq!(holder(&*driver, "key").await, None);
    take(&*driver, "other", LONG).await;
    assert_eq!(holder(&*driver, "key").await, None);
}

pub(super) async fn released(subject: Subject) {
    let driver = subject.driver();
    for _ in 0..3 {
        let grant = take(&*driver, "key", LONG).await;
        release(&*driver, "key", grant.token).await;
        assert_eq!(holder(&*driver, "key").await, None);
    }
}

pub(super) async fn exact_keys(subject: Subject) {
    let driver = subject.driver();
    let long = format!("lock||app||{}", "ä".repeat(128));
    let longer = format!("{long}.");
    let keys = [
        "a", "A", "a ", " a", "a|", "a||", "a||b", "a%", "a_", "a/../a", "ä", "a\u{308}", "\u{1}",
        &long, &longer,
    ];
    let mut tokens = Vec::new();
    for key in keys {
        tokens.push(take(&*driver, key, LONG).await.token);
    }
    for (key, token) in keys.iter().zip(tokens) {
        assert_eq!(held_by(&*driver, key).await, Some(token), "{key:?}");
        release(&*driver, key, token).await;
    }
}

pub(super) async fn a_day(subject: Subject) {
    let driver = subject.driver();
    let day = Duration::from_secs(24 * 3_600);
    let grant = take(&*driver, "key", day).await;
    assert!(about(grant.expires, SystemTime::now() + day), "{grant:?}");
}

pub(super) async fn many(subject: Subject) {
    let driver = subject.driver();
    let mut grants = Vec::new();
    for number in 0..500 {
        let key = format!("key{number}");
        grants.push((take(&*driver, &key, LONG).await.token, key));
    }
    for (token, key) in &grants {
        assert_eq!(held_by(&*driver, key).await, Some(*token), "{key}");
        assert_eq!(acquire(&*driver, key, LONG).await, None, "{key}");
    }
}
