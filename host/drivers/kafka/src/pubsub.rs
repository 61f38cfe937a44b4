//! Pub/sub as Dapr lays it out: a topic is a topic of the cluster, and a group a consumer group of it.

pub(crate) mod message;
mod puller;

use crate::{
    client::Client,
    group::Group,
    producer::Producer,
    settings::{Parsed, Reading, is_plain},
};
use async_trait::async_trait;
use parking_lot::Mutex;
use puller::Puller;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use wythe_blocks::{
    Error, Result,
    pubsub::{Consumer, Driver, Features, Message, SubscribeOptions},
};

/// Bytes of a batch that are left for a message's key, its attributes and what is around it.
const RESERVED: usize = 512;
/// Bytes of the name of a topic, which is the name of a directory of the broker.
const MAX_TOPIC: usize = 249;

pub(super) async fn open(client: Arc<Client>, parsed: Parsed) -> Result<Arc<dyn Driver>> {
    client.begin().await?;
    Ok(Arc::new(PubSub {
        producer: Producer::new(client.clone(), parsed.max_batch),
        reading: parsed.reading,
        group: parsed.group,
        prefix: parsed.prefix,
        groups: Mutex::default(),
        is_closed: AtomicBool::new(false),
        client,
    }))
}

struct PubSub {
    client: Arc<Client>,
    producer: Producer,
    reading: Reading,
    /// The group, in place of the app's own.
    group: Option<String>,
    /// Written before the names of topics and groups.
    prefix: String,
    groups: Mutex<HashMap<(String, bool), Arc<Group>>>,
    is_closed: AtomicBool,
}

impl PubSub {
    fn check(&self) -> Result<()> {
        match self.is_closed.load(Relaxed) {
            false => Ok(()),
            true => Err(Error::unavailable("the component is closed")),
        }
    }

    fn topic(&self, topic: &str) -> Result<String> {
        let name = format!("{}{topic}", self.prefix);
        let is_good = name.chars().all(is_plain) && !matches!(name.as_str(), "." | "..");
        match is_good && (1..=MAX_TOPIC).contains(&name.len()) && !topic.is_empty() {
            true => Ok(name),
            false => Err(Error::invalid(format!(
                "the topic `{}`: expected letters, digits, `.`, `_` and `-`, {MAX_TOPIC} at most; use another name",
                topic.escape_debug()
            ))),
        }
    }

    fn max_message(&self) -> usize {
        self.producer.room() - RESERVED
    }

    /// The record of a message, where it is within the bounds.
    fn record(&self, message: &Message) -> Result<crate::records::Record> {
        let (size, max) = (message.data.len(), self.max_message());
        if size > max {
            return Err(Error::invalid(format!(
                "a message of {size} bytes; at most {max} are allowed, by `maxMessageBytes`"
            )));
        }
        let record = message::record(message);
        match record.size() <= self.producer.room() {
            true => Ok(record),
            false => Err(Error::invalid(format!(
                "a message that is {} bytes with its key and its attributes; at most {} are allowed, by `maxMessageBytes`",
                record.size(),
                self.producer.room()
            ))),
        }
    }

    /// The group's name in the cluster.
    fn name(&self, group: &str, options: &SubscribeOptions) -> String {
        let prefix = &self.prefix;
        if options.ephemeral {
            return format!("{prefix}{group}-passing");
        }
        let own = self.group.as_deref();
        let own = own.filter(|_| !options.metadata.contains_key("consumerGroup"));
        format!("{prefix}{}", own.unwrap_or(group))
    }

    /// The group as it is, or a new one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the task ends with the group's last subscription, and a close waits for it"
    )]
    fn enter(&self, name: &str, is_passing: bool) -> Arc<Group> {
        let mut groups = self.groups.lock();
        let key = (name.to_owned(), is_passing);
        if let Some(group) = groups.get(&key) {
            return group.clone();
        }
        let (client, reading) = (self.client.clone(), self.reading.clone());
        let group = Arc::new(Group::new(client, key.0.clone(), reading, is_passing));
        tokio::spawn(group.clone().run());
        groups.insert(key, group.clone());
        group
    }

    /// Forgets a group that has ended, unless another one has its place.
    fn forget(&self, name: &str, is_passing: bool, group: &Arc<Group>) {
        let mut groups = self.groups.lock();
        let key = (name.to_owned(), is_passing);
        if groups
            .get(&key)
            .is_some_and(|known| Arc::ptr_eq(known, group))
        {
            groups.remove(&key);
        }
    }
}

#[async_trait]
impl Driver for PubSub {
    fn features(&self) -> Features {
        Features {
            durable: true,
            ordering: true,
            delay: false,
            dead_letters: false,
            counted: false,
            max_message_bytes: self.max_message() as u64,
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        let mut answers = self.publish_many(topic, vec![message]).await;
        answers.pop().unwrap_or(Ok(()))
    }

    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        let topic = match self.check().and_then(|()| self.topic(topic)) {
            Ok(topic) => topic,
            Err(error) => return messages.iter().map(|_| Err(error.duplicate())).collect(),
        };
        let records: Vec<_> = messages
            .iter()
            .map(|message| self.record(message))
            .collect();
        let (mut good, mut answers) = (Vec::new(), Vec::with_capacity(records.len()));
        for record in records {
            answers.push(record.map(|record| good.push(record)));
        }
        if good.is_empty() {
            return answers;
        }
        let mut sent = self.producer.send(&topic, good).await.into_iter();
        let answers = answers.into_iter();
        answers
            .map(|answer| answer.and_then(|()| sent.next().unwrap_or(Ok(()))))
            .collect()
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Consumer>> {
        self.check()?;
        let topic = self.topic(topic)?;
        let name = self.name(group, &options);
        if name.len() > MAX_TOPIC {
            return Err(Error::invalid(format!(
                "the consumer group `{}` has more than {MAX_TOPIC} bytes",
                name.escape_debug()
            )));
        }
        // The topic is asked for first, as its error says more than that of a group.
        self.client.topic(&topic).await?;
        loop {
            let group = self.enter(&name, options.ephemeral);
            let Some(desk) = group.sit(&topic) else {
                self.check()?;
                group.left().await;
                self.forget(&name, options.ephemeral, &group);
                continue;
            };
            let puller = Puller::new(group.clone(), desk);
            group.joined(&topic).await?;
            return Ok(Box::new(puller));
        }
    }

    fn describe(&self) -> Option<String> {
        Some(self.client.describe())
    }

    async fn health(&self) -> Result<()> {
        self.check()?;
        self.client.ping().await
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Relaxed);
        let groups: Vec<_> = self.groups.lock().drain().map(|(_, group)| group).collect();
        futures::future::join_all(groups.iter().map(|group| group.close())).await;
        self.producer.close();
        Ok(())
    }
}
