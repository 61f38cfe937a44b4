//! Fences: the highest token that has written a key is a mark, and who comes with less is too late.

use super::{Subject, steps::*};
use futures::future::join_all;
use std::time::Duration;
use wythe_blocks::{
    Kind, Result,
    state::{Condition, Driver, Etag, Operation, Put, PutOptions},
};

fn fenced(key: &str, value: &str, fence: u64) -> Put {
    let options = PutOptions {
        fence: Some(fence),
        ..PutOptions::default()
    };
    Put {
        options,
        ..Put::new(key, value.to_owned())
    }
}

async fn write(driver: &dyn Driver, key: &str, value: &str, fence: u64) -> Result<Etag> {
    driver.put(fenced(key, value, fence)).await
}

async fn written(driver: &dyn Driver, key: &str, value: &str, fence: u64) {
    let answer = write(driver, key, value, fence).await;
    answer.unwrap_or_else(|error| panic!("`{key}` with fence {fence}: {error}"));
}

/// Checks that the mark of the key is this.
async fn check_mark(driver: &dyn Driver, key: &str, mark: u64) {
    let before = get(driver, key).await;
    let lower = write(driver, key, "too late", mark - 1).await;
    assert_eq!(kind(lower), Kind::Conflict, "`{key}` below {mark}");
    assert_eq!(get(driver, key).await, before, "`{key}` is as it was");
    written(driver, key, "in time", mark).await;
}

pub(super) async fn lower(subject: Subject) {
    let driver = subject.driver();
    written(&*driver, "key", "1", 7).await;
    for fence in [0, 1, 6] {
        let answer = write(&*driver, "key", "2", fence).await;
        assert_eq!(kind(answer), Kind::Conflict, "{fence}");
    }
    assert_eq!(value(&*driver, "key").await.as_deref(), Some("1"));
}

pub(super) async fn raises(subject: Subject) {
    let driver = subject.driver();
    for fence in [0, 0, 1, 1, 2, 1 << 32, 1 << 53, (1 << 53) + 1, u64::MAX] {
        written(&*driver, "key", &fence.to_string(), fence).await;
        let expected = Some(fence.to_string());
        assert_eq!(value(&*driver, "key").await, expected);
    }
    check_mark(&*driver, "key", u64::MAX).await;
    // An entry that had none gets one.
    put(&*driver, "plain", "1").await;
    written(&*driver, "plain", "2", 5).await;
    check_mark(&*driver, "plain", 5).await;
}

pub(super) async fn stored(subject: Subject) {
    let driver = subject.driver();
    written(&*driver, "key", "1", 7).await;
    let etag = put(&*driver, "key", "2").await;
    check_mark(&*driver, "key", 7).await;
    let stale = put_if(&*driver, "key", "3", Condition::Matches(etag)).await;
    assert_eq!(kind(stale), Kind::Conflict, "a fenced write is a write");
    let etag = get(&*driver, "key").await.expect("an entry").etag;
    let swapped = put_if(&*driver, "key", "40", Condition::Matches(etag)).await;
    swapped.expect("a put");
    check_mark(&*driver, "key", 7).await;
    put(&*driver, "key", "41").await;
    assert_eq!(driver.increment(&"key".into(), 1).await.expect("a sum"), 42);
    check_mark(&*driver, "key", 7).await;
}

/// The condition and the fence must both hold, and a write that is refused for the one changes nothing of the other.
pub(super) async fn refused(subject: Subject) {
    let driver = subject.driver();
    written(&*driver, "key", "1", 7).await;
    let both = |condition, fence| {
        let mut put = fenced("key", "2", fence);
        put.options.condition = condition;
        driver.put(put)
    };
    let lost = both(Condition::Absent, 9).await;
    assert_eq!(kind(lost), Kind::Conflict);
    check_mark(&*driver, "key", 7).await;
    let etag = get(&*driver, "key").await.expect("an entry").etag;
    let late = both(Condition::Matches(etag.clone()), 6).await;
    assert_eq!(kind(late), Kind::Conflict);
    both(Condition::Matches(etag), 9).await.expect("a put");
    check_mark(&*driver, "key", 9).await;
}

pub(super) async fn dropped(subject: Subject) {
    let driver = subject.driver();
    written(&*driver, "key", "1", 7).await;
    delete(&*driver, "key").await;
    written(&*driver, "key", "2", 3).await;
    check_mark(&*driver, "key", 3).await;
}

pub(super) async fn expired(subject: Subject) {
    let driver = subject.driver();
    let mut put = fenced("key", "1", 7);
    put.options.ttl = Some(Duration::from_millis(200));
    driver.put(put).await.expect("a put");
    tokio::time::sleep(Duration::from_millis(210)).await;
    written(&*driver, "key", "2", 3).await;
    check_mark(&*driver, "key", 3).await;
}

pub(super) async fn one_key(subject: Subject) {
    let driver = subject.driver();
    written(&*driver, "a", "1", 7).await;
    written(&*driver, "b", "1", 3).await;
    written(&*driver, "a||b", "1", 1).await;
    check_mark(&*driver, "a", 7).await;
    check_mark(&*driver, "b", 3).await;
    check_mark(&*driver, "a||b", 1).await;
}

pub(super) async fn put_many(subject: Subject) {
    let driver = subject.driver();
    for key in ["a", "b", "c"] {
        written(&*driver, key, "1", 7).await;
    }
    let puts = vec![
        fenced("a", "2", 8),
        fenced("b", "2", 6),
        Put::new("c", "2"),
        fenced("d", "2", 1),
    ];
    let answers = driver.put_many(puts).await.into_iter();
    let kinds: Vec<_> = answers.map(|a| a.err().map(|e| e.kind())).collect();
    assert_eq!(kinds, [None, Some(Kind::Conflict), None, None]);
    for (key, expected) in [("a", "2"), ("b", "1"), ("c", "2"), ("d", "2")] {
        let found = value(&*driver, key).await;
        assert_eq!(found.as_deref(), Some(expected), "{key}");
    }
    for (key, mark) in [("a", 8), ("b", 7), ("c", 7), ("d", 1)] {
        check_mark(&*driver, key, mark).await;
    }
}

pub(super) async fn transaction(subject: Subject) {
    let driver = subject.driver();
    written(&*driver, "a", "1", 7).await;
    written(&*driver, "b", "1", 7).await;
    let late = vec![
        Operation::Put(fenced("a", "2", 8)),
        deleting("gone"),
        Operation::Put(fenced("b", "2", 6)),
    ];
    assert_eq!(kind(driver.transact(late).await), Kind::Conflict);
    assert_eq!(value(&*driver, "a").await.as_deref(), Some("1"));
    check_mark(&*driver, "a", 7).await;
    let good = vec![
        Operation::Put(fenced("a", "3", 9)),
        putting("b", "3"),
        Operation::Put(fenced("c", "3", 2)),
    ];
    driver.transact(good).await.expect("a transaction");
    for (key, mark) in [("a", 9), ("b", 7), ("c", 2)] {
        assert_eq!(value(&*driver, key).await.as_deref(), Some("3"), "{key}");
        check_mark(&*driver, key, mark).await;
    }
}

pub(super) async fn within_transaction(subject: Subject) {
    let driver = subject.driver();
    written(&*driver, "key", "1", 7).await;
    let falls = [8, 7].map(|fence| Operation::Put(fenced("key", "2", fence)));
    assert_eq!(kind(driver.transact(falls.into()).await), Kind::Conflict);
    check_mark(&*driver, "key", 7).await;
    let new = [2, 1].map(|fence| Operation::Put(fenced("new", "2", fence)));
    assert_eq!(kind(driver.transact(new.into()).await), Kind::Conflict);
    assert_eq!(get(&*driver, "new").await, None);
    let unmarked = vec![
        Operation::Put(fenced("new", "1", 5)),
        putting("new", "2"),
        Operation::Put(fenced("new", "3", 4)),
    ];
    assert_eq!(kind(driver.transact(unmarked).await), Kind::Conflict);
    let anew = vec![deleting("key"), Operation::Put(fenced("key", "3", 2))];
    driver.transact(anew).await.expect("a transaction");
    check_mark(&*driver, "key", 2).await;
}

pub(super) async fn many(subject: Subject) {
    let driver = subject.driver();
    const FENCES: u64 = 24;
    let tasks = (1..=FENCES).map(|number| {
        let driver = driver.clone();
        // Not in their order.
        let fence = number * 7 % (FENCES + 1);
        tokio::spawn(async move {
            let answer = write(&*driver, "key", &fence.to_string(), fence).await;
            (fence, answer.map(drop).map_err(|error| error.kind()))
        })
    });
    for task in join_all(tasks).await {
        let (fence, answer) = task.expect("a task");
        let is_fair = answer.is_ok() || (fence < FENCES && answer == Err(Kind::Conflict));
        assert!(is_fair, "{fence}: {answer:?}");
    }
    let expected = Some(FENCES.to_string());
    assert_eq!(value(&*driver, "key").await, expected);
    check_mark(&*driver, "key", FENCES).await;
}

pub(super) async fn restart(mut subject: Subject) {
    written(&*subject.driver(), "key", "1", 7).await;
    written(&*subject.driver(), "plain", "1", 7).await;
    put(&*subject.driver(), "plain", "2").await;
    subject.reopen().await;
    check_mark(&*subject.driver(), "plain", 7).await;
    check_mark(&*subject.driver(), "key", 7).await;
    written(&*subject.driver(), "key", "2", 9).await;
    subject.reopen().await;
    check_mark(&*subject.driver(), "key", 9).await;
}
