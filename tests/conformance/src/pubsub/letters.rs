//! Dead letters, and what operators see and do.

use super::{BACKLOG, Subject, steps::*};
use std::time::{Duration, SystemTime};
use wythe_blocks::{
    Kind,
    pubsub::{Consumer, Driver, Group, Received},
};

async fn bury(consumer: &dyn Consumer, received: &Received, topic: &str, letter: &str) {
    let buried = consumer.bury(received.receipt.clone(), topic, message(letter));
    buried.await.expect("a burial");
}

async fn group(driver: &dyn Driver, topic: &str, name: Option<&str>) -> Option<Group> {
    let groups = driver.groups().await.expect("the groups");
    let mut groups = groups.into_iter();
    groups.find(|group| group.topic == topic && group.name.as_deref() == name)
}

pub(super) async fn buried(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let other = subscribe(&*driver, "topic", "other").await;
    let dead = subscribe(&*driver, "dead", "group").await;
    publish(&*driver, "topic", keyed(0, "key")).await;
    publish(&*driver, "topic", keyed(1, "key")).await;
    let received = pull_one(&*consumer).await;
    bury(&*consumer, &received, "dead", "letter").await;
    let again = consumer.bury(received.receipt.clone(), "dead", message("again"));
    assert_eq!(again.await.expect_err("an error").kind(), Kind::NotFound);
    assert_eq!(texts(&take(&*consumer, 1).await), ["1"]);
    assert_eq!(texts(&take(&*dead, 1).await), ["letter"]);
    expect_quiet(&*dead).await;
    assert_eq!(sorted(texts(&take(&*other, 2).await)), numbers(0, 2));
}

pub(super) async fn over_the_limit(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let dead = subscribe(&*driver, "dead", "group").await;
    let _also = subscribe(&*driver, "dead", "also").await;
    publish_numbers(&*driver, "topic", 0, BACKLOG).await;
    for received in pull(&*consumer, 3).await {
        bury(&*consumer, &received, "dead", "letter").await;
    }
    assert_eq!(texts(&take(&*dead, 3).await), ["letter"; 3]);
    let full = driver.publish("topic", message("too much")).await;
    assert_eq!(full.expect_err("an error").kind(), Kind::Exhausted);
}

/// A message that is no letter is nobody's there, as ever.
pub(super) async fn held(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let ephemeral = sit_ephemeral(&*driver, "dead", "ephemeral").await;
    publish_numbers(&*driver, "topic", 0, 2).await;
    for received in pull(&*consumer, 1).await {
        bury(&*consumer, &received, "dead", &text(&received)).await;
    }
    assert_eq!(texts(&take(&*ephemeral, 1).await), ["0"]);
    publish(&*driver, "dead", message("nobody's")).await;
    let received = pull_one(&*consumer).await;
    bury(&*consumer, &received, "dead", "1").await;
    let stored = group(&*driver, "dead", None).await.expect("held letters");
    assert_eq!((stored.messages, stored.members), (2, 0));
    let first = subscribe(&*driver, "dead", "first").await;
    let second = subscribe(&*driver, "dead", "second").await;
    assert!(group(&*driver, "dead", None).await.is_none());
    assert_eq!(sorted(texts(&take(&*first, 2).await)), numbers(0, 2));
    expect_quiet(&*second).await;
    publish(&*driver, "dead", message("for all")).await;
    assert_eq!(texts(&take(&*first, 1).await), ["for all"]);
    assert_eq!(texts(&take(&*second, 1).await), ["for all"]);
}

pub(super) async fn held_across_a_restart(mut subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 1).await;
    let received = pull_one(&*consumer).await;
    bury(&*consumer, &received, "dead", "letter").await;
    subject.reopen().await;
    let driver = subject.driver();
    let dead = subscribe(&*driver, "dead", "reader").await;
    subject.reopen().await;
    drop((dead, consumer));
    let driver = subject.driver();
    let dead = subscribe(&*driver, "dead", "reader").await;
    assert_eq!(texts(&take(&*dead, 1).await), ["letter"]);
    expect_quiet(&*subscribe(&*driver, "topic", "group").await).await;
}

pub(super) async fn seen(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "topic", 0, 5).await;
    let out = pull_one(&*consumer).await;
    let seen = group(&*driver, "topic", Some("group")).await;
    let seen = seen.expect("the group");
    assert_eq!((seen.members, seen.messages, seen.out), (1, 5, 1));
    assert!(!seen.ephemeral && seen.bytes >= 5, "{seen:?}");
    let age = SystemTime::now().duration_since(seen.oldest.expect("a time"));
    assert!(age.unwrap_or_default() < Duration::from_secs(3_600));
    let list = async |after, limit| {
        let stored = driver.list("topic", Some("group"), after, limit);
        stored.await.expect("a list")
    };
    let (first, rest) = (list(0, 2).await, list(0, 100).await);
    assert_eq!(first, rest[..2]);
    let texts: Vec<_> = rest
        .iter()
        .map(|stored| stored.message.data.clone())
        .collect();
    assert_eq!(texts, numbers(0, 5));
    assert_eq!(list(rest[1].number, 100).await, rest[2..]);
    assert_eq!(rest[0].attempts, 1);
    ack(&*consumer, &out).await;
    assert_eq!(list(0, 100).await, rest[1..]);
    let nobody = driver.list("topic", Some("nobody"), 0, 1).await;
    assert_eq!(nobody.expect_err("an error").kind(), Kind::NotFound);
}

pub(super) async fn replaced(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "dead", "group").await;
    let back = subscribe(&*driver, "topic", "group").await;
    publish_numbers(&*driver, "dead", 0, 3).await;
    let out = pull_one(&*consumer).await;
    let stored = driver.list("dead", Some("group"), 0, 10).await;
    let stored = stored.expect("a list");
    let replace = async |number| {
        let replaced = driver.replace("dead", Some("group"), number, "topic", message("back"));
        replaced.await.map_err(|error| error.kind())
    };
    assert_eq!(replace(stored[0].number).await, Err(Kind::Conflict));
    assert_eq!(replace(stored[1].number).await, Ok(()));
    assert_eq!(replace(stored[1].number).await, Err(Kind::NotFound));
    assert_eq!(texts(&take(&*back, 1).await), ["back"]);
    ack(&*consumer, &out).await;
    assert_eq!(texts(&take(&*consumer, 1).await), ["2"]);
    expect_quiet(&*consumer).await;
}

pub(super) async fn purged(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let other = subscribe(&*driver, "topic", "other").await;
    for number in 0..3 {
        publish(&*driver, "topic", keyed(number, "key")).await;
    }
    publish_numbers(&*driver, "topic", 3, 5).await;
    let out = pull_one(&*consumer).await;
    let purge = async |remove| {
        let purged = driver.purge("topic", Some("group"), remove);
        purged.await.map_err(|error| error.kind())
    };
    assert_eq!(purge(true).await, Err(Kind::Conflict));
    assert_eq!(purge(false).await, Ok(4));
    ack(&*consumer, &out).await;
    expect_quiet(&*consumer).await;
    assert_eq!(sorted(texts(&take(&*other, 5).await)), numbers(0, 5));
}

/// A group that nobody reads any more fills the backlog until it is removed.
pub(super) async fn removed(subject: Subject) {
    let driver = subject.driver();
    drop(subscribe(&*driver, "topic", "abandoned").await);
    let _other = subscribe(&*driver, "other", "group").await;
    publish_numbers(&*driver, "topic", 0, BACKLOG).await;
    assert!(driver.publish("other", message("full")).await.is_err());
    let purged = driver.purge("topic", Some("abandoned"), true).await;
    assert_eq!(purged.expect("a purge"), BACKLOG as u64);
    assert!(group(&*driver, "topic", Some("abandoned")).await.is_none());
    publish_numbers(&*driver, "other", 0, BACKLOG).await;
    publish(&*driver, "topic", message("nobody's")).await;
    let consumer = subscribe(&*driver, "topic", "abandoned").await;
    expect_quiet(&*consumer).await;
}
