//! The rows that are handed out: when, in which order, and to whom.

use super::{
    Subject,
    steps::{self, APP, change, changed, get, names, put, put_all, row, settle, take},
};
use futures::future::join_all;
use std::{collections::HashSet, time::Duration};
use wythe_blocks::jobs::Row;

pub(super) async fn only(subject: Subject) {
    let driver = subject.driver();
    put_all(&*driver, &[("late", 1_001), ("now", 1_000), ("early", 999)]).await;
    assert!(take(&*driver, 998, 10).await.is_empty());
    assert_eq!(take(&*driver, 1_000, 10).await, ["early", "now"]);
    assert_eq!(take(&*driver, 1_001, 10).await, ["late"]);
}

pub(super) async fn order(subject: Subject) {
    let driver = subject.driver();
    // As numbers and not as texts: 90 is before 100.
    let wakes = [300, 90, 100, 9, 70_000, 65_536, 256, 255];
    for wake in wakes {
        put(&*driver, row(APP, &format!("at-{wake}"), wake)).await;
    }
    let expected = [9, 90, 100, 255, 256, 300, 65_536, 70_000].map(|wake| format!("at-{wake}"));
    assert_eq!(take(&*driver, u64::MAX, 100).await, expected);
}

pub(super) async fn limit(subject: Subject) {
    let driver = subject.driver();
    for number in 0..10 {
        put(&*driver, row(APP, &format!("job{number}"), number)).await;
    }
    assert_eq!(take(&*driver, 100, 3).await, ["job0", "job1", "job2"]);
    assert_eq!(take(&*driver, 100, 3).await, ["job3", "job4", "job5"]);
    assert_eq!(take(&*driver, 100, 100).await.len(), 4);
}

pub(super) async fn once(subject: Subject) {
    let driver = subject.driver();
    put_all(&*driver, &[("a", 1), ("b", 2)]).await;
    assert_eq!(take(&*driver, 1, 10).await, ["a"]);
    assert_eq!(take(&*driver, 2, 10).await, ["b"]);
    assert!(take(&*driver, u64::MAX, 10).await.is_empty());
}

pub(super) async fn to_one(subject: Subject) {
    let driver = subject.driver();
    for number in 0..200 {
        put(&*driver, row(APP, &format!("job{number}"), number)).await;
    }
    let takes = (0..40).map(|_| {
        let driver = driver.clone();
        tokio::spawn(async move { take(&*driver, 1_000, 7).await })
    });
    let mut seen = HashSet::new();
    for taken in join_all(takes).await {
        for name in taken.expect("a task") {
            assert!(seen.insert(name.clone()), "{name} was handed out twice");
        }
    }
    assert_eq!(seen.len(), 200);
}

pub(super) async fn written(subject: Subject) {
    let driver = subject.driver();
    let first = row(APP, "tick", 1);
    put(&*driver, first.clone()).await;
    assert_eq!(take(&*driver, 1, 10).await, ["tick"]);
    let second = changed(&first, 5);
    settle(&*driver, change(&first, Some(second.clone())))
        .await
        .expect("a change");
    assert!(take(&*driver, 4, 10).await.is_empty());
    assert_eq!(take(&*driver, 5, 10).await, ["tick"]);
    // At the same time again, as after a failure.
    let third = changed(&second, 5);
    settle(&*driver, change(&second, Some(third)))
        .await
        .expect("a change");
    assert_eq!(take(&*driver, 5, 10).await, ["tick"]);
    // A change that is refused is no write.
    let stale = change(&first, Some(changed(&first, 5)));
    assert!(settle(&*driver, stale).await.is_err());
    assert!(take(&*driver, 5, 10).await.is_empty());
}

pub(super) async fn lease(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, row(APP, "tick", 1)).await;
    let short = Duration::from_millis(300);
    let taken = driver.take(APP, 1, 10, short).await.expect("a take");
    assert_eq!(names(&taken), ["tick"]);
    tokio::time::sleep(short + Duration::from_millis(20)).await;
    assert_eq!(take(&*driver, 1, 10).await, ["tick"], "its lease is over");
}

pub(super) async fn asleep(subject: Subject) {
    let driver = subject.driver();
    let paused = Row {
        paused: true,
        wake: None,
        ..row(APP, "tick", 1)
    };
    put(&*driver, paused.clone()).await;
    assert!(take(&*driver, u64::MAX, 10).await.is_empty());
    assert_eq!(steps::next(&*driver).await, None);
    settle(&*driver, change(&paused, Some(changed(&paused, 1))))
        .await
        .expect("a change");
    assert_eq!(take(&*driver, 1, 10).await, ["tick"]);
}

pub(super) async fn next(subject: Subject) {
    let driver = subject.driver();
    put_all(&*driver, &[("b", 200), ("a", 300), ("c", 100)]).await;
    assert_eq!(steps::next(&*driver).await, Some(100));
    assert_eq!(take(&*driver, 100, 10).await, ["c"]);
    assert_eq!(
        steps::next(&*driver).await,
        Some(200),
        "what is handed out does not count"
    );
    driver.delete(APP, "b").await.expect("a delete");
    assert_eq!(steps::next(&*driver).await, Some(300));
    let old = get(&*driver, "c").await.expect("a row");
    settle(&*driver, change(&old, Some(changed(&old, 50))))
        .await
        .expect("a change");
    assert_eq!(steps::next(&*driver).await, Some(50));
}

/// A driver that counts its jobs says how many of an app are due and with nobody.
pub(super) async fn overdue(subject: Subject) {
    let driver = subject.driver();
    let count = async |until, limit| driver.overdue(APP, until, limit).await.expect("a count");
    if count(0, 10).await.is_none() {
        assert!(!driver.features().counted, "it counts its jobs");
        return;
    }
    put_all(&*driver, &[("a", 1), ("b", 2), ("c", 3)]).await;
    put(&*driver, row("other", "d", 1)).await;
    assert_eq!(count(0, 10).await, Some(0));
    assert_eq!(count(2, 10).await, Some(2));
    assert_eq!(count(9, 2).await, Some(2), "it stops at the limit");
    assert_eq!(take(&*driver, 1, 10).await, ["a"]);
    assert_eq!(count(9, 10).await, Some(2), "one is handed out");
    driver.delete(APP, "b").await.expect("a deletion");
    assert_eq!(count(9, 10).await, Some(1));
}
