//! Topics and groups: who gets which messages.

use super::{Subject, steps::*};

pub(super) async fn topics(subject: Subject) {
    let driver = subject.driver();
    let first = sit(&*driver, "topic", "group").await;
    let second = sit(&*driver, "topic2", "group").await;
    publish_numbers(&*driver, "topic", 0, 5).await;
    publish_numbers(&*driver, "topic2", 5, 10).await;
    assert_eq!(sorted(texts(&take(&*first, 5).await)), numbers(0, 5));
    assert_eq!(sorted(texts(&take(&*second, 5).await)), numbers(5, 10));
    expect_quiet(&*first).await;
    expect_quiet(&*second).await;
}

pub(super) async fn groups(subject: Subject) {
    let driver = subject.driver();
    let seats = [
        sit(&*driver, "topic", "a").await,
        sit(&*driver, "topic", "b").await,
    ];
    publish_numbers(&*driver, "topic", 0, 10).await;
    for seat in &seats {
        assert_eq!(sorted(texts(&take(&**seat, 10).await)), numbers(0, 10));
    }
    expect_quiet(&*seats[0]).await;
    expect_quiet(&*seats[1]).await;
}

pub(super) async fn from_now_on(subject: Subject) {
    let driver = subject.driver();
    let old = sit(&*driver, "topic", "old").await;
    publish(&*driver, "topic", message(0)).await;
    let new = sit(&*driver, "topic", "new").await;
    publish(&*driver, "topic", message(1)).await;
    assert_eq!(texts(&take(&*new, 1).await), ["1"]);
    expect_quiet(&*new).await;
    assert_eq!(sorted(texts(&take(&*old, 2).await)), ["0", "1"]);
}

pub(super) async fn waits(subject: Subject) {
    let driver = subject.driver();
    drop(sit(&*driver, "topic", "group").await);
    publish_numbers(&*driver, "topic", 0, 5).await;
    let seat = sit(&*driver, "topic", "group").await;
    assert_eq!(sorted(texts(&take(&*seat, 5).await)), numbers(0, 5));
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
    let seats = [
        sit(&*driver, "topic", "group").await,
        sit_ephemeral(&*driver, "topic", "one").await,
        sit_ephemeral(&*driver, "topic", "two").await,
    ];
    publish_numbers(&*driver, "topic", 0, 10).await;
    for seat in &seats {
        let first = pull_one(&**seat).await;
        nack(&**seat, &first, std::time::Duration::ZERO).await;
        assert_eq!(sorted(texts(&take(&**seat, 10).await)), numbers(0, 10));
        expect_quiet(&**seat).await;
    }
}
