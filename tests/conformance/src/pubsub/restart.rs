//! The messages that a durable driver still delivers after it was closed and opened again.

use super::{Subject, steps::*};
use std::time::{Duration, Instant};
use wythe_blocks::pubsub::Message;

pub(super) async fn unacknowledged(mut subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 10).await;
    // Some are out, some are not.
    pull(&*consumer, 3).await;
    for _ in 0..2 {
        subject.reopen().await;
    }
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    assert_eq!(sorted(texts(&take(&*consumer, 10).await)), numbers(0, 10));
    expect_quiet(&*consumer).await;
}

pub(super) async fn acknowledged(mut subject: Subject) {
    let driver = subject.driver();
    let consumers = [
        subscribe(&*driver, "topic", "a").await,
        subscribe(&*driver, "topic", "b").await,
    ];
    publish_numbers(&*driver, "topic", 0, 10).await;
    take(&*consumers[0], 10).await;
    let rest = take(&*consumers[1], 4).await;
    subject.reopen().await;
    let driver = subject.driver();
    let consumers = [
        subscribe(&*driver, "topic", "a").await,
        subscribe(&*driver, "topic", "b").await,
    ];
    let left = texts(&take(&*consumers[1], 6).await);
    assert!(texts(&rest).iter().all(|text| !left.contains(text)));
    expect_quiet(&*consumers[0]).await;
    expect_quiet(&*consumers[1]).await;
}

pub(super) async fn attempts(mut subject: Subject) {
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    publish(&*subject.driver(), "topic", message("stubborn")).await;
    for _ in 0..2 {
        let received = pull_one(&*consumer).await;
        nack(&*consumer, &received, Duration::ZERO).await;
    }
    subject.reopen().await;
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    assert_eq!(pull_one(&*consumer).await.attempt, 3);
}

pub(super) async fn missed(mut subject: Subject) {
    drop(subscribe(&*subject.driver(), "topic", "group").await);
    subject.reopen().await;
    // The group is known although nobody sat in it since the restart.
    publish_numbers(&*subject.driver(), "topic", 0, 3).await;
    subject.reopen().await;
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    assert_eq!(sorted(texts(&take(&*consumer, 3).await)), numbers(0, 3));
}

pub(super) async fn delay(mut subject: Subject) {
    let delay = Duration::from_millis(800);
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    let published = Instant::now();
    publish(
        &*subject.driver(),
        "topic",
        Message {
            delay: Some(delay),
            ..message("later")
        },
    )
    .await;
    publish(&*subject.driver(), "topic", message("refused")).await;
    let refused = pull_one(&*consumer).await;
    nack(&*consumer, &refused, delay).await;
    subject.reopen().await;
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    for _ in 0..2 {
        pull_one(&*consumer).await;
        assert!(
            published.elapsed() >= delay,
            "after {:?}",
            published.elapsed()
        );
    }
}

pub(super) async fn order(mut subject: Subject) {
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    for number in 0..6 {
        publish(&*subject.driver(), "topic", keyed(number, "key")).await;
    }
    assert_eq!(texts(&take(&*consumer, 1).await), ["0"]);
    let refused = pull_one(&*consumer).await;
    nack(&*consumer, &refused, Duration::from_millis(300)).await;
    subject.reopen().await;
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    publish(&*subject.driver(), "topic", keyed(6, "key")).await;
    assert_eq!(texts(&take(&*consumer, 6).await), numbers(1, 7));
}

pub(super) async fn ephemeral(mut subject: Subject) {
    let driver = subject.driver();
    let _consumer = sit_ephemeral(&*driver, "topic", "ephemeral").await;
    let _other = subscribe(&*driver, "topic", "group").await;
    publish(&*driver, "topic", message(0)).await;
    subject.reopen().await;
    let driver = subject.driver();
    let consumer = sit_ephemeral(&*driver, "topic", "ephemeral").await;
    expect_quiet(&*consumer).await;
    let other = subscribe(&*driver, "topic", "group").await;
    assert_eq!(texts(&take(&*other, 1).await), ["0"]);
}
