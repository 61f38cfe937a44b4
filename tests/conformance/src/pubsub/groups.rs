//! Topics and groups: who gets which messages.

use super::{Subject, steps::*};

pub(super) async fn topics(subject: Subject) {
    let driver = subject.driver();
    let first = subscribe(&*driver, "topic", "group").await;
    let second = subscribe(&*driver, "topic2", "group").await;
    publish_numbers(&*driver, "topic", 0, 5).await;
    publish_numbers(&*driver, "topic2", 5, 10).await;
    assert_eq!(sorted(texts(&take(&*first, 5).await)), numbers(0, 5));
    assert_eq!(sorted(texts(&take(&*second, 5).await)), numbers(5, 10));
    expect_quiet(&*first).await;
    expect_quiet(&*second).await;
}

pub(super) async fn groups(subject: Subject) {
    let driver = subject.driver();
    let consumers = [
        subscribe(&*driver, "topic", "a").await,
        subscribe(&*driver, "topic", "b").await,
    ];
    publish_numbers(&*driver, "topic", 0, 10).await;
    for consumer in &consumers {
        assert_eq!(sorted(texts(&take(&**consumer, 10).await)), numbers(0, 10));
    }
    expect_quiet(&*consumers[0]).await;
    expect_quiet(&*consumers[1]).await;
}

pub(super) async fn from_now_on(subject: Subject) {
    let driver = subject.driver();
    let old = subscribe(&*driver, "topic", "old").await;
    publish(&*driver, "topic", message(0)).await;
    let new = subscribe(&*driver, "topic", "new").await;
    publish(&*driver, "topic", message(1)).await;
    assert_eq!(texts(&take(&*new, 1).await), ["1"]);
    expect_quiet(&*new).await;
    assert_eq!(sorted(texts(&take(&*old, 2).await)), ["0", "1"]);
}

pub(super) async fn waits(subject: Subject) {
    let driver = subject.driver();
    drop(subscribe(&*driver, "topic", "group").await);
    publish_numbers(&*driver, "topic", 0, 5).await;
    let consumer = subscribe(&*driver, "topic", "group").await;
    assert_eq!(sorted(texts(&take(&*consumer, 5).await)), numbers(0, 5));
}

pub(super) async fn ephemeral(subject: Subject) {
    let driver = subject.driver();
    let first = sit_ephemeral(&*driver, "topic", "group").await;
    let second = sit_ephemeral(&*driver, "topic", "group").await;
    drop(first);
    publish(&*driver, "topic", message(0)).await;
    assert_eq!(text(&pull_one(&*second).await), "0");
    drop(second);
    publish(&*driver, "topic", message(1)).await;
    let third = sit_ephemeral(&*driver, "topic", "group").await;
    expect_quiet(&*third).await;
    publish(&*driver, "topic", message(2)).await;
    assert_eq!(texts(&take(&*third, 1).await), ["2"]);
}

pub(super) async fn broadcast(subject: Subject) {
    let driver = subject.driver();
    let consumers = [
        subscribe(&*driver, "topic", "group").await,
        sit_ephemeral(&*driver, "topic", "one").await,
        sit_ephemeral(&*driver, "topic", "two").await,
    ];
    publish_numbers(&*driver, "topic", 0, 10).await;
    for consumer in &consumers {
        let first = pull_one(&**consumer).await;
        nack(&**consumer, &first, std::time::Duration::ZERO).await;
        assert_eq!(sorted(texts(&take(&**consumer, 10).await)), numbers(0, 10));
        expect_quiet(&**consumer).await;
    }
}
