//! The entries that a durable driver still has after it was closed and opened again.

use super::{Subject, steps::*};
use std::time::Duration;
use wythe_blocks::{
    Kind,
    state::{Condition, Put, PutOptions},
};

pub(super) async fn persists(mut subject: Subject) {
    let driver = subject.driver();
    let options = PutOptions {
        content_type: Some("text/plain".into()),
        ..PutOptions::default()
    };
    let puts = (0..200).map(|number| {
        let value = vec![number as u8; number * number];
        Put {
            options: options.clone(),
            ..Put::new(format!("key{number}"), value)
        }
    });
    assert!(
        driver
            .put_many(puts.collect())
            .await
            .iter()
            .all(Result::is_ok)
    );
    let names: Vec<_> = (0..200).map(|number| format!("key{number}")).collect();
    let mut before = Vec::new();
    for name in &names {
        before.push(get(&*driver, name).await);
    }
    for _ in 0..2 {
        subject.reopen().await;
        for (name, expected) in names.iter().zip(&before) {
            assert_eq!(get(&*subject.driver(), name).await, *expected);
        }
    }
    let etag = before[7].clone().expect("an entry").etag;
    put_if(&*subject.driver(), "key7", "new", Condition::Matches(etag))
        .await
        .expect("a put");
}

pub(super) async fn deletes(mut subject: Subject) {
    put(&*subject.driver(), "gone", "1").await;
    put(&*subject.driver(), "kept", "1").await;
    subject.reopen().await;
    delete(&*subject.driver(), "gone").await;
    subject.reopen().await;
    assert_eq!(get(&*subject.driver(), "gone").await, None);
    assert_eq!(
        value(&*subject.driver(), "kept").await.as_deref(),
        Some("1")
    );
}

pub(super) async fn expiries(mut subject: Subject) {
    let driver = subject.driver();
    driver
        .put(lasting("short", "1", Duration::from_millis(500)))
        .await
        .expect("a put");
    driver
        .put(lasting("long", "1", Duration::from_secs(3_600)))
        .await
        .expect("a put");
    let before = get(&*driver, "long").await.expect("an entry").expires;
    subject.reopen().await;
    tokio::time::sleep(Duration::from_millis(510)).await;
    assert_eq!(get(&*subject.driver(), "short").await, None);
    assert_eq!(
        get(&*subject.driver(), "long")
            .await
            .expect("an entry")
            .expires,
        before
    );
}

pub(super) async fn closed(mut subject: Subject) {
    let old = subject.driver();
    put(&*old, "key", "1").await;
    subject.reopen().await;
    assert_eq!(kind(old.put(Put::new("key", "2")).await), Kind::Unavailable);
    assert_eq!(kind(old.get(&"key".into()).await), Kind::Unavailable);
    assert_eq!(value(&*subject.driver(), "key").await.as_deref(), Some("1"));
}
