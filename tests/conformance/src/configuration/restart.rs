//! The items that a restart keeps.

use super::{
    Subject,
    steps::{delete, get, hold, new, set, version},
};
use wythe_blocks::Kind;

pub(super) async fn persists(mut subject: Subject) {
    hold(&subject).await;
    delete(&*subject.driver(), &["lines"]).await;
    let before = get(&*subject.driver(), &[]).await;
    let version_before = version(&*subject.driver()).await;
    subject.reopen().await;
    assert_eq!(get(&*subject.driver(), &[]).await, before);
    assert_eq!(version(&*subject.driver()).await, version_before);
}

pub(super) async fn versions(mut subject: Subject) {
    let mut seen = Vec::new();
    for round in 0..3 {
        let driver = subject.driver();
        set(&*driver, vec![new("a", round.to_string())]).await;
        seen.push(version(&*driver).await);
        let items = get(&*driver, &["a"]).await;
        seen.push(format!("item {}", items[0].version));
        // The last change is a deletion, of which nothing is left but the version.
        delete(&*driver, &["a"]).await;
        seen.push(version(&*driver).await);
        subject.reopen().await;
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "{seen:?}");
}

pub(super) async fn closed(mut subject: Subject) {
    hold(&subject).await;
    let old = subject.driver();
    subject.reopen().await;
    let kind = |error: wythe_blocks::Error| error.kind();
    assert_eq!(old.get(&[]).await.map_err(kind), Err(Kind::Unavailable));
    assert_eq!(old.version().await.map_err(kind), Err(Kind::Unavailable));
    let set = old.set(vec![new("flag", "off")]).await;
    assert_eq!(set.map_err(kind), Err(Kind::Unavailable));
}
