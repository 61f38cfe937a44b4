//! Steps that the cases are made of.

use super::{HELD, Subject};
use wythe_blocks::configuration::{Driver, Item, NewItem};

pub(super) fn new(key: impl Into<String>, value: impl Into<String>) -> NewItem {
    NewItem {
        key: key.into(),
        value: value.into(),
        metadata: Vec::new(),
    }
}

pub(super) fn texts(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

pub(super) async fn get(driver: &dyn Driver, keys: &[&str]) -> Vec<Item> {
    let items = driver.get(&texts(keys)).await;
    items.expect("the store can be read")
}

/// Keys and values.
pub(super) async fn pairs(driver: &dyn Driver, keys: &[&str]) -> Vec<(String, String)> {
    let items = get(driver, keys).await.into_iter();
    items.map(|item| (item.key, item.value)).collect()
}

pub(super) async fn version(driver: &dyn Driver) -> String {
    driver.version().await.expect("the store has a version")
}

pub(super) async fn set(driver: &dyn Driver, items: Vec<NewItem>) {
    driver.set(items).await.expect("the store can be written");
}

pub(super) async fn delete(driver: &dyn Driver, keys: &[&str]) {
    let deleted = driver.delete(texts(keys)).await;
    deleted.expect("the store can be written");
}

/// The suite's items are there, by the driver itself or by writing them.
pub(super) async fn hold(subject: &Subject) {
    let driver = subject.driver();
    if driver.features().writable {
        let items = HELD.map(|(key, value)| new(key, value));
        set(&*driver, items.into()).await;
    }
}

/// The items as `pairs` tells them.
pub(super) fn held() -> Vec<(String, String)> {
    let owned = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    HELD.map(owned).into()
}
