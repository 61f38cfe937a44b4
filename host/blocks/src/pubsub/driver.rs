//! What a pub/sub technology is asked. The host pulls; it acknowledges after the handler's verdict.

use crate::Result;
use async_trait::async_trait;
use bytes::Bytes;
use std::{collections::BTreeMap, time::Duration};

/// What a broker carries: the event's envelope, or a raw payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub data: Bytes,
    pub content_type: String,
    pub ordering_key: Option<String>,
    pub attributes: Vec<(String, String)>,
    /// Not visible before this long from now.
    pub delay: Option<Duration>,
}

/// Names one delivery to `ack` and `nack`; opaque to the host.
pub type Receipt = Vec<u8>;

#[derive(Clone, Debug)]
pub struct Received {
    pub message: Message,
    /// 1 on the first attempt.
    pub attempt: u32,
    pub receipt: Receipt,
}

/// What a driver can do; conformance proves it and the block relies on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    pub durable: bool,
    /// Messages with equal ordering keys are out one at a time, in order, redeliveries included.
    pub ordering: bool,
    pub delay: bool,
    pub max_message_bytes: u64,
}

impl Features {
    /// Whether a name of a manifest's `requires:` holds; absent for a name that is no feature.
    pub fn has(&self, name: &str) -> Option<bool> {
        Some(match name {
            "durable" => self.durable,
            "ordering" => self.ordering,
            "delay" => self.delay,
            _ => return None,
        })
    }

    pub const NAMES: [&'static str; 3] = ["durable", "ordering", "delay"];
}

#[async_trait]
pub trait Driver: Send + Sync {
    fn features(&self) -> Features;

    /// Returns once the message is as durable as the features promise, for every group there is.
    async fn publish(&self, topic: &str, message: Message) -> Result<()>;

    /// One result per message, in order.
    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            answers.push(self.publish(topic, message).await);
        }
        answers
    }

    /// Joins a consumer group. A new group gets what is published from now on; one that was there before gets
    /// what it has not acknowledged. `ephemeral` groups end with their last subscription.
    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Subscription>>;

    /// An error while the driver cannot do its work, and knows it without trying.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    /// Called once, after the last call; what was acknowledged is kept.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub struct SubscribeOptions {
    pub ephemeral: bool,
    pub metadata: BTreeMap<String, String>,
}

/// A seat in a consumer group. Dropping it gives back what it holds.
#[async_trait]
pub trait Subscription: Send + Sync {
    /// Waits for at least one message and returns up to `max`. Dropping the future loses none.
    async fn pull(&self, max: usize) -> Result<Vec<Received>>;

    /// One result per receipt, in order.
    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>>;

    /// Deliver again after `delay`.
    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()>;
}
