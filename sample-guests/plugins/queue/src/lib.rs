//! A pub/sub driver that keeps messages in memory, with consumer groups, delays, and order by key.
//!
//! Metadata of its component: `maxBacklog` (default 100000 messages) and `maxBytes` (default 41943040; the component's
//! `memory` is 20 MiB more), above which a publish is `exhausted` until messages are acked. A subscription with
//! `broadcast: true` is the end of its group when it leaves.
//!
//! What it holds is gone when the host stops. The host must run it as a single instance.
mod queue;

use std::time::SystemTime;

use queue::Queue;
use wythe_sdk::plugin::pubsub::{Delivery, Features, Message};
use wythe_sdk::plugin::{Metadata, Plugin, PubsubDriver};
use wythe_sdk::{Result, timestamp};

struct Driver {
    queue: Queue,
}

impl Plugin for Driver {
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        metadata.only(&["maxBacklog", "maxBytes"])?;
        let max_messages = metadata.number("maxBacklog", 100_000)?;
        let max_bytes = metadata.number("maxBytes", 40 << 20)?;
        Ok(Self {
            queue: Queue::new(max_messages, max_bytes),
        })
    }
}

impl PubsubDriver for Driver {
    fn describe(&self) -> Features {
        let max_message_bytes = queue::MAX_MESSAGE_BYTES as u64;
        Features {
            durable: false,
            ordering: true,
            delay: true,
            max_message_bytes,
        }
    }

    fn publish(&mut self, topic: &str, message: Message) -> Result<()> {
        self.queue.publish(topic, message, now())
    }

    fn subscribe(&mut self, topic: &str, group: &str, metadata: Metadata) -> Result<u64> {
        let is_ephemeral = metadata.get("broadcast") == Some("true");
        Ok(self.queue.subscribe(topic, group, is_ephemeral))
    }

    fn pull(&mut self, subscription: u64, max: u32) -> Result<Vec<Delivery>> {
        self.queue.pull(subscription, max as usize, now())
    }

    fn ack(&mut self, subscription: u64, receipt: &[u8]) -> Result<()> {
        self.queue.ack(subscription, receipt)
    }

    fn nack(&mut self, subscription: u64, receipt: &[u8], delay: u64) -> Result<()> {
        self.queue
            .nack(subscription, receipt, now().saturating_add(delay))
    }

    fn unsubscribe(&mut self, subscription: u64) {
        self.queue.unsubscribe(subscription);
    }
}

fn now() -> u64 {
    timestamp(SystemTime::now())
}

wythe_sdk::pubsub_plugin!(Driver);
