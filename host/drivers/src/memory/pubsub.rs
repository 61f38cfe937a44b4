//! Pub/sub in memory: groups and what they have not acknowledged last as long as the component.

use crate::{
    message,
    queue::{Waiting, lane},
    seat::{Broker, Seat, Verdict},
    topics::{Backlog, Group, Topics},
};
use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt, ready};
use serde::Deserialize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::time::Instant;
use wythe_blocks::{
    Error, Result, Site,
    pubsub::{Driver, Features, Message, Seat as Subscription, SubscribeOptions},
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

pub(super) async fn open(config: Config, _: Site) -> Result<Arc<dyn Driver>> {
    let (messages, bytes) = (config.max_backlog, config.max_backlog_bytes);
    let topics = Topics::new(Backlog::new(messages, bytes, MAX_BYTES));
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
        self.topics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Driver for Memory {
    fn features(&self) -> Features {
        Features {
            durable: false,
            ordering: true,
            delay: true,
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
        let sequence = topics.admit(groups.len(), message::size(&message))?;
        let lane = message.ordering_key.as_deref().map(lane);
        let message = Some(Arc::new(message));
        for group in groups {
            group.queue.add(vec![Waiting {
                sequence,
                due,
                attempts: 0,
                lane,
                message: message.clone(),
            }]);
        }
        Ok(())
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Subscription>> {
        let joined = self.0.topics().join(topic, group, options.ephemeral)?;
        Ok(Box::new(Seat::new(self.0.clone(), joined)))
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

    fn settle(&self, group: Arc<Group>, verdicts: Vec<Verdict>) -> BoxFuture<'static, Result<()>> {
        let mut topics = self.topics();
        for verdict in verdicts {
            verdict.settle(&group);
            if let Verdict::Done(held) = verdict {
                topics.release(held.sequence);
            }
        }
        ready(Ok(())).boxed()
    }

    fn left(&self) {
        self.topics().remove_deserted();
    }
}
