//! A durable queue: messages and what each group has not acknowledged are on disk, who has what is in memory.
//!
//! After a crash everything that was not acknowledged is delivered again. Attempts are written down with each
//! redelivery that was asked for, so a delivery that a crash cut off counts once.

mod journal;
mod tables;
#[cfg(test)]
mod tests;

use super::{open as open_database, read, unavailable};
use crate::{
    durable::{codec::message, committer::Committer, disk, handle::Handle},
    shared::pubsub::{
        member::{Broker, Member, Settling},
        operator::{self, Weight},
        queue::Stored,
        topics::{Backlog, Group, HELD, Topics},
    },
};
use async_trait::async_trait;
use futures::future::{BoxFuture, FutureExt};
use journal::{Answer, Journal, Write};
use redb::Database;
use serde::Deserialize;
use std::{collections::HashMap, path::PathBuf, sync::Arc};
use wythe_blocks::{
    Error, Result, Site,
    blocking::blocking,
    pubsub::{
        Consumer, Depth, Driver, Features, Group as Status, Message, StoredMessage,
        SubscribeOptions,
    },
};
use wythe_manifest::ByteSize;

/// Bytes of the largest message: larger ones do not fit into the memory of a batch.
const MAX_MESSAGE: u64 = 64 << 20;
/// Bytes of messages that are kept; by default.
const MAX_BYTES: u64 = 1 << 30;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The file; default `pubsub.redb` in the component's directory.
    path: Option<PathBuf>,
    /// Memory for pages; default 64 MiB.
    cache_size: Option<ByteSize>,
    /// Messages kept for groups that have not acknowledged them; default 1,000,000.
    max_backlog: Option<u64>,
    /// Bytes of them in all; default 1 GiB.
    max_backlog_bytes: Option<ByteSize>,
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    blocking(move || {
        let path = disk::path(config.path, &site.directory, "pubsub.redb");
        let database = open_database(&path, config.cache_size)?;
        let (messages, bytes) = (config.max_backlog, config.max_backlog_bytes);
        let limit = Backlog::new(messages, bytes, MAX_BYTES);
        let mut topics = Topics::new(limit, site.backlog());
        tables::load(&database, &mut topics)?;
        let name = format!("message store `{}`", path.display());
        let database = Arc::new(Handle::new(name.clone(), database));
        let journal = Journal::new(database.clone(), topics, path, config.cache_size);
        let committer = Committer::start(name, journal)?;
        let driver: Arc<dyn Driver> = Arc::new(Queues(Arc::new(Hub {
            database,
            committer,
        })));
        Ok(driver)
    })
    .await
}

struct Queues(Arc<Hub>);

struct Hub {
    database: Arc<Handle<Database>>,
    committer: Committer<Write, Answer>,
}

#[async_trait]
impl Driver for Queues {
    fn features(&self) -> Features {
        Features {
            durable: true,
            ordering: true,
            delay: true,
            dead_letters: true,
            counted: true,
            max_message_bytes: MAX_MESSAGE,
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        let missing = || Err(Error::internal("a batch has fewer answers than items"));
        self.publish_many(topic, vec![message])
            .await
            .pop()
            .unwrap_or_else(missing)
    }

    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        let count = messages.len();
        let write = Write::Publish {
            topic: topic.to_owned(),
            messages,
        };
        match self.0.committer.submit(write).await {
            Ok(Answer::Published(answers)) => answers,
            Ok(_) => (0..count).map(|_| Err(mixed_up())).collect(),
            Err(error) => (0..count).map(|_| Err(error.duplicate())).collect(),
        }
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Consumer>> {
        let (topic, group) = (topic.to_owned(), group.to_owned());
        let write = Write::Join {
            topic,
            group,
            ephemeral: options.ephemeral,
        };
        match self.0.committer.submit(write).await? {
            Answer::Joined(joined) => Ok(Box::new(Member::new(self.0.clone(), joined))),
            _ => Err(mixed_up()),
        }
    }

    async fn groups(&self) -> Result<Vec<Status>> {
        let (hub, all) = (self.0.clone(), self.0.all().await?);
        blocking(move || {
            let all = all.iter();
            all.map(|(topic, name, group)| {
                operator::status(topic, name, group, &|numbers| hub.weigh(numbers))
            })
            .collect()
        })
        .await
    }

    async fn backlog(&self) -> Result<Vec<Depth>> {
        let (hub, all) = (self.0.clone(), self.0.all().await?);
        blocking(move || operator::backlog(&all, &|numbers| hub.weigh(numbers))).await
    }

    async fn list(
        &self,
        topic: &str,
        group: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredMessage>> {
        let group = operator::find(&self.0.all().await?, topic, group)?;
        let hub = self.0.clone();
        blocking(move || operator::page(&group, after, limit, &|numbers| hub.look_up(numbers)))
            .await
    }

    async fn replace(
        &self,
        topic: &str,
        group: Option<&str>,
        number: u64,
        to: &str,
        message: Message,
    ) -> Result<()> {
        let group = operator::find(&self.0.all().await?, topic, group)?;
        let settling = operator::replacing(group, number, to, message)?;
        self.0.settle(settling).await
    }

    async fn purge(&self, topic: &str, group: Option<&str>, remove: bool) -> Result<u64> {
        let name = group.unwrap_or(HELD);
        operator::find(&self.0.all().await?, topic, group)?;
        let mut purged = 0;
        loop {
            let write = Write::Purge {
                topic: topic.to_owned(),
                group: name.to_owned(),
                remove,
            };
            match self.0.committer.submit(write).await? {
                Answer::Purged(0) => return Ok(purged),
                Answer::Purged(count) => purged += count,
                _ => return Err(mixed_up()),
            }
        }
    }

    async fn health(&self) -> Result<()> {
        self.0.committer.health()
    }

    async fn close(&self) -> Result<()> {
        let hub = self.0.clone();
        blocking(move || {
            // The writes that were handed over still need the database.
            hub.committer.close();
            hub.database.close();
            Ok(())
        })
        .await
    }
}

impl Hub {
    async fn all(&self) -> Result<Vec<(String, String, Arc<Group>)>> {
        match self.committer.submit(Write::List).await? {
            Answer::Listed(all) => Ok(all),
            _ => Err(mixed_up()),
        }
    }

    fn weigh(&self, numbers: &[u64]) -> Result<HashMap<u64, Weight>> {
        self.each(numbers, |bytes| {
            let published = message::published(bytes).unwrap_or_default();
            Ok((bytes.len() as u64, published))
        })
    }

    fn look_up(&self, numbers: &[u64]) -> Result<HashMap<u64, Stored>> {
        self.each(numbers, |bytes| {
            Ok(Stored {
                message: message::decode(bytes)?,
                published: message::published(bytes).unwrap_or_default(),
            })
        })
    }

    /// Reads those that are still there.
    fn each<T>(
        &self,
        numbers: &[u64],
        read_one: impl Fn(&[u8]) -> Result<T>,
    ) -> Result<HashMap<u64, T>> {
        self.database.with(|database| {
            let messages = read(database)?
                .open_table(tables::MESSAGES)
                .map_err(unavailable)?;
            let mut found = HashMap::new();
            for number in numbers {
                if let Some(bytes) = messages.get(number).map_err(unavailable)? {
                    found.insert(*number, read_one(bytes.value())?);
                }
            }
            Ok(found)
        })
    }
}

impl Broker for Hub {
    fn load(&self, sequences: &[u64]) -> Result<Vec<Message>> {
        self.database.with(|database| {
            let messages = read(database)?
                .open_table(tables::MESSAGES)
                .map_err(unavailable)?;
            let load = |sequence: &u64| {
                let found = messages.get(sequence).map_err(unavailable)?;
                let bytes =
                    found.ok_or_else(|| Error::internal("a message of the queue is not stored"))?;
                message::decode(bytes.value())
            };
            sequences.iter().map(load).collect()
        })
    }

    fn settle(&self, settling: Settling) -> BoxFuture<'static, Result<()>> {
        self.committer
            .submit(Write::Settle(settling))
            .map(|answer| answer.map(drop))
            .boxed()
    }

    fn left(&self) {
        // The journal looks for deserted groups by itself.
    }
}

fn mixed_up() -> Error {
    Error::internal("the committer answered another write")
}
