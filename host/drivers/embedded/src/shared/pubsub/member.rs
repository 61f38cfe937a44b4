//! A member of a consumer group, over any broker that keeps its queues in memory and its verdicts where it likes.

use crate::shared::pubsub::{
    queue::{Delivery, Held},
    topics::{Group, Joined},
};
use async_trait::async_trait;
use futures::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Result,
    pubsub::{Consumer, Message, Receipt, Received},
};

pub(crate) enum Verdict {
    Done(Held),
    Again(Held, Duration),
    /// Another message takes its place in a topic.
    Buried(Held, Box<Letter>),
}

pub(crate) struct Letter {
    pub topic: String,
    pub message: Message,
}

impl Verdict {
    pub(crate) fn held(&self) -> Held {
        match self {
            Verdict::Done(held) | Verdict::Again(held, _) | Verdict::Buried(held, _) => *held,
        }
    }
}

/// Verdicts of one group on their way to where they are kept. Those that do not arrive are as if they were never given,
/// whoever waits for them or does not.
pub(crate) struct Settling {
    pub group: Arc<Group>,
    pub verdicts: Vec<Verdict>,
}

impl Settling {
    /// Tells the queue, once the verdicts are as durable as promised.
    pub(crate) fn settle(mut self) {
        for verdict in self.verdicts.drain(..) {
            match verdict {
                Verdict::Done(held) | Verdict::Buried(held, _) => {
                    self.group.queue.finish(held.sequence);
                }
                Verdict::Again(held, delay) => self.group.queue.retry(held.sequence, delay),
            }
        }
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        for verdict in &self.verdicts {
            self.group.queue.resume(verdict.held().sequence);
        }
    }
}

pub(crate) trait Broker: Send + Sync + 'static {
    /// Messages that are not kept in the queue.
    fn load(&self, sequences: &[u64]) -> Result<Vec<Message>>;

    /// Writes the verdicts down and tells the queue. They are handed over before this returns: dropping the future
    /// takes none back.
    fn settle(&self, settling: Settling) -> BoxFuture<'static, Result<()>>;

    /// An ephemeral group may be over.
    fn left(&self);
}

pub(crate) struct Member<B: Broker> {
    broker: Arc<B>,
    group: Arc<Group>,
    number: u64,
}

impl<B: Broker> Member<B> {
    pub(crate) fn new(broker: Arc<B>, joined: Joined) -> Self {
        Member {
            broker,
            group: joined.group,
            number: joined.member,
        }
    }

    fn receive(&self, deliveries: &[Delivery]) -> Result<Vec<Received>> {
        let stored: Vec<_> = deliveries
            .iter()
            .filter(|delivery| delivery.message.is_none())
            .map(|delivery| delivery.sequence)
            .collect();
        let mut loaded = match stored.is_empty() {
            true => Vec::new().into_iter(),
            false => self.broker.load(&stored)?.into_iter(),
        };
        let missing = || Error::internal("a message of the queue is not stored");
        deliveries
            .iter()
            .map(|delivery| {
                let stored = delivery
                    .message
                    .as_ref()
                    .map(|stored| stored.message.clone());
                let message = stored.or_else(|| loaded.next()).ok_or_else(missing)?;
                Ok(Received {
                    message,
                    attempt: delivery.attempt,
                    receipt: delivery.receipt.clone(),
                })
            })
            .collect()
    }

    async fn settle(&self, verdicts: Vec<Verdict>) -> Result<()> {
        let group = self.group.clone();
        self.broker.settle(Settling { group, verdicts }).await
    }
}

#[async_trait]
impl<B: Broker> Consumer for Member<B> {
    async fn pull(&self, max: usize) -> Result<Vec<Received>> {
        let deliveries = self.group.queue.pull(self.number, max).await;
        let received = self.receive(&deliveries);
        if received.is_err() {
            let held = deliveries
                .iter()
                .filter_map(|delivery| self.group.queue.hold(&delivery.receipt).ok());
            held.for_each(|held| {
                self.group
                    .queue
                    .retry(held.sequence, Duration::from_secs(1))
            });
        }
        received
    }

    async fn ack(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let held: Vec<_> = receipts
            .iter()
            .map(|receipt| self.group.queue.hold(receipt))
            .collect();
        let verdicts: Vec<_> = held
            .iter()
            .flatten()
            .map(|held| Verdict::Done(*held))
            .collect();
        let outcome = match verdicts.is_empty() {
            true => Ok(()),
            false => self.settle(verdicts).await,
        };
        let answer = || outcome.as_ref().map_err(Error::duplicate).copied();
        held.into_iter()
            .map(|held| held.and_then(|_| answer()))
            .collect()
    }

    async fn nack(&self, receipt: Receipt, delay: Duration) -> Result<()> {
        let held = self.group.queue.hold(&receipt)?;
        self.settle(vec![Verdict::Again(held, delay)]).await
    }

    async fn bury(&self, receipt: Receipt, topic: &str, message: Message) -> Result<()> {
        let held = self.group.queue.hold(&receipt)?;
        let topic = topic.to_owned();
        let letter = Box::new(Letter { topic, message });
        self.settle(vec![Verdict::Buried(held, letter)]).await
    }
}

impl<B: Broker> Drop for Member<B> {
    fn drop(&mut self) {
        self.group.queue.leave(self.number);
        if self.group.ephemeral {
            self.broker.left();
        }
    }
}
