//! Steps that many cases take.

use bytes::Bytes;
use std::time::Duration;
use wythe_blocks::pubsub::{Consumer, Driver, Message, Received, SubscribeOptions};

pub(super) type BoxedConsumer = Box<dyn Consumer>;

/// The time within which what is ready arrives, even on a busy machine.
pub(super) const SOON: Duration = Duration::from_secs(60);
/// The time within which what must not arrive would have arrived.
pub(super) const QUIET: Duration = Duration::from_millis(200);

pub(super) async fn subscribe(driver: &dyn Driver, topic: &str, group: &str) -> BoxedConsumer {
    driver
        .subscribe(topic, group, SubscribeOptions::default())
        .await
        .expect("a seat")
}

pub(super) async fn sit_ephemeral(driver: &dyn Driver, topic: &str, group: &str) -> BoxedConsumer {
    let options = SubscribeOptions {
        ephemeral: true,
        ..SubscribeOptions::default()
    };
    driver
        .subscribe(topic, group, options)
        .await
        .expect("a seat")
}

pub(super) fn message(text: impl ToString) -> Message {
    Message {
        data: Bytes::from(text.to_string()),
        content_type: "text/plain".into(),
        ..Message::default()
    }
}

pub(super) fn keyed(text: impl ToString, key: &str) -> Message {
    Message {
        ordering_key: Some(key.to_owned()),
        ..message(text)
    }
}

pub(super) async fn publish(driver: &dyn Driver, topic: &str, message: Message) {
    driver.publish(topic, message).await.expect("a publish");
}

/// Publishes the numbers from `start` to before `end`.
pub(super) async fn publish_numbers(driver: &dyn Driver, topic: &str, start: usize, end: usize) {
    let messages = (start..end).map(message).collect();
    let answers = driver.publish_many(topic, messages).await;
    assert_eq!(answers.len(), end - start);
    assert!(answers.iter().all(Result::is_ok));
}

pub(super) fn text(received: &Received) -> String {
    String::from_utf8(received.message.data.to_vec()).expect("a text")
}

pub(super) fn texts(received: &[Received]) -> Vec<String> {
    received.iter().map(text).collect()
}

pub(super) fn numbers(start: usize, end: usize) -> Vec<String> {
    (start..end).map(|number| number.to_string()).collect()
}

pub(super) async fn pull(consumer: &dyn Consumer, max: usize) -> Vec<Received> {
    let pulled = tokio::time::timeout(SOON, consumer.pull(max))
        .await
        .expect("a message in time")
        .expect("a pull");
    assert!(
        !pulled.is_empty() && pulled.len() <= max,
        "{} messages where {max} were asked",
        pulled.len()
    );
    pulled
}

pub(super) async fn pull_one(consumer: &dyn Consumer) -> Received {
    pull(consumer, 1).await.remove(0)
}

pub(super) async fn ack(consumer: &dyn Consumer, received: &Received) {
    for answer in consumer.ack(vec![received.receipt.clone()]).await {
        answer.expect("an ack");
    }
}

pub(super) async fn nack(consumer: &dyn Consumer, received: &Received, delay: Duration) {
    consumer
        .nack(received.receipt.clone(), delay)
        .await
        .expect("a nack");
}

/// Pulls and acknowledges so many messages.
pub(super) async fn take(consumer: &dyn Consumer, count: usize) -> Vec<Received> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let pulled = pull(consumer, count - taken.len()).await;
        let answers = consumer
            .ack(
                pulled
                    .iter()
                    .map(|received| received.receipt.clone())
                    .collect(),
            )
            .await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        taken.extend(pulled);
    }
    taken
}

pub(super) async fn expect_quiet(consumer: &dyn Consumer) {
    if let Ok(pulled) = tokio::time::timeout(QUIET, consumer.pull(10)).await {
        panic!("expected no message: {:?}", texts(&pulled.expect("a pull")));
    }
}

pub(super) fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort_by_key(|text| text.parse::<usize>().ok());
    texts
}
