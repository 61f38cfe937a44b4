//! Several consumers in one group.

use super::{Subject, steps::*};
use std::{collections::HashSet, time::Duration};

pub(super) async fn share(subject: Subject) {
    let driver = subject.driver();
    let consumers = [
        subscribe(&*driver, "topic", "group").await,
        subscribe(&*driver, "topic", "group").await,
    ];
    publish_numbers(&*driver, "topic", 0, 20).await;
    let mut all = HashSet::new();
    for _ in 0..10 {
        for consumer in &consumers {
            let received = pull_one(&**consumer).await;
            ack(&**consumer, &received).await;
            assert!(all.insert(text(&received)), "each message goes to one seat");
        }
    }
    expect_quiet(&*consumers[0]).await;
    expect_quiet(&*consumers[1]).await;
}

pub(super) async fn leave(subject: Subject) {
    let driver = subject.driver();
    let first = subscribe(&*driver, "topic", "group").await;
    let second = subscribe(&*driver, "topic", "group").await;
    publish(&*driver, "topic", message(0)).await;
    take(&*first, 1).await;
    drop(first);
    publish_numbers(&*driver, "topic", 1, 6).await;
    assert_eq!(sorted(texts(&take(&*second, 5).await)), numbers(1, 6));
}

pub(super) async fn give_back(subject: Subject) {
    let driver = subject.driver();
    let first = subscribe(&*driver, "topic", "group").await;
    let second = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 4).await;
    let mut held = Vec::new();
    while held.len() < 4 {
        held.extend(pull(&*first, 4).await);
    }
    ack(&*first, &held[0]).await;
    let gone = text(&held[0]);
    let (waiting, ()) = tokio::join!(take(&*second, 3), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(first);
    });
    assert!(
        waiting
            .iter()
            .all(|received| (1..=2).contains(&received.attempt) && text(received) != gone)
    );
    expect_quiet(&*second).await;
}

pub(super) async fn over(subject: Subject) {
    let driver = subject.driver();
    let first = subscribe(&*driver, "topic", "group").await;
    publish(&*driver, "topic", message(0)).await;
    let old = pull_one(&*first).await;
    drop(first);
    let second = subscribe(&*driver, "topic", "group").await;
    let new = pull_one(&*second).await;
    assert!(second.ack(vec![old.receipt]).await[0].is_err());
    ack(&*second, &new).await;
    expect_quiet(&*second).await;
}
