//! The interface of a pub/sub technology. The host pulls; it acknowledges after the handler's verdict.

use crate::{Error, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

/// A message that a broker carries: the event's envelope, or a raw payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    pub data: Bytes,
    pub content_type: String,
    pub ordering_key: Option<String>,
    pub attributes: Vec<(String, String)>,
    /// The time from now before which the message is not visible.
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

/// The work of a consumer group, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    pub topic: String,
    /// The group's name; absent for dead letters of a topic that nobody has read yet.
    pub name: Option<String>,
    /// Ends with its last member.
    pub ephemeral: bool,
    pub members: u64,
    pub messages: u64,
    /// Messages that are with a member now.
    pub out: u64,
    pub bytes: u64,
    /// The publish time of the oldest message.
    pub oldest: Option<SystemTime>,
}

/// The part of a group's work that metrics show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Depth {
    pub topic: String,
    pub group: String,
    /// Messages that are not acknowledged, those that are with a member among them.
    pub messages: u64,
    /// Their bytes, as [`Group::bytes`] has them; absent where the driver would have to look at each of them.
    pub bytes: Option<u64>,
    /// The publish time of the oldest one.
    pub oldest: Option<SystemTime>,
}

/// One message of a group, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredMessage {
    /// Grows in the order of publishing, and names the message in its topic.
    pub number: u64,
    pub message: Message,
    pub published: SystemTime,
    /// Deliveries so far.
    pub attempts: u32,
}

/// The abilities of a driver; conformance proves them and the block relies on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    pub durable: bool,
    /// Messages with equal ordering keys are out one at a time, in order, redeliveries included.
    pub ordering: bool,
    pub delay: bool,
    /// A delivery becomes a dead letter in one write, its topic holds it until somebody reads, and operators see and
    /// change what groups hold.
    pub dead_letters: bool,
    /// It counts what waits in the quota of its tenant, where its site has a ledger ([`crate::Site::backlog`]).
    pub counted: bool,
    pub max_message_bytes: u64,
}

impl Features {
    /// Returns whether a name of a manifest's `requires:` holds; absent for a name that is no feature.
    pub fn has(&self, name: &str) -> Option<bool> {
        Some(match name {
            "durable" => self.durable,
            "ordering" => self.ordering,
            "delay" => self.delay,
            "dead-letters" => self.dead_letters,
            "counted" => self.counted,
            _ => return None,
        })
    }

    pub const NAMES: [&'static str; 5] =
        ["durable", "ordering", "delay", "dead-letters", "counted"];
}

#[async_trait]
pub trait Driver: Send + Sync {
    fn features(&self) -> Features;

    /// Returns once the message is as durable as the features promise, for every group there is.
    async fn publish(&self, topic: &str, message: Message) -> Result<()>;

    /// Publishes a dead letter. Where the topic has no group, it is for the first that joins, if the driver can hold it.
    async fn letter(&self, topic: &str, letter: Message) -> Result<()> {
        self.publish(topic, letter).await
    }

    /// One result per message, in order.
    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            answers.push(self.publish(topic, message).await);
        }
        answers
    }

    /// Joins a consumer group. A new group gets what is published from now on, and the dead letters that its topic
    /// holds; one that was there before gets what it has not acknowledged. `ephemeral` groups end with their last
    /// subscription, and get no dead letters from before.
    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Consumer>>;

    /// Every group, by topic and name. This and the three functions below are for operators, and need `dead_letters`.
    async fn groups(&self) -> Result<Vec<Group>> {
        Err(unsupported())
    }

    /// Says how much waits for each group, at a cost that does not grow with that; empty where the driver cannot say.
    async fn backlog(&self) -> Result<Vec<Depth>> {
        Ok(Vec::new())
    }

    /// Lists up to `limit` messages of a group whose number is higher than `after`, in order. Without a group, it lists
    /// the dead letters that nobody has read yet.
    async fn list(
        &self,
        _topic: &str,
        _group: Option<&str>,
        _after: u64,
        _limit: u32,
    ) -> Result<Vec<StoredMessage>> {
        Err(unsupported())
    }

    /// Takes a message out of a group and publishes another one to a topic in its place, in one write and over the limit
    /// of the backlog. `conflict` where a member has it now.
    async fn replace(
        &self,
        _topic: &str,
        _group: Option<&str>,
        _number: u64,
        _to: &str,
        _message: Message,
    ) -> Result<()> {
        Err(unsupported())
    }

    /// Removes what no member of the group has now, and gives back how many messages that were. `remove` ends the group
    /// as well, and is `conflict` while it has members.
    async fn purge(&self, _topic: &str, _group: Option<&str>, _remove: bool) -> Result<u64> {
        Err(unsupported())
    }

    /// The server that it speaks to, in one line for operators: its name, version and address, and no secret.
    fn describe(&self) -> Option<String> {
        None
    }

    /// An error while the driver cannot do its work, and knows it without trying.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the driver, once, after the last call; what was acknowledged is kept.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub struct SubscribeOptions {
    pub ephemeral: bool,
    pub metadata: BTreeMap<String, String>,
}

/// A consumer in a consumer group. Dropping it gives back what it holds.
#[async_trait]
pub trait Consumer: Send + Sync {
    /// Waits for at least one message and returns up to `max`. Dropping the future loses none.
    async fn pull(&self, max: usize) -> Result<Vec<Received>>;

    /// One result per receipt, in order. After an error that is not `not-found` it may be asked again.
    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>>;

    /// Delivers again after `delay`.
    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()>;

    /// Acknowledges a delivery and publishes its letter to a topic of the same component in one write, over the limit of
    /// the backlog. A topic without a lasting group holds the letter for the first that joins. Needs `dead_letters`.
    async fn bury(&self, _receipt: Receipt, _topic: &str, _letter: Message) -> Result<()> {
        Err(unsupported())
    }
}

fn unsupported() -> Error {
    Error::unsupported("the driver cannot do that; its features say so")
}
