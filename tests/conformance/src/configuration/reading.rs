//! Items are found by their exact keys, in order, and stay what they are.

use super::{
    HELD, Subject,
    steps::{get, held, hold, new, pairs, texts, version},
};
use futures::future::join_all;
use wythe_blocks::Kind;

pub(super) async fn values(subject: Subject) {
    hold(&subject).await;
    for (key, value) in HELD {
        let found = pairs(&*subject.driver(), &[key]).await;
        assert_eq!(found, [(key.to_owned(), value.to_owned())]);
    }
}

pub(super) async fn all(subject: Subject) {
    hold(&subject).await;
    assert_eq!(pairs(&*subject.driver(), &[]).await, held());
}

pub(super) async fn asked(subject: Subject) {
    hold(&subject).await;
    let found = get(
        &*subject.driver(),
        &["flag", "FLAG", "nothing", "empty", "flag"],
    )
    .await;
    let keys: Vec<_> = found.iter().map(|item| item.key.as_str()).collect();
    assert_eq!(keys, ["FLAG", "empty", "flag"]);
}

pub(super) async fn absent(subject: Subject) {
    hold(&subject).await;
    let long = "x".repeat(1_024);
    let keys = ["nothing", "nothing/../here", "*", " ", long.as_str()];
    assert_eq!(get(&*subject.driver(), &keys).await, []);
}

/// A prefix, another case and spaces around are other keys.
pub(super) async fn exact(subject: Subject) {
    hold(&subject).await;
    let keys = ["fla", "Flag", " flag", "flag ", "flag.", "COLOUR"];
    assert_eq!(get(&*subject.driver(), &keys).await, []);
}

pub(super) async fn stable(subject: Subject) {
    hold(&subject).await;
    let driver = subject.driver();
    let (version_before, before) = (version(&*driver).await, get(&*driver, &[]).await);
    assert!(!version_before.is_empty());
    for item in &before {
        assert!(!item.version.is_empty(), "`{}` has a version", item.key);
        assert_eq!(
            get(&*driver, &[&item.key]).await,
            std::slice::from_ref(item)
        );
    }
    assert_eq!(get(&*driver, &[]).await, before);
    assert_eq!(version(&*driver).await, version_before);
}

pub(super) async fn concurrent(subject: Subject) {
    hold(&subject).await;
    let asked = (0..100).map(|turn| {
        let (key, value) = HELD[turn % HELD.len()];
        let driver = subject.driver();
        async move {
            let found = pairs(&*driver, &[key]).await;
            assert_eq!(found, [(key.to_owned(), value.to_owned())]);
        }
    });
    join_all(asked).await;
}

pub(super) async fn refused(subject: Subject) {
    let driver = subject.driver();
    let set = driver.set(vec![new("flag", "off")]).await;
    assert_eq!(set.map_err(|error| error.kind()), Err(Kind::Unsupported));
    let deleted = driver.delete(texts(&["flag"])).await;
    assert_eq!(
        deleted.map_err(|error| error.kind()),
        Err(Kind::Unsupported)
    );
    assert_eq!(pairs(&*driver, &[]).await, held());
}
