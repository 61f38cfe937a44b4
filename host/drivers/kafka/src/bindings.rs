//! Topics as an outside system: `create` publishes to one, and an app that listens is given what comes to others.

pub(crate) mod settings;

use crate::{
    client::Client, desk::Taken, fault::closed, group::Groups, producer::Producer,
    pubsub::message::KEYS, puller::Puller, records::Record,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::future::join_all;
use settings::Binding as Settings;
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Backoff, Error, Result, Site,
    bindings::{Delivery, Driver, Features, Outcome, Request, Sink},
    pubsub::Consumer as _,
};

/// The pause before the second attempt; it doubles with each, up to the last.
const RETRY: Backoff = Backoff::SLOW;
/// Messages that the app has at once, shared out among topics.
const AT_ONCE: usize = 100;
/// The metadata of a delivery that say where it was, as Dapr names them; headers of these names are left out.
const TOPIC: &str = "__topic";
const PARTITION: &str = "__partition";
const OFFSET: &str = "__offset";
const KEY: &str = "__key";

pub(super) async fn open(
    client: Arc<Client>,
    settings: Settings,
    site: Site,
) -> Result<Arc<dyn Driver>> {
    client.begin().await?;
    let parsed = &settings.parsed;
    let group = parsed.group.clone();
    let group = group.unwrap_or_else(|| format!("wythe.{}.{}", site.tenant, site.component));
    Ok(Arc::new(Binding {
        producer: Producer::new(client.clone(), parsed.writing),
        groups: Groups::new(client.clone(), parsed.reading.clone()),
        group: format!("{}{group}", parsed.prefix),
        topics: settings.topics,
        publish_topic: settings.publish_topic,
        is_closed: AtomicBool::new(false),
        client,
    }))
}

struct Binding {
    client: Arc<Client>,
    producer: Producer,
    groups: Groups,
    group: String,
    topics: Vec<String>,
    publish_topic: Option<String>,
    is_closed: AtomicBool,
}

impl Binding {
    fn check(&self) -> Result<()> {
        match self.is_closed.load(Relaxed) {
            false => Ok(()),
            true => Err(closed()),
        }
    }

    /// Delivers what comes to one topic, until it is told to stop.
    async fn listen(
        &self,
        puller: Puller,
        sink: Arc<dyn Sink>,
        stop: &CancellationToken,
    ) -> Result<()> {
        let at_once = (AT_ONCE / self.topics.len()).max(1);
        let puller = Arc::new(puller);
        let mut deliveries = JoinSet::new();
        loop {
            let free = at_once.saturating_sub(deliveries.len());
            let taken = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(_) = deliveries.join_next() => continue,
                taken = puller.take(free.max(1)), if free > 0 => taken,
            };
            match taken {
                Ok(taken) => {
                    for one in taken {
                        deliveries.spawn(deliver(puller.clone(), sink.clone(), one));
                    }
                }
                Err(error) if self.is_closed.load(Relaxed) => return Err(error),
                Err(error) => {
                    tracing::warn!(topic = puller.topic(), "read: {}", error.chain());
                }
            }
        }
        while deliveries.join_next().await.is_some() {}
        Ok(())
    }
}

/// The record of a request: its data are the value, its metadata the headers, and one of them the key.
fn record(request: &Request<'_>) -> Record {
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let key = KEYS.iter().find_map(|name| request.get(name));
    let headers = request.metadata.iter();
    let headers = headers.map(|(name, value)| (name.clone(), Some(bytes(value))));
    Record {
        key: key.filter(|key| !key.is_empty()).map(bytes),
        value: Some(request.data.clone()),
        headers: headers.collect(),
    }
}

/// The delivery of a record: its value, where it was, and its headers, those that are texts.
fn delivery(topic: &str, taken: Taken) -> Delivery {
    let own = [TOPIC, PARTITION, OFFSET, KEY];
    let text = |bytes: &Bytes| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let mut metadata = vec![
        (TOPIC.to_owned(), topic.to_owned()),
        (PARTITION.to_owned(), taken.partition.to_string()),
        (OFFSET.to_owned(), taken.offset.to_string()),
    ];
    let key = taken.record.key.as_ref();
    metadata.extend(key.and_then(text).map(|key| (KEY.to_owned(), key)));
    for (name, value) in taken.record.headers {
        let value = value.as_ref().and_then(text);
        if let Some(value) = value.filter(|_| !own.contains(&name.as_str())) {
            metadata.push((name, value));
        }
    }
    Delivery {
        data: taken.record.value.unwrap_or_default(),
        metadata,
        attempt: taken.attempt,
    }
}

async fn deliver(puller: Arc<Puller>, sink: Arc<dyn Sink>, taken: Taken) {
    let (receipt, attempt) = (taken.receipt.clone(), taken.attempt);
    let delivered = sink.deliver(delivery(puller.topic(), taken)).await;
    let settled = match delivered {
        Ok(_) => puller.ack(vec![receipt]).await.pop().unwrap_or(Ok(())),
        Err(_) => puller.nack(receipt, RETRY.after(attempt)).await,
    };
    if let Err(error) = settled {
        tracing::debug!("a message comes again: {}", error.chain());
    }
}

#[async_trait]
impl Driver for Binding {
    fn features(&self) -> Features {
        let create = self.publish_topic.iter().map(|_| "create".to_owned());
        Features {
            operations: create.collect(),
            input: !self.topics.is_empty(),
            redelivers: !self.topics.is_empty(),
            secrets: false,
        }
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        self.check()?;
        let Some(topic) = &self.publish_topic else {
            return Err(Error::unsupported(
                "nothing can be created without `publishTopic`",
            ));
        };
        let record = record(&request);
        self.producer.check(&record)?;
        let sent = self.producer.send(topic, vec![record]).await.pop();
        sent.unwrap_or(Ok(()))?;
        Ok(Outcome::default())
    }

    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        self.check()?;
        if self.topics.is_empty() {
            stop.cancelled().await;
            return Ok(());
        }
        let joined = tokio::select! {
            joined = self.groups.join(&self.group, &self.topics, false) => joined?,
            () = stop.cancelled() => return Ok(()),
        };
        let topics = joined.into_iter();
        let listening = topics.map(|puller| self.listen(puller, sink.clone(), &stop));
        join_all(listening).await.into_iter().collect()
    }

    fn describe(&self) -> Option<String> {
        let mut text = self.client.describe();
        if let Some(topic) = &self.publish_topic {
            text += &format!(", publishes to `{topic}`");
        }
        if let [first, rest @ ..] = &self.topics[..] {
            let more = match rest.len() {
                0 => String::new(),
                count => format!(" and {count} more"),
            };
            text += &format!(", reads `{first}`{more} as the group `{}`", self.group);
        }
        Some(text)
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

#[cfg(test)]
mod tests;
