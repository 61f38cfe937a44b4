//! The writes: what is written is there, all of it or nothing.

use super::{
    HELD, Subject,
    steps::{delete, get, held, hold, new, pairs, set, version},
};
use futures::future::join_all;
use std::collections::BTreeSet;
use wythe_blocks::configuration::NewItem;

pub(super) async fn empty(subject: Subject) {
    assert_eq!(get(&*subject.driver(), &[]).await, []);
    assert_eq!(get(&*subject.driver(), &["flag"]).await, []);
}

pub(super) async fn metadata(subject: Subject) {
    let driver = subject.driver();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let metadata = vec![pair("owner", "ada"), pair("note", "\u{e9} \"x\"")];
    let item = NewItem {
        metadata: metadata.clone(),
        ..new("flag", "on")
    };
    set(&*driver, vec![item, new("plain", "on")]).await;
    let items = get(&*driver, &[]).await;
    assert_eq!(items[0].metadata, metadata);
    assert_eq!(items[1].metadata, []);
    set(&*driver, vec![new("flag", "on")]).await;
    let changed = get(&*driver, &["flag"]).await;
    assert_eq!(changed[0].metadata, []);
    assert_ne!(changed[0].version, items[0].version, "it has changed");
}

pub(super) async fn deleted(subject: Subject) {
    hold(&subject).await;
    let driver = subject.driver();
    delete(&*driver, &["flag", "lines"]).await;
    let mut expected = held();
    expected.retain(|(key, _)| key != "flag" && key != "lines");
    assert_eq!(pairs(&*driver, &[]).await, expected);
    set(&*driver, vec![new("flag", "again")]).await;
    let found = pairs(&*driver, &["flag"]).await;
    assert_eq!(found, [("flag".to_owned(), "again".to_owned())]);
}

pub(super) async fn absent(subject: Subject) {
    hold(&subject).await;
    let driver = subject.driver();
    let before = version(&*driver).await;
    delete(&*driver, &["nothing"]).await;
    assert_eq!(version(&*driver).await, before, "nothing has changed");
    delete(&*driver, &["nothing", "flag", "flag"]).await;
    assert_eq!(pairs(&*driver, &["flag"]).await, []);
}

pub(super) async fn large(subject: Subject) {
    let driver = subject.driver();
    let (key, value) = ("k".repeat(1_024), "v\u{e9}".repeat(20_000));
    set(&*driver, vec![new(&key, &value), new("x", "y")]).await;
    let found = pairs(&*driver, &[&key]).await;
    assert!(found == [(key, value)], "it comes back as it was");
}

pub(super) async fn many(subject: Subject) {
    let driver = subject.driver();
    let mut expected: Vec<_> = (0..2_000)
        .map(|number| (format!("key-{}", number * 7 % 2_000), number.to_string()))
        .collect();
    for chunk in expected.chunks(500) {
        let items = chunk.iter().map(|(key, value)| new(key, value));
        set(&*driver, items.collect()).await;
    }
    expected.sort();
    assert_eq!(pairs(&*driver, &[]).await, expected);
}

/// Two items always change together.
pub(super) async fn whole(subject: Subject) {
    const ROUNDS: u32 = 50;
    let driver = subject.driver();
    let write = |number: u32| {
        ["left", "right"]
            .map(|key| new(key, number.to_string()))
            .into()
    };
    set(&*driver, write(0)).await;
    let writer = {
        let driver = driver.clone();
        tokio::spawn(async move {
            for number in 1..=ROUNDS {
                set(&*driver, write(number)).await;
            }
        })
    };
    let mut seen = BTreeSet::new();
    while !writer.is_finished() {
        let found = pairs(&*driver, &["left", "right"]).await;
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].1, found[1].1, "half a change");
        seen.insert(found[0].1.clone());
    }
    assert!(!seen.is_empty(), "the reader came too late");
    writer.await.expect("no panic");
}

pub(super) async fn concurrent(subject: Subject) {
    let writers = HELD.map(|(key, value)| {
        let driver = subject.driver();
        async move {
            for round in 0..5 {
                set(&*driver, vec![new(format!("{key}-{round}"), value)]).await;
            }
            set(&*driver, vec![new(key, value)]).await;
            for round in 0..5 {
                delete(&*driver, &[&format!("{key}-{round}")]).await;
            }
        }
    });
    join_all(writers).await;
    assert_eq!(pairs(&*subject.driver(), &[]).await, held());
}
