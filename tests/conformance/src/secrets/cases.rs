//! The duties of every secret store.

use super::{EMPTY, SEVERAL, STORED, Subject};
use futures::future::join_all;
use wythe_blocks::secrets::{Driver, Found};

async fn found(driver: &dyn Driver, name: &str) -> Option<Found> {
    driver.get(name, &[]).await.expect("the store can be read")
}

fn check(name: &str, value: &str, found: Option<Found>) {
    let found = found.unwrap_or_else(|| panic!("`{name}` is there"));
    let names: Vec<_> = found.values.keys().map(String::as_str).collect();
    assert_eq!(names, [name], "one value, named like the secret");
    assert_eq!(
        found.values[name].reveal(),
        value.as_bytes(),
        "the value of `{name}`"
    );
}

pub(super) async fn values(subject: Subject) {
    for (name, value) in STORED {
        check(name, value, found(&*subject.driver(), name).await);
    }
}

pub(super) async fn empty(subject: Subject) {
    check(EMPTY, "", found(&*subject.driver(), EMPTY).await);
}

pub(super) async fn absent(subject: Subject) {
    let long = "x".repeat(1_024);
    for name in ["NOTHING", "nothing/../here", "*", " ", long.as_str()] {
        assert_eq!(found(&*subject.driver(), name).await, None, "`{name}`");
    }
}

/// A prefix, another case and spaces around are other names.
pub(super) async fn exact(subject: Subject) {
    for name in ["PASS", "password", "Password", " PASSWORD", "PASSWORD "] {
        assert_eq!(found(&*subject.driver(), name).await, None, "`{name}`");
    }
    let driver = subject.driver();
    check("TOKEN", STORED[3].1, found(&*driver, "TOKEN").await);
    check("token", STORED[4].1, found(&*driver, "token").await);
}

pub(super) async fn metadata(subject: Subject) {
    let metadata = [("x-of-another-driver".to_owned(), "1".to_owned())];
    let answer = subject.driver().get("PASSWORD", &metadata).await;
    check("PASSWORD", STORED[1].1, answer.expect("it is passed over"));
}

async fn reported(subject: &Subject) -> Vec<String> {
    let names = subject.driver().names().await;
    names.expect("the names are told")
}

pub(super) async fn names(subject: Subject) {
    let mut names = reported(&subject).await;
    assert!(names.is_sorted(), "{names:?}");
    // Whether it has the secret of several values, and under which names, is the driver's to say.
    names.retain(|name| name != EMPTY && !name.starts_with(SEVERAL.0));
    assert_eq!(names, STORED.map(|(name, _)| name));
}

pub(super) async fn named(subject: Subject) {
    for name in reported(&subject).await {
        assert!(
            found(&*subject.driver(), &name).await.is_some(),
            "`{name}` was told"
        );
    }
}

pub(super) async fn several(subject: Subject) {
    let (name, values) = SEVERAL;
    let found = found(&*subject.driver(), name).await.expect("it is there");
    let values = values.map(|(key, value)| (key, value.as_bytes()));
    let has: Vec<_> = found.values.iter().collect();
    let has: Vec<_> = has.iter().map(|(k, v)| (k.as_str(), v.reveal())).collect();
    assert_eq!(has, values);
}

pub(super) async fn concurrent(subject: Subject) {
    let driver = subject.driver();
    let asked = (0..100).map(|turn| {
        let (name, value) = STORED[turn % STORED.len()];
        let driver = driver.clone();
        async move { check(name, value, found(&*driver, name).await) }
    });
    join_all(asked).await;
}

pub(super) async fn hidden(subject: Subject) {
    let found = found(&*subject.driver(), "PASSWORD").await;
    assert!(!format!("{found:?}").contains(STORED[1].1));
}

pub(super) async fn restart(mut subject: Subject) {
    subject.reopen().await;
    values(subject).await;
}
