//! Adding to a number.

use super::{Subject, steps::*};
use wythe_blocks::{Kind, state::Driver};

async fn add(driver: &dyn Driver, delta: i64) -> i64 {
    driver
        .increment(&"n".into(), delta)
        .await
        .expect("an increment")
}

pub(super) async fn from_absent(subject: Subject) {
    let driver = subject.driver();
    assert_eq!(add(&*driver, 5).await, 5);
    assert_eq!(add(&*driver, 2).await, 7);
    assert_eq!(value(&*driver, "n").await.as_deref(), Some("7"));
    assert_eq!(add(&*driver, 0).await, 7);
}

pub(super) async fn negative(subject: Subject) {
    let driver = subject.driver();
    assert_eq!(add(&*driver, -3).await, -3);
    assert_eq!(value(&*driver, "n").await.as_deref(), Some("-3"));
    put(&*driver, "n", "-9223372036854775807").await;
    assert_eq!(add(&*driver, -1).await, i64::MIN);
    assert_eq!(add(&*driver, i64::MAX).await, -1);
}

pub(super) async fn overflow(subject: Subject) {
    let driver = subject.driver();
    for (start, delta) in [(i64::MAX, 1), (i64::MIN, -1), (1, i64::MAX)] {
        put(&*driver, "n", &start.to_string()).await;
        assert_eq!(
            kind(driver.increment(&"n".into(), delta).await),
            Kind::Invalid
        );
        assert_eq!(value(&*driver, "n").await, Some(start.to_string()));
    }
}

pub(super) async fn no_integer(subject: Subject) {
    let driver = subject.driver();
    for text in [
        "",
        "one",
        "1.5",
        "0x10",
        "9223372036854775808",
        "\"1\"",
        "1 2",
    ] {
        put(&*driver, "n", text).await;
        assert_eq!(
            kind(driver.increment(&"n".into(), 1).await),
            Kind::Invalid,
            "{text:?}"
        );
        assert_eq!(value(&*driver, "n").await.as_deref(), Some(text));
    }
}

pub(super) async fn is_a_write(subject: Subject) {
    let driver = subject.driver();
    let before = put(&*driver, "n", "1").await;
    add(&*driver, 1).await;
    assert_ne!(get(&*driver, "n").await.expect("an entry").etag, before);
}
