//! The rows that a durable driver still has after it was closed and opened again.

use super::{Subject, steps::*};
use wythe_blocks::Kind;

pub(super) async fn persists(mut subject: Subject) {
    let driver = subject.driver();
    for number in 0..200 {
        put(
            &*driver,
            row(APP, &format!("job{number:03}"), 1_000 - number),
        )
        .await;
    }
    driver.delete(APP, "job199").await.expect("a delete");
    let first = get(&*driver, "job000").await.expect("a row");
    let second = changed(&first, 5);
    settle(&*driver, change(&first, Some(second.clone())))
        .await
        .expect("a change");
    let before = driver.list(APP, "", None, 1_000).await.expect("a list");
    for _ in 0..2 {
        subject.reopen().await;
        let after = subject
            .driver()
            .list(APP, "", None, 1_000)
            .await
            .expect("a list");
        assert_eq!(after, before);
        assert_eq!(next(&*subject.driver()).await, Some(5));
    }
    let taken = take(&*subject.driver(), 803, 10).await;
    assert_eq!(taken, ["job000", "job198", "job197"]);
    let stale = settle(&*subject.driver(), change(&first, None)).await;
    assert_eq!(kind(stale), Kind::Conflict);
}

/// The host that had a row is gone, so the row comes again at once.
pub(super) async fn leases(mut subject: Subject) {
    put_all(&*subject.driver(), &[("a", 1), ("b", 2)]).await;
    assert_eq!(take(&*subject.driver(), 2, 10).await, ["a", "b"]);
    subject.reopen().await;
    assert_eq!(take(&*subject.driver(), 2, 10).await, ["a", "b"]);
}

pub(super) async fn closed(mut subject: Subject) {
    let old = subject.driver();
    let row = row(APP, "tick", 1);
    put(&*old, row.clone()).await;
    subject.reopen().await;
    assert_eq!(kind(old.put(row.clone(), true).await), Kind::Unavailable);
    assert_eq!(kind(old.get(APP, "tick").await), Kind::Unavailable);
    assert_eq!(kind(old.take(APP, 1, 1, LEASE).await), Kind::Unavailable);
    assert_eq!(
        kind(settle(&*old, change(&row, None)).await),
        Kind::Unavailable
    );
    assert_eq!(get(&*subject.driver(), "tick").await, Some(row));
}
