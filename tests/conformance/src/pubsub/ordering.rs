//! Messages with one ordering key are handled one after the other.

use super::{Subject, steps::*};
use std::{collections::HashMap, time::Duration};

const KEYS: [&str; 3] = ["a", "b", "c"];

/// Publishes the numbers from 0 to before `count` under each key, mixed.
async fn publish_mixed(subject: &Subject, count: usize) {
    let driver = subject.driver();
    for number in 0..count {
        for key in KEYS {
            publish(&*driver, "topic", keyed(number, key)).await;
        }
    }
}

/// The messages that were acknowledged, by key, in order.
#[derive(Default)]
struct Seen(HashMap<String, Vec<String>>);

impl Seen {
    fn add(&mut self, received: &wythe_blocks::pubsub::Received) {
        let key = received.message.ordering_key.clone().expect("a key");
        self.0.entry(key).or_default().push(text(received));
    }

    fn count(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    fn check(&self, count: usize) {
        for key in KEYS {
            assert_eq!(self.0[key], numbers(0, count), "key {key}");
        }
    }
}

pub(super) async fn order(subject: Subject) {
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    publish_mixed(&subject, 10).await;
    let mut seen = Seen::default();
    while seen.count() < 30 {
        for received in pull(&*consumer, 7).await {
            seen.add(&received);
            ack(&*consumer, &received).await;
        }
    }
    seen.check(10);
}

pub(super) async fn redelivery(subject: Subject) {
    let consumer = subscribe(&*subject.driver(), "topic", "group").await;
    publish_mixed(&subject, 10).await;
    let mut seen = Seen::default();
    let mut count = 0;
    while seen.count() < 30 {
        for received in pull(&*consumer, 7).await {
            count += 1;
            if count % 3 == 0 {
                nack(&*consumer, &received, Duration::from_millis(count % 20)).await;
            } else {
                seen.add(&received);
                ack(&*consumer, &received).await;
            }
        }
    }
    seen.check(10);
}

pub(super) async fn two_consumers(subject: Subject) {
    let driver = subject.driver();
    let consumers = [
        subscribe(&*driver, "topic", "group").await,
        subscribe(&*driver, "topic", "group").await,
    ];
    publish_mixed(&subject, 10).await;
    let mut seen = Seen::default();
    while seen.count() < 30 {
        for consumer in &consumers {
            let Ok(pulled) = tokio::time::timeout(QUIET, consumer.pull(2)).await else {
                continue;
            };
            for received in pulled.expect("a pull") {
                seen.add(&received);
                ack(&**consumer, &received).await;
            }
        }
    }
    seen.check(10);
}

pub(super) async fn one_out(subject: Subject) {
    let driver = subject.driver();
    let consumers = [
        subscribe(&*driver, "topic", "group").await,
        subscribe(&*driver, "topic", "group").await,
    ];
    for number in 0..3 {
        publish(&*driver, "topic", keyed(number, "key")).await;
    }
    let first = pull_one(&*consumers[0]).await;
    expect_quiet(&*consumers[0]).await;
    expect_quiet(&*consumers[1]).await;
    nack(&*consumers[0], &first, QUIET * 3).await;
    expect_quiet(&*consumers[1]).await;
    let again = pull_one(&*consumers[1]).await;
    assert_eq!((text(&again).as_str(), again.attempt), ("0", 2));
    ack(&*consumers[1], &again).await;
    assert_eq!(text(&pull_one(&*consumers[0]).await), "1");
}

pub(super) async fn others(subject: Subject) {
    let driver = subject.driver();
    let consumer = subscribe(&*driver, "topic", "group").await;
    publish(&*driver, "topic", keyed(0, "held")).await;
    let held = pull_one(&*consumer).await;
    publish(&*driver, "topic", keyed(1, "held")).await;
    publish(&*driver, "topic", keyed(2, "free")).await;
    publish(&*driver, "topic", message(3)).await;
    assert_eq!(sorted(texts(&take(&*consumer, 2).await)), ["2", "3"]);
    ack(&*consumer, &held).await;
    assert_eq!(texts(&take(&*consumer, 1).await), ["1"]);
}
