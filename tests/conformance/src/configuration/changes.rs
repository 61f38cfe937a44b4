//! Versions tell of every change, and whoever waits for one hears of it.

use super::{
    Subject,
    steps::{delete, get, hold, new, set, texts, version},
};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::timeout;

/// Ten times what the slowest way to notice a change takes.
const SOON: Duration = Duration::from_secs(60);
/// A time longer than between two looks of a driver that cannot wait by itself.
const WHILE: Duration = Duration::from_millis(2_500);

pub(super) async fn old(subject: Subject) {
    hold(&subject).await;
    let waited = timeout(SOON, async {
        subject.driver().wait("of another time").await
    })
    .await;
    waited.expect("it is not that one").expect("a good answer");
}

pub(super) async fn still(subject: Subject) {
    hold(&subject).await;
    let driver = subject.driver();
    let now = version(&*driver).await;
    let waited = timeout(WHILE, driver.wait(&now)).await;
    assert!(waited.is_err(), "nothing has changed");
}

pub(super) async fn ends(subject: Subject) {
    hold(&subject).await;
    let driver = subject.driver();
    let before = version(&*driver).await;
    let waiting = {
        let (driver, before) = (driver.clone(), before.clone());
        tokio::spawn(async move { timeout(SOON, driver.wait(&before)).await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waiting.is_finished(), "nothing has changed yet");
    set(&*driver, vec![new("flag", "off")]).await;
    let waited = waiting.await.expect("no panic");
    waited
        .expect("the change is noticed")
        .expect("a good answer");
    assert_ne!(version(&*driver).await, before);
}

pub(super) async fn dropped(subject: Subject) {
    hold(&subject).await;
    let driver = subject.driver();
    let before = version(&*driver).await;
    let waited = timeout(Duration::from_millis(20), driver.wait(&before)).await;
    assert!(waited.is_err(), "nothing has changed");
    set(&*driver, vec![new("flag", "off")]).await;
    for _ in 0..2 {
        let waited = timeout(SOON, driver.wait(&before)).await;
        waited.expect("it is over").expect("a good answer");
    }
}

pub(super) async fn versions(subject: Subject) {
    let driver = subject.driver();
    let mut seen = BTreeSet::new();
    let mut note = |version: String| assert!(seen.insert(version), "a version came back");
    note(version(&*driver).await);
    for number in 0..5 {
        set(&*driver, vec![new("a", number.to_string())]).await;
        note(version(&*driver).await);
    }
    set(&*driver, vec![new("b", "")]).await;
    note(version(&*driver).await);
    delete(&*driver, &["a"]).await;
    note(version(&*driver).await);
}

pub(super) async fn others(subject: Subject) {
    hold(&subject).await;
    let driver = subject.driver();
    let mut before = get(&*driver, &[]).await;
    set(&*driver, vec![new("flag", "off")]).await;
    let after = get(&*driver, &[]).await;
    let place = before.iter().position(|item| item.key == "flag");
    let place = place.expect("it is there");
    assert_ne!(after[place].version, before[place].version);
    before[place] = after[place].clone();
    assert_eq!(after, before);
    let deleted = driver.delete(texts(&["flag"])).await;
    deleted.expect("the store can be written");
    before.remove(place);
    assert_eq!(get(&*driver, &[]).await, before);
}
