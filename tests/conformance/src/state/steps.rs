//! Steps that many cases take.

use std::{fmt::Debug, time::Duration};
use wythe_blocks::{
    Kind, Result,
    state::{Condition, Delete, Driver, Entry, Etag, Operation, Put, PutOptions},
};

pub(super) async fn put(driver: &dyn Driver, key: &str, value: &str) -> Etag {
    driver
        .put(Put::new(key, value.to_owned()))
        .await
        .expect("a put")
}

pub(super) async fn put_if(
    driver: &dyn Driver,
    key: &str,
    value: &str,
    condition: Condition,
) -> Result<Etag> {
    driver.put(conditional(key, value, condition)).await
}

pub(super) fn conditional(key: &str, value: &str, condition: Condition) -> Put {
    let options = PutOptions {
        condition,
        ..PutOptions::default()
    };
    Put {
        options,
        ..Put::new(key, value.to_owned())
    }
}

pub(super) fn lasting(key: &str, value: &str, ttl: Duration) -> Put {
    let options = PutOptions {
        ttl: Some(ttl),
        ..PutOptions::default()
    };
    Put {
        options,
        ..Put::new(key, value.to_owned())
    }
}

pub(super) async fn get(driver: &dyn Driver, key: &str) -> Option<Entry> {
    driver.get(&key.into()).await.expect("a get")
}

/// The value as text.
pub(super) async fn value(driver: &dyn Driver, key: &str) -> Option<String> {
    get(driver, key).await.map(|entry| text(&entry))
}

pub(super) fn text(entry: &Entry) -> String {
    String::from_utf8(entry.value.to_vec()).expect("a text")
}

pub(super) async fn delete(driver: &dyn Driver, key: &str) {
    delete_if(driver, key, Condition::Always)
        .await
        .expect("a delete");
}

pub(super) async fn delete_if(driver: &dyn Driver, key: &str, condition: Condition) -> Result<()> {
    driver
        .delete(Delete {
            key: key.into(),
            condition,
        })
        .await
}

pub(super) fn putting(key: &str, value: &str) -> Operation {
    Operation::Put(Put::new(key, value.to_owned()))
}

pub(super) fn deleting(key: &str) -> Operation {
    Operation::Delete(Delete {
        key: key.into(),
        condition: Condition::Always,
    })
}

pub(super) fn kind(result: Result<impl Debug>) -> Kind {
    result.expect_err("an error").kind()
}

/// All keys with the prefix, over all pages.
pub(super) async fn keys(driver: &dyn Driver, prefix: &str, limit: u32) -> Vec<String> {
    let mut keys = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let page = driver
            .list(prefix, cursor.as_deref(), limit)
            .await
            .expect("a list");
        assert!(
            page.entries.len() <= limit as usize,
            "{} entries in a page of {limit}",
            page.entries.len()
        );
        keys.extend(page.entries.into_iter().map(|(key, _)| key));
        match page.next {
            Some(next) => {
                assert!(cursor.as_ref() < Some(&next), "the cursor goes forward");
                cursor = Some(next);
            }
            None => return keys,
        }
    }
}
