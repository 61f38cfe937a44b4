//! Pub/sub as a table of deliveries, one row for each message and group that wants it: a member takes rows for a time, which it
//! makes longer as long as it lives, and whatever it does not acknowledge is free again.

mod backlog;
mod consumer;
mod members;
mod sql;
mod store;

use crate::{
    client::Client,
    held::Held,
    listener::Listener,
    names::Table,
    schema::{self, Schema},
    settings::{Settings, config},
};
use async_trait::async_trait;
use backlog::{Backlog, Limit};
use consumer::Member;
use members::Members;
use sql::Sql;
use std::{sync::Arc, time::Duration};
use store::Store;
use wythe_blocks::{
    Error, Result, Site, Wrong,
    pubsub::{Consumer, Driver, Features, Group, Message, StoredMessage, SubscribeOptions},
};
use wythe_manifest::{ByteSize, Duration as Time};

/// Time for which a delivery is with a member that says nothing more, by default.
const LEASE: Duration = Duration::from_secs(30);
/// Bytes of a message.
const MAX_MESSAGE: u64 = 16 << 20;

config! {
    struct Config {
        /// Text before the names of the tables; default none.
        table_prefix: Option<String>,
        /// The table with the versions of tables; default `dapr_metadata`.
        metadata_table_name: Option<String>,
        /// Time after which what a host has that is gone is delivered to another; default 30 s.
        processing_timeout: Option<Time>,
        /// Messages kept for groups that have not acknowledged them; default 1,000,000.
        max_backlog: Option<u64>,
        /// Bytes of them in all; default 1 GiB.
        max_backlog_bytes: Option<ByteSize>,
    }
}

/// A config that was found good.
pub(super) struct Parsed {
    settings: Settings,
    table: Table,
    versions: Table,
    lease: Duration,
    limit: Limit,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let lease = config.processing_timeout.map_or(LEASE, Duration::from);
    if lease < Duration::from_secs(1) || lease > Duration::from_secs(86_400) {
        let error = Error::invalid("`processingTimeout`: expected 1 s to 24 h");
        return Err(Wrong::new("processingTimeout", error));
    }
    Ok(Parsed {
        table: Table::prefixed("tablePrefix", config.table_prefix.as_deref(), "deliveries")?,
        versions: schema::versions(config.metadata_table_name.as_deref())?,
        lease,
        limit: Limit::new(config.max_backlog, config.max_backlog_bytes),
        settings: config.server()?,
    })
}

pub(super) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.settings.warnings()
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let client = Client::open(parsed.settings, &site).await?;
    let table = &parsed.table;
    let steps = sql::steps(table);
    let schema = Schema::of(table, &steps);
    schema::prepare(&client.lend().await?, &parsed.versions, table, &[schema]).await?;
    let is_durable = client.promises().is_durable();
    let store = Arc::new(Store {
        wake: Arc::default(),
        backlog: Backlog::new(parsed.limit),
        sql: Sql::new(table),
        held: Held::new(client.clone()),
        lease: parsed.lease,
    });
    let listener = Listener::start(client, vec![sql::channel(table)], store.wake.clone());
    Ok(Arc::new(PubSub {
        members: Members::start(store.clone()),
        store,
        is_durable,
        listener,
    }))
}

struct PubSub {
    store: Arc<Store>,
    members: Arc<Members>,
    is_durable: bool,
    listener: Listener,
}

#[async_trait]
impl Driver for PubSub {
    fn features(&self) -> Features {
        Features {
            durable: self.is_durable,
            ordering: true,
            delay: true,
            dead_letters: true,
            counted: false,
            max_message_bytes: MAX_MESSAGE,
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        let mut answers = self.store.publish(topic, &[message]).await;
        answers.pop().unwrap_or(Ok(()))
    }

    async fn publish_many(&self, topic: &str, messages: Vec<Message>) -> Vec<Result<()>> {
        self.store.publish(topic, &messages).await
    }

    async fn subscribe(
        &self,
        topic: &str,
        group: &str,
        options: SubscribeOptions,
    ) -> Result<Box<dyn Consumer>> {
        let joined = self.members.join(topic, group, options.ephemeral).await?;
        Ok(Box::new(Member::new(self.members.clone(), joined)))
    }

    async fn groups(&self) -> Result<Vec<Group>> {
        self.store.groups().await
    }

    async fn list(
        &self,
        topic: &str,
        group: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<StoredMessage>> {
        self.store.list(topic, group, after, limit).await
    }

    async fn replace(
        &self,
        topic: &str,
        group: Option<&str>,
        number: u64,
        to: &str,
        message: Message,
    ) -> Result<()> {
        self.store.replace(topic, group, number, to, &message).await
    }

    async fn purge(&self, topic: &str, group: Option<&str>, remove: bool) -> Result<u64> {
        self.store.purge(topic, group, remove).await
    }

    fn describe(&self) -> Option<String> {
        self.store.held.describe()
    }

    async fn health(&self) -> Result<()> {
        self.store.held.health().await
    }

    async fn close(&self) -> Result<()> {
        self.listener.stop();
        self.members.close().await;
        self.store.held.close();
        Ok(())
    }
}
