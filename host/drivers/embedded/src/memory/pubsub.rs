//! Pub/sub in memory: groups and what they have not acknowledged last as long as the component.

use crate::shared::{
    clock,
    pubsub::{
        member::{Broker, Member, Settling, Verdict},
        operator,
        queue::{Stored, Waiting, lane},
        topics::{self, Backlog, Group, HELD, Topics},
    },
};
use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt, ready};
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use std::{collections::HashMap, sync::Arc};
use tokio::time::Instant;
use wythe_blocks::{
    Error, Result, Site,
    pubsub::{
        Consumer, Depth, Driver, Features, Group as Status, Message, StoredMessage,
        SubscribeOptions,
    },
};
use wythe_manifest::ByteSize;

/// Bytes of messages that are kept; by default.
const MAX_BYTES: u64 = 256 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// Messages kept for groups that have not acknowledged them; default 1,000,000.
    max_backlog: Option<u64>,
    /// Bytes of them in all; default 256 MiB.
    max_backlog_bytes: Option<ByteSize>,
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    let (messages, bytes) = (config.max_backlog, config.max_backlog_bytes);
    let topics = Topics::new(Backlog::new(messages, bytes, MAX_BYTES), site.backlog());
    Ok(Arc::new(Memory(Arc::new(Hub {
        topics: Mutex::new(topics),
    }))))
}

struct Memory(Arc<Hub>);

struct Hub {
    topics: Mutex<Topics>,
}

impl Hub {
    fn topics(&self) -> MutexGuard<'_, Topics> {
        self.topics.lock()
    }
}

#[async_trait]
impl Driver for Memory {
    fn features(&self) -> Features {
        Features {
            durable: false,
            ordering: true,
            delay: true,
            dead_letters: true,
            counted: true,
            max_message_bytes: u64::MAX,
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        // Held until the queues have it, so that every group sees one order.
        let mut topics = self.0.topics();
        let groups = topics.groups(topic);
        if groups.is_empty() {
            return Ok(());
        }
        let due = due(&message)?;
        let sequence = topics.admit(groups.len(), topics::size(&message))?;
        add(&groups, sequence, due, message);
        Ok(())
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Consumer>> {
        let joined = self.0.topics().join(topic, group, options.ephemeral)?;
        Ok(Box::new(Member::new(self.0.clone(), joined)))
    }

    async fn groups(&self) -> Result<Vec<Status>> {
        let all = self.0.topics().all();
        let all = all.iter();
        all.map(|(topic, name, group)| operator::status(topic, name, group, &nowhere))
            .collect()
    }

    async fn backlog(&self) -> Result<Vec<Depth>> {
        let all = self.0.topics().all();
        operator::backlog(&all, &nowhere)
    }

    async fn list(
        &self,
        topic: &str,
        group: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredMessage>> {
        let group = operator::find(&self.0.topics().all(), topic, group)?;
        operator::page(&group, after, limit, &nowhere)
    }

    async fn replace(
        &self,
        topic: &str,
        group: Option<&str>,
        number: u64,
        to: &str,
        message: Message,
    ) -> Result<()> {
        let group = operator::find(&self.0.topics().all(), topic, group)?;
        let settling = operator::replacing(group, number, to, message)?;
        self.0.settle(settling).await
    }

    async fn purge(&self, topic: &str, group: Option<&str>, remove: bool) -> Result<u64> {
        let found = operator::find(&self.0.topics().all(), topic, group)?;
        if remove {
            operator::check_deserted(&found)?;
        }
        let settling = operator::purging(found, usize::MAX);
        let purged = settling.verdicts.len() as u64;
        self.0.settle(settling).await?;
        if remove {
            let name = group.unwrap_or(HELD);
            self.0.topics().name(topic, name, None);
        }
        Ok(purged)
    }

    async fn close(&self) -> Result<()> {
        self.0.topics().let_go();
        Ok(())
    }
}

/// Finds nothing elsewhere: all messages are in the queues.
fn nowhere<T>(_: &[u64]) -> Result<HashMap<u64, T>> {
    Ok(HashMap::new())
}

fn add(groups: &[Arc<Group>], sequence: u64, due: Instant, message: Message) {
    let lane = message.ordering_key.as_deref().map(lane);
    let (published, bytes) = (clock::now(), operator::size(&message));
    let stored = Some(Arc::new(Stored { message, published }));
    for group in groups {
        group.queue.add(vec![Waiting {
            sequence,
            due,
            attempts: 0,
            lane,
            bytes,
            message: stored.clone(),
        }]);
    }
}

fn due(message: &Message) -> Result<Instant> {
    let delay = message.delay.unwrap_or_default();
    Instant::now().checked_add(delay).ok_or_else(|| {
        Error::invalid(format!(
            "a delay of {delay:?}; expected one that ends some day"
        ))
    })
}

impl Broker for Hub {
    fn load(&self, _: &[u64]) -> Result<Vec<Message>> {
        Err(Error::internal("a message in memory has no content"))
    }

    fn settle(&self, mut settling: Settling) -> BoxFuture<'static, Result<()>> {
        let mut topics = self.topics();
        for verdict in &mut settling.verdicts {
            if let Verdict::Buried(_, letter) = verdict {
                let message = std::mem::take(&mut letter.message);
                let (readers, _) = topics.readers(&letter.topic);
                let sequence = topics.admit_over(readers.len(), topics::size(&message));
                add(&readers, sequence, Instant::now(), message);
            }
            if !matches!(verdict, Verdict::Again(..)) {
                topics.release(verdict.held().sequence);
            }
        }
        settling.settle();
        ready(Ok(())).boxed()
    }

    fn left(&self) {
        self.topics().remove_deserted();
    }
}
