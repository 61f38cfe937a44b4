//! Steps that many cases take.

use std::{fmt::Debug, time::Duration};
use wythe_blocks::{
    Kind, Result,
    jobs::{Driver, FailurePolicy, Job, Misfire, Row, Settle, Timestamp, Trigger},
};

pub(super) const APP: &str = "app";
pub(super) const LEASE: Duration = Duration::from_secs(600);

pub(super) fn row(app: &str, name: &str, wake: Timestamp) -> Row {
    let job = Job {
        name: name.into(),
        trigger: Trigger::Every(Duration::from_secs(1)),
        start: None,
        end: None,
        repeats: None,
        data: "data".into(),
        on_failure: FailurePolicy::Drop,
        on_misfire: Misfire::One,
    };
    Row {
        app: app.into(),
        job,
        incarnation: 1,
        version: 1,
        due: Some(wake),
        wake: Some(wake),
        attempts: 0,
        paused: false,
        occurrences: 0,
        failure: None,
    }
}

/// The same row after a write.
pub(super) fn changed(row: &Row, wake: Timestamp) -> Row {
    Row {
        version: row.version + 1,
        due: Some(wake),
        wake: Some(wake),
        ..row.clone()
    }
}

pub(super) async fn put(driver: &dyn Driver, row: Row) {
    driver.put(row, false).await.expect("a put");
}

pub(super) async fn put_all(driver: &dyn Driver, rows: &[(&str, Timestamp)]) {
    for (name, wake) in rows {
        put(driver, row(APP, name, *wake)).await;
    }
}

pub(super) async fn get(driver: &dyn Driver, name: &str) -> Option<Row> {
    driver.get(APP, name).await.expect("a get")
}

pub(super) async fn take(driver: &dyn Driver, until: Timestamp, limit: u32) -> Vec<String> {
    let rows = driver.take(APP, until, limit, LEASE).await.expect("a take");
    names(&rows)
}

pub(super) fn names(rows: &[Row]) -> Vec<String> {
    rows.iter().map(|row| row.job.name.clone()).collect()
}

pub(super) async fn next(driver: &dyn Driver) -> Option<Timestamp> {
    driver.next(APP).await.expect("a next")
}

/// The change from this row to that.
pub(super) fn change(from: &Row, to: Option<Row>) -> Settle {
    Settle {
        app: from.app.clone(),
        name: from.job.name.clone(),
        version: from.version,
        row: to,
    }
}

pub(super) async fn settle(driver: &dyn Driver, change: Settle) -> Result<()> {
    let mut answers = driver.settle(vec![change]).await;
    assert_eq!(answers.len(), 1, "one answer a change");
    answers.remove(0)
}

pub(super) fn kind(result: Result<impl Debug>) -> Kind {
    result.expect_err("an error").kind()
}
