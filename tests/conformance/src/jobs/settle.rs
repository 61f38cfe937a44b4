//! Changes by compare-and-set, many at once.

use super::{Subject, steps::*};
use futures::future::join_all;
use wythe_blocks::{Kind, jobs::Row};

pub(super) async fn version(subject: Subject) {
    let driver = subject.driver();
    let first = row(APP, "tick", 1);
    put(&*driver, first.clone()).await;
    let mut second = changed(&first, 5);
    second.occurrences = 1;
    second.failure = Some("boom".into());
    settle(&*driver, change(&first, Some(second.clone())))
        .await
        .expect("a change");
    assert_eq!(get(&*driver, "tick").await, Some(second.clone()));
    let stale = settle(&*driver, change(&first, Some(changed(&first, 9)))).await;
    assert_eq!(kind(stale), Kind::Conflict);
    let stale = settle(&*driver, change(&first, None)).await;
    assert_eq!(kind(stale), Kind::Conflict);
    let future = Row {
        version: 77,
        ..second.clone()
    };
    assert_eq!(
        kind(settle(&*driver, change(&future, None)).await),
        Kind::Conflict
    );
    assert_eq!(get(&*driver, "tick").await, Some(second));
}

pub(super) async fn gone(subject: Subject) {
    let driver = subject.driver();
    let row = row(APP, "tick", 1);
    let absent = settle(&*driver, change(&row, Some(changed(&row, 2)))).await;
    assert_eq!(kind(absent), Kind::Conflict);
    put(&*driver, row.clone()).await;
    driver.delete(APP, "tick").await.expect("a delete");
    let gone = settle(&*driver, change(&row, Some(changed(&row, 2)))).await;
    assert_eq!(kind(gone), Kind::Conflict);
    assert_eq!(
        kind(settle(&*driver, change(&row, None)).await),
        Kind::Conflict
    );
    assert_eq!(get(&*driver, "tick").await, None);
    assert_eq!(next(&*driver).await, None);
}

pub(super) async fn remove(subject: Subject) {
    let driver = subject.driver();
    put_all(&*driver, &[("a", 1), ("b", 2)]).await;
    let row = get(&*driver, "a").await.expect("a row");
    assert_eq!(take(&*driver, 1, 10).await, ["a"]);
    settle(&*driver, change(&row, None))
        .await
        .expect("a removal");
    assert_eq!(get(&*driver, "a").await, None);
    assert_eq!(next(&*driver).await, Some(2));
    put(&*driver, row).await;
    assert_eq!(take(&*driver, 1, 10).await, ["a"], "a new row is nobody's");
}

pub(super) async fn positional(subject: Subject) {
    let driver = subject.driver();
    let rows: Vec<_> = (0..100)
        .map(|number| row(APP, &format!("job{number:02}"), number))
        .collect();
    for row in &rows {
        put(&*driver, row.clone()).await;
    }
    let stale = |row: &Row| Row {
        version: 50,
        ..row.clone()
    };
    let changes = rows
        .iter()
        .enumerate()
        .map(|(number, row)| match number % 4 {
            0 => change(row, Some(changed(row, 1_000))),
            1 => change(&stale(row), Some(changed(row, 1_000))),
            2 => change(row, None),
            _ => change(
                &Row {
                    app: "nobody".into(),
                    ..row.clone()
                },
                None,
            ),
        });
    let answers = driver.settle(changes.collect()).await;
    assert_eq!(answers.len(), 100);
    for (number, answer) in answers.into_iter().enumerate() {
        match number % 4 {
            0 | 2 => answer.expect("a change"),
            _ => assert_eq!(kind(answer), Kind::Conflict, "{number}"),
        }
    }
    for (number, row) in rows.iter().enumerate() {
        let found = get(&*driver, &row.job.name).await;
        match number % 4 {
            0 => assert_eq!(found, Some(changed(row, 1_000))),
            2 => assert_eq!(found, None),
            _ => assert_eq!(found.as_ref(), Some(row)),
        }
    }
}

/// Two changes of one row in a batch: the second sees the first.
pub(super) async fn in_order(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, row(APP, "job00", 1_000)).await;
    let first = get(&*driver, "job00").await.expect("a row");
    let second = changed(&first, 2_000);
    let answers = driver
        .settle(vec![
            change(&first, Some(second.clone())),
            change(&second, None),
            change(&first, None),
        ])
        .await;
    let good: Vec<_> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(good, [true, true, false]);
}

pub(super) async fn empty(subject: Subject) {
    assert!(subject.driver().settle(Vec::new()).await.is_empty());
}

pub(super) async fn one_wins(subject: Subject) {
    let driver = subject.driver();
    let row = row(APP, "tick", 1);
    put(&*driver, row.clone()).await;
    let changes = (0..20).map(|number| {
        let to = Row {
            version: 100 + number,
            ..row.clone()
        };
        let (driver, change) = (driver.clone(), change(&row, Some(to)));
        tokio::spawn(async move { settle(&*driver, change).await })
    });
    let mut won = Vec::new();
    for (number, answer) in join_all(changes).await.into_iter().enumerate() {
        match answer.expect("a task") {
            Ok(()) => won.push(100 + number as u64),
            Err(error) => assert_eq!(error.kind(), Kind::Conflict),
        }
    }
    assert_eq!(won.len(), 1);
    let found = get(&*driver, "tick").await.expect("a row");
    assert_eq!(found.version, won[0]);
}
