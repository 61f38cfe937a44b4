//! Messages that are not to be seen yet.

use super::{Subject, steps::*};
use std::time::{Duration, Instant};
use wythe_blocks::pubsub::Message;

const DELAY: Duration = Duration::from_millis(400);

fn delayed(text: &str) -> Message {
    Message {
        delay: Some(DELAY),
        ..message_of(text)
    }
}

pub(super) async fn message(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let published = Instant::now();
    publish(&*driver, "topic", delayed("later")).await;
    let received = pull_one(&*consumer).await;
    assert!(
        published.elapsed() >= DELAY,
        "after {:?}",
        published.elapsed()
    );
    assert_eq!((text(&received).as_str(), received.attempt), ("later", 1));
}

pub(super) async fn redelivery(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish(&*driver, "topic", super::steps::message("again")).await;
    let first = pull_one(&*consumer).await;
    let refused = Instant::now();
    nack(&*consumer, &first, DELAY).await;
    let second = pull_one(&*consumer).await;
    assert!(refused.elapsed() >= DELAY, "after {:?}", refused.elapsed());
    assert_eq!(second.attempt, 2);
}

pub(super) async fn others(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    let long = Message {
        delay: Some(Duration::from_secs(3_600)),
        ..message_of("never")
    };
    publish(&*driver, "topic", long).await;
    publish(&*driver, "topic", delayed("second")).await;
    publish(&*driver, "topic", message_of("first")).await;
    assert_eq!(texts(&take(&*consumer, 2).await), ["first", "second"]);
    expect_quiet(&*consumer).await;
}

fn message_of(text: &str) -> Message {
    super::steps::message(text)
}
