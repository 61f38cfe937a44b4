//! The messages that a durable driver still delivers after it was closed and opened again.

use super::{Subject, steps::*};
use std::time::{Duration, Instant};
use wythe_blocks::pubsub::Message;

pub(super) async fn unacknowledged(mut subject: Subject) {
    let driver = subject.driver();
    let seat = sit(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 10).await;
    // Some are out, some are not.
    pull(&*seat, 3).await;
    for _ in 0..2 {
        subject.reopen().await;
    }
    let seat = sit(&*subject.driver(), "topic", "group").await;
    assert_eq!(sorted(texts(&take(&*seat, 10).await)), numbers(0, 10));
    expect_quiet(&*seat).await;
}

pub(super) async fn acknowledged(mut subject: Subject) {
    let driver = subject.driver();
    let seats = [
        sit(&*driver, "topic", "a").await,
        sit(&*driver, "topic", "b").await,
    ];
    publish_numbers(&*driver, "topic", 0, 10).await;
    take(&*seats[0], 10).await;
    let rest = take(&*seats[1], 4).await;
    subject.reopen().await;
    let driver = subject.driver();
    let seats = [
        sit(&*driver, "topic", "a").await,
        sit(&*driver, "topic", "b").await,
    ];
    let left = texts(&take(&*seats[1], 6).await);
    assert!(texts(&rest).iter().all(|text| !left.contains(text)));
    expect_quiet(&*seats[0]).await;
    expect_quiet(&*seats[1]).await;
}

pub(super) async fn attempts(mut subject: Subject) {
    let seat = sit(&*subject.driver(), "topic", "group").await;
    publish(&*subject.driver(), "topic", message("stubborn")).await;
    for _ in 0..2 {
        let received = pull_one(&*seat).await;
        nack(&*seat, &received, Duration::ZERO).await;
    }
    subject.reopen().await;
    let seat = sit(&*subject.driver(), "topic", "group").await;
    assert_eq!(pull_one(&*seat).await.attempt, 3);
}

pub(super) async fn missed(mut subject: Subject) {
    drop(sit(&*subject.driver(), "topic", "group").await);
    subject.reopen().await;
    // The group is known although nobody sat in it since the restart.
    publish_numbers(&*subject.driver(), "topic", 0, 3).await;
    subject.reopen().await;
    let seat = sit(&*subject.driver(), "topic", "group").await;
    assert_eq!(sorted(texts(&take(&*seat, 3).await)), numbers(0, 3));
}

pub(super) async fn delay(mut subject: Subject) {
    let delay = Duration::from_millis(800);
    let seat = sit(&*subject.driver(), "topic", "group").await;
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
    let refused = pull_one(&*seat).await;
    nack(&*seat, &refused, delay).await;
    subject.reopen().await;
    let seat = sit(&*subject.driver(), "topic", "group").await;
    for _ in 0..2 {
        pull_one(&*seat).await;
        assert!(
            published.elapsed() >= delay,
            "after {:?}",
            published.elapsed()
        );
    }
}

pub(super) async fn order(mut subject: Subject) {
    let seat = sit(&*subject.driver(), "topic", "group").await;
    for number in 0..6 {
        publish(&*subject.driver(), "topic", keyed(number, "key")).await;
    }
    assert_eq!(texts(&take(&*seat, 1).await), ["0"]);
    let refused = pull_one(&*seat).await;
    nack(&*seat, &refused, Duration::from_millis(300)).await;
    subject.reopen().await;
    let seat = sit(&*subject.driver(), "topic", "group").await;
    publish(&*subject.driver(), "topic", keyed(6, "key")).await;
    assert_eq!(texts(&take(&*seat, 6).await), numbers(1, 7));
}

pub(super) async fn ephemeral(mut subject: Subject) {
    let driver = subject.driver();
    let _seat = sit_ephemeral(&*driver, "topic", "ephemeral").await;
    let _other = sit(&*driver, "topic", "group").await;
    publish(&*driver, "topic", message(0)).await;
    subject.reopen().await;
    let driver = subject.driver();
    let seat = sit_ephemeral(&*driver, "topic", "ephemeral").await;
    expect_quiet(&*seat).await;
    let other = sit(&*driver, "topic", "group").await;
    assert_eq!(texts(&take(&*other, 1).await), ["0"]);
}
