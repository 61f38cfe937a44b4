//! Rows by app and name: put, get, overwrite and delete.

use super::{Subject, steps::*};
use futures::future::join_all;
use std::time::Duration;
use wythe_blocks::{
    Kind,
    jobs::{FailurePolicy, Misfire, Row, Trigger},
};

pub(super) async fn absent(subject: Subject) {
    let driver = subject.driver();
    assert_eq!(get(&*driver, "tick").await, None);
    assert_eq!(next(&*driver).await, None);
    assert!(take(&*driver, u64::MAX, 10).await.is_empty());
    driver
        .delete(APP, "tick")
        .await
        .expect("deleting what is absent");
}

/// Every field, at its least and at its most.
fn rows() -> Vec<Row> {
    let mut full = row(APP, &"n".repeat(256), 1_700_000_000_000);
    full.job.trigger = Trigger::Cron {
        expression: "0 30 6 * * MON-FRI".into(),
        time_zone: Some("Europe/Berlin".into()),
    };
    full.job.start = Some(1);
    full.job.end = Some(253_402_300_799_999);
    full.job.repeats = Some(u32::MAX);
    full.job.data = (0..65_536)
        .map(|byte| byte as u8)
        .collect::<Vec<_>>()
        .into();
    full.job.on_failure = FailurePolicy::Retry {
        interval: Duration::from_millis(1),
        max_retries: Some(0),
    };
    full.job.on_misfire = Misfire::All;
    full.incarnation = u64::MAX;
    full.version = u64::MAX;
    full.attempts = u32::MAX;
    full.occurrences = u64::MAX;
    full.failure = Some("ä".repeat(512));
    let mut paused = row(APP, "paused", 0);
    paused.job.trigger = Trigger::Cron {
        expression: "@daily".into(),
        time_zone: None,
    };
    paused.job.on_misfire = Misfire::Skip;
    paused.job.on_failure = FailurePolicy::Retry {
        interval: Duration::from_secs(3_600),
        max_retries: None,
    };
    paused.job.data = "".into();
    (paused.paused, paused.wake, paused.due) = (true, None, None);
    let mut once = row(APP, "A-z_0.9:x", 5);
    once.job.trigger = Trigger::Once(5);
    once.wake = Some(7);
    vec![full, paused, once]
}

pub(super) async fn round_trip(subject: Subject) {
    let driver = subject.driver();
    for row in rows() {
        put(&*driver, row.clone()).await;
        assert_eq!(get(&*driver, &row.job.name).await, Some(row.clone()));
        if row.wake.is_some() {
            let taken = driver.take(APP, u64::MAX, 1, LEASE).await.expect("a take");
            assert_eq!(taken, [row]);
        }
    }
    let listed = driver.list(APP, "", None, 10).await.expect("a list");
    let mut expected = rows();
    expected.sort_by(|a, b| a.job.name.cmp(&b.job.name));
    assert_eq!(listed.rows, expected);
}

pub(super) async fn taken(subject: Subject) {
    let driver = subject.driver();
    let first = row(APP, "tick", 1);
    put(&*driver, first.clone()).await;
    let second = row(APP, "tick", 2);
    assert_eq!(kind(driver.put(second, false).await), Kind::Conflict);
    assert_eq!(get(&*driver, "tick").await, Some(first));
}

pub(super) async fn overwritten(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, row(APP, "tick", 1)).await;
    assert_eq!(take(&*driver, 1, 10).await, ["tick"]);
    let anew = Row {
        incarnation: 2,
        version: 9,
        ..row(APP, "tick", 5)
    };
    driver.put(anew.clone(), true).await.expect("an overwrite");
    assert_eq!(get(&*driver, "tick").await, Some(anew));
    assert!(
        take(&*driver, 4, 10).await.is_empty(),
        "the old time counts no more"
    );
    assert_eq!(take(&*driver, 5, 10).await, ["tick"]);
    driver
        .put(row(APP, "other", 1), true)
        .await
        .expect("an overwrite of nothing");
    assert!(get(&*driver, "other").await.is_some());
}

pub(super) async fn deleted(subject: Subject) {
    let driver = subject.driver();
    put_all(&*driver, &[("a", 1), ("b", 2)]).await;
    driver.delete(APP, "a").await.expect("a delete");
    assert_eq!(get(&*driver, "a").await, None);
    assert_eq!(next(&*driver).await, Some(2));
    assert_eq!(take(&*driver, 10, 10).await, ["b"]);
    put(&*driver, row(APP, "a", 3)).await;
    assert_eq!(take(&*driver, 10, 10).await, ["a"]);
}

pub(super) async fn apps(subject: Subject) {
    let driver = subject.driver();
    for (app, name, wake) in [
        ("a", "tick", 1),
        ("ab", "tick", 2),
        ("b", "tick", 3),
        ("a-b", "tock", 4),
    ] {
        put(&*driver, row(app, name, wake)).await;
    }
    driver.delete("a", "tick").await.expect("a delete");
    assert_eq!(driver.get("a", "tick").await.expect("a get"), None);
    assert_eq!(driver.next("a").await.expect("a next"), None);
    for (app, name, wake) in [("ab", "tick", 2), ("b", "tick", 3), ("a-b", "tock", 4)] {
        assert_eq!(driver.next(app).await.expect("a next"), Some(wake), "{app}");
        let page = driver.list(app, "", None, 10).await.expect("a list");
        assert_eq!(page.rows, [row(app, name, wake)]);
        let taken = driver.take(app, 10, 10, LEASE).await.expect("a take");
        assert_eq!(taken, [row(app, name, wake)]);
    }
}

pub(super) async fn counted(mut subject: Subject) {
    let is_durable = subject.driver().features().durable;
    let count = |subject: &Subject| subject.driver().count().expect("a count");
    assert_eq!(count(&subject), Some(0));
    for (app, name, wake) in [("a", "tick", 1), ("ab", "tick", 2), ("a", "tock", 3)] {
        put(&*subject.driver(), row(app, name, wake)).await;
    }
    assert_eq!(count(&subject), Some(3));
    let driver = subject.driver();
    let anew = row("a", "tock", 4);
    driver.put(anew.clone(), true).await.expect("an overwrite");
    assert!(driver.put(row("a", "tick", 4), false).await.is_err());
    driver.delete("a", "gone").await.expect("a delete");
    assert_eq!(count(&subject), Some(3));
    driver.delete("ab", "tick").await.expect("a delete");
    assert_eq!(count(&subject), Some(2));
    settle(&*driver, change(&anew, None)).await.expect("an end");
    assert_eq!(count(&subject), Some(1));
    drop(driver);
    if is_durable {
        subject.reopen().await;
        assert_eq!(count(&subject), Some(1));
    }
}

pub(super) async fn one_wins(subject: Subject) {
    let driver = subject.driver();
    let puts = (0..20).map(|number| driver.put(row(APP, "tick", number), false));
    let answers = join_all(puts).await;
    let won: Vec<_> = (0..20).filter(|number| answers[*number].is_ok()).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    assert_eq!(
        get(&*driver, "tick").await,
        Some(row(APP, "tick", won[0] as u64))
    );
}
