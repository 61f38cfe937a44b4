//! A backlog that nobody acknowledges does not fill the storage without end.

use super::{BACKLOG, Subject, steps::*};
use std::time::{Duration, Instant};
use wythe_blocks::{Kind, pubsub::Driver};

async fn check_full(driver: &dyn Driver) {
    let error = driver
        .publish("topic", message("too much"))
        .await
        .expect_err("an error");
    assert_eq!(
        (error.kind(), error.retry_after()),
        (Kind::Exhausted, Some(Duration::from_secs(1)))
    );
}

pub(super) async fn exhausted(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, BACKLOG).await;
    check_full(&*driver).await;
    // Nobody wants these, so they need no room.
    publish(&*driver, "unheard", message("nothing")).await;
    assert_eq!(
        sorted(texts(&take(&*consumer, BACKLOG).await)),
        numbers(0, BACKLOG)
    );
    expect_quiet(&*consumer).await;
}

pub(super) async fn room(subject: Subject) {
    let driver = subject.driver();
    let consumers = [
        subscribe(&*driver, "topic", "a").await,
        subscribe(&*driver, "topic", "b").await,
    ];
    publish_numbers(&*driver, "topic", 0, BACKLOG).await;
    take(&*consumers[0], BACKLOG).await;
    // The other group still wants them all.
    check_full(&*driver).await;
    take(&*consumers[1], 1).await;
    publish(&*driver, "topic", message("fits")).await;
    check_full(&*driver).await;
}

pub(super) async fn partial(subject: Subject) {
    let driver = subject.driver();
    let _consumer = subscribe(&*driver, "topic", "group").await;
    let answers = driver
        .publish_many("topic", (0..BACKLOG + 2).map(message).collect())
        .await;
    let refused: Vec<_> = (0..answers.len())
        .filter(|index| answers[*index].is_err())
        .collect();
    assert_eq!(refused, [BACKLOG, BACKLOG + 1]);
}

pub(super) async fn deserted(subject: Subject) {
    let driver = subject.driver();
    let consumer = sit_ephemeral(&*driver, "topic", "ephemeral").await;
    let _other = subscribe(&*driver, "other", "group").await;
    publish_numbers(&*driver, "topic", 0, BACKLOG).await;
    check_full(&*driver).await;
    drop(consumer);
    // A consumer may be given up a moment after it was dropped.
    let begin = Instant::now();
    while let Err(error) = driver.publish("other", message(0)).await {
        assert!(begin.elapsed() < SOON, "still full: {error}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    publish_numbers(&*driver, "other", 1, BACKLOG).await;
}

/// Metrics say of each group what its operator sees, whichever messages go first.
pub(super) async fn shown(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let _other = subscribe(&*driver, "topic", "other").await;
    publish_numbers(&*driver, "topic", 0, 3).await;
    for left in (0..=3).rev() {
        assert_eq!(compare(&*driver).await, [left, 3]);
        if left > 0 {
            take(&*consumer, 1).await;
        }
    }
}

/// The messages of each group, in the order of their names.
async fn compare(driver: &dyn Driver) -> Vec<u64> {
    let mut shown = driver.backlog().await.expect("the backlog");
    shown.sort_by(|one, other| one.group.cmp(&other.group));
    for depth in &shown {
        let groups = driver.groups().await.expect("the groups").into_iter();
        let mut seen = groups.filter(|group| group.name.as_ref() == Some(&depth.group));
        let group = seen.next().expect("a group");
        assert_eq!(group.topic, depth.topic);
        assert_eq!(
            (group.messages, Some(group.bytes), group.oldest),
            (depth.messages, depth.bytes, depth.oldest)
        );
    }
    shown.iter().map(|depth| depth.messages).collect()
}
