//! Pub/sub as Dapr lays it out: a topic is a topic of the cluster, and a group a consumer group of it.

pub(crate) mod message;

use crate::{
    client::Client, fault::closed, group::Groups, names, producer::Producer, settings::Parsed,
};
use async_trait::async_trait;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use wythe_blocks::{
    Error, Result,
    pubsub::{Consumer, Driver, Features, Message, SubscribeOptions},
};

/// Bytes of a batch that are left for a message's key, its attributes and what is around it.
const RESERVED: usize = 512;

pub(super) async fn open(client: Arc<Client>, parsed: Parsed) -> Result<Arc<dyn Driver>> {
    client.begin().await?;
    Ok(Arc::new(PubSub {
        producer: Producer::new(client.clone(), parsed.writing),
        group: parsed.group,
        prefix: parsed.prefix,
        groups: Groups::new(client.clone(), parsed.reading),
        is_closed: AtomicBool::new(false),
        client,
    }))
}

struct PubSub {
    client: Arc<Client>,
    producer: Producer,
    /// The group, in place of the app's own.
    group: Option<String>,
    /// Written before the names of topics and groups.
    prefix: String,
    groups: Groups,
    is_closed: AtomicBool,
}

impl PubSub {
    fn check(&self) -> Result<()> {
        match self.is_closed.load(Relaxed) {
            false => Ok(()),
            true => Err(closed()),
        }
    }

    fn topic(&self, topic: &str) -> Result<String> {
        names::topic(&self.prefix, topic)
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
        self.producer.check(&record)?;
        Ok(record)
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
        let pullers = self.groups.join(&name, &[topic], options.ephemeral).await?;
        let puller = pullers.into_iter().next();
        puller
            .map(|puller| Box::new(puller) as Box<dyn Consumer>)
            .ok_or_else(closed)
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
        self.groups.close().await;
        self.producer.close();
        Ok(())
    }
}
