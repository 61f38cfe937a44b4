//! Many entries at once, each with its own answer.

use super::{Subject, steps::*};
use wythe_blocks::{
    Key, Kind,
    state::{Condition, Put},
};

pub(super) async fn get_many(subject: Subject) {
    let driver = subject.driver();
    put(&*driver, "a", "1").await;
    put(&*driver, "c", "3").await;
    let keys = ["c", "b", "a", "c"].map(Key::from);
    let answers = driver.get_many(keys.into()).await;
    let values: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.expect("a get").map(|entry| text(&entry)))
        .collect();
    let expected = [Some("3"), None, Some("1"), Some("3")].map(|value| value.map(str::to_owned));
    assert_eq!(values, expected);
}

pub(super) async fn put_many(subject: Subject) {
    let driver = subject.driver();
    let puts = (0..100).map(|number| Put::new(format!("key{number}"), number.to_string()));
    let answers = driver.put_many(puts.collect()).await;
    assert_eq!(answers.len(), 100);
    for (number, answer) in answers.into_iter().enumerate() {
        let entry = get(&*driver, &format!("key{number}"))
            .await
            .expect("an entry");
        assert_eq!(
            (text(&entry), entry.etag),
            (number.to_string(), answer.expect("a put"))
        );
    }
}

pub(super) async fn partial(subject: Subject) {
    let driver = subject.driver();
    let right = put(&*driver, "right", "old").await;
    put(&*driver, "wrong", "old").await;
    put(&*driver, "there", "old").await;
    let puts = vec![
        conditional("right", "new", Condition::Matches(right)),
        conditional(
            "wrong",
            "new",
            Condition::Matches("0000000000000000".into()),
        ),
        conditional("there", "new", Condition::Absent),
        conditional("free", "new", Condition::Absent),
    ];
    let kinds: Vec<_> = driver
        .put_many(puts)
        .await
        .into_iter()
        .map(|answer| answer.err().map(|e| e.kind()))
        .collect();
    assert_eq!(
        kinds,
        [None, Some(Kind::Conflict), Some(Kind::Conflict), None]
    );
    for (key, expected) in [
        ("right", "new"),
        ("wrong", "old"),
        ("there", "old"),
        ("free", "new"),
    ] {
        assert_eq!(
            value(&*driver, key).await.as_deref(),
            Some(expected),
            "{key}"
        );
    }
}

pub(super) async fn empty(subject: Subject) {
    let driver = subject.driver();
    assert!(driver.get_many(Vec::new()).await.is_empty());
    assert!(driver.put_many(Vec::new()).await.is_empty());
}

pub(super) async fn deletes(subject: Subject) {
    let driver = subject.driver();
    let keys: Vec<_> = (0..50).map(|number| format!("key{number}")).collect();
    let answers = driver
        .put_many(keys.iter().map(|key| Put::new(key.clone(), "v")).collect())
        .await;
    assert!(answers.iter().all(Result::is_ok));
    let deletes = keys.iter().map(|key| delete(&*driver, key));
    futures::future::join_all(deletes).await;
    let left = driver.get_many(keys.iter().map(Key::from).collect()).await;
    assert!(
        left.into_iter()
            .all(|answer| answer.expect("a get").is_none())
    );
}
