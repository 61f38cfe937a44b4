//! Configuration in the table that Dapr reads: key, value, version, metadata. Its version is that of all rows together, so
//! that whoever changes one is noticed, by whatever means.

use crate::{
    client::{Client, Lent, Value, column},
    fault::Fault,
    held::Held,
    listener::Listener,
    names::Table,
    schema::{self, Schema},
    settings::{Settings, config},
};
use async_trait::async_trait;
use std::{pin::pin, sync::Arc, time::Duration};
use tokio::{sync::Notify, time::timeout};
use tokio_postgres::Row;
use wythe_blocks::{
    Result, Site, Wrong,
    configuration::{Driver, Features, Item, NewItem, pairs},
};

/// Items of a store.
const ITEMS: usize = 100_000;
/// Time between two looks at the version.
const LOOK: Duration = Duration::from_secs(1);

config! {
    struct Config {
        /// The table, which is made where it is missing.
        table: String,
        /// The channel by which a trigger of the table tells of changes; default none.
        pg_notify_channel: Option<String>,
        /// The table with the versions of tables; default `dapr_metadata`.
        metadata_table_name: Option<String>,
    }
}

/// A config that was found good.
pub(super) struct Parsed {
    settings: Settings,
    table: Table,
    channel: Option<String>,
    versions: Table,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let channel = config.pg_notify_channel.as_deref();
    let channel = channel
        .map(|channel| Table::parse("pgNotifyChannel", Some(channel), ""))
        .transpose()?;
    Ok(Parsed {
        table: Table::parse("table", Some(&config.table), "")?,
        channel: channel.map(|channel| channel.plain()),
        versions: schema::versions(config.metadata_table_name.as_deref())?,
        settings: config.server()?,
    })
}

pub(super) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.settings.warnings()
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let client = Client::open(parsed.settings, &site).await?;
    let table = &parsed.table;
    let changes = table.with("_changes");
    let steps = [format!(
        "CREATE TABLE IF NOT EXISTS {table} (key varchar NOT NULL PRIMARY KEY, value varchar NOT NULL, \
         version varchar NOT NULL, metadata json); \
         CREATE TABLE {changes} (number bigint NOT NULL); INSERT INTO {changes} VALUES (0)"
    )];
    let schema = Schema::of(table, &steps);
    schema::prepare(&client.lend().await?, &parsed.versions, table, &[schema]).await?;
    let own = table.channel("_wake");
    let wake = Arc::new(Notify::new());
    let channels = parsed.channel.into_iter().chain([own.clone()]).collect();
    Ok(Arc::new(Configuration {
        is_durable: client.promises().is_durable(),
        listener: Listener::start(client.clone(), channels, wake.clone()),
        held: Held::new(client),
        sql: Sql::new(table, &changes, &own),
        wake,
    }))
}

struct Configuration {
    held: Held,
    sql: Sql,
    wake: Arc<Notify>,
    is_durable: bool,
    listener: Listener,
}

struct Sql {
    all: String,
    some: String,
    version: String,
    lock: String,
    remove: String,
    count: String,
    insert: String,
    notify: String,
}

impl Sql {
    fn new(table: &Table, changes: &Table, channel: &str) -> Self {
        let order = "ORDER BY key::text COLLATE \"C\"";
        let items = format!(
            "SELECT key::text, value::text, coalesce(version::text, ''), metadata::text FROM {table}"
        );
        Sql {
            all: format!("{items} {order}"),
            some: format!("{items} WHERE key::text = ANY ($1) {order}"),
            version: format!(
                "SELECT (SELECT max(number) FROM {changes})::text || '-' || \
                 md5(coalesce(string_agg(md5(line), '' ORDER BY key::text COLLATE \"C\", line), '')) \
                 FROM (SELECT key, ROW(key, value, version, metadata::text)::text AS line FROM {table}) AS lines"
            ),
            // Whatever keys the table has or has not, one writer at a time is sure to find what is there.
            lock: format!("LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE"),
            remove: format!("DELETE FROM {table} WHERE key::text = ANY ($1)"),
            count: format!("UPDATE {changes} SET number = number + 1 RETURNING number"),
            insert: format!(
                "INSERT INTO {table} (key, value, version, metadata) SELECT key, value, $4, metadata::json \
                 FROM unnest($1::text[], $2::text[], $3::text[]) AS item (key, value, metadata)"
            ),
            notify: format!("SELECT pg_notify('{channel}', '')"),
        }
    }
}

fn item(row: &Row) -> Result<Item, Fault> {
    let metadata: Option<&str> = column(row, 3)?;
    let metadata = metadata.map_or(Ok(Vec::new()), pairs::read);
    Ok(Item {
        key: column(row, 0)?,
        value: column(row, 1)?,
        version: column(row, 2)?,
        metadata: metadata.map_err(|error| Fault::Odd(format!("metadata of an item: {error}")))?,
    })
}

impl Configuration {
    /// Writes items, or removes keys where there are none.
    async fn change(&self, lent: &Lent, keys: &[String], items: &[NewItem]) -> Result<(), Fault> {
        lent.run(&self.sql.lock).await?;
        let removed = lent.execute(&self.sql.remove, &[&keys]).await?;
        if removed == 0 && items.is_empty() {
            return Ok(());
        }
        let row = lent.one(&self.sql.count, &[]).await?;
        let version = column::<i64>(&row, 0)?.to_string();
        if !items.is_empty() {
            let values: Vec<&str> = items.iter().map(|item| item.value.as_str()).collect();
            let metadata = items.iter().map(|item| pairs::write(&item.metadata));
            let metadata: Vec<Option<String>> = metadata.collect();
            let all: [Value<'_>; 4] = [&keys, &values, &metadata, &version];
            lent.execute(&self.sql.insert, &all).await?;
        }
        lent.rows(&self.sql.notify, &[], 1).await.map(drop)
    }

    async fn write(&self, keys: &[String], items: &[NewItem]) -> Result<()> {
        let lent = self.held.lend().await?;
        let work = || async { self.change(&lent, keys, items).await.map(Ok) };
        let answer = lent.atomically(work).await;
        self.wake.notify_waiters();
        answer
    }
}

#[async_trait]
impl Driver for Configuration {
    fn features(&self) -> Features {
        Features {
            durable: self.is_durable,
            writable: true,
        }
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        let lent = self.held.lend().await?;
        let rows = match keys.is_empty() {
            true => lent.rows(&self.sql.all, &[], ITEMS).await,
            false => lent.rows(&self.sql.some, &[&keys], ITEMS).await,
        };
        let items = rows.and_then(|rows| rows.iter().map(item).collect());
        items.map_err(Fault::of_read)
    }

    async fn version(&self) -> Result<String> {
        let lent = self.held.lend().await?;
        let row = lent.one(&self.sql.version, &[]).await;
        let version = row.and_then(|row| column(&row, 0));
        version.map_err(Fault::of_read)
    }

    async fn wait(&self, version: &str) -> Result<()> {
        loop {
            let mut heard = pin!(self.wake.notified());
            heard.as_mut().enable();
            if self.version().await? != version {
                return Ok(());
            }
            _ = timeout(LOOK, heard).await;
        }
    }

    async fn set(&self, items: Vec<NewItem>) -> Result<()> {
        // Of one key the last item counts.
        let mut last = Vec::with_capacity(items.len());
        for item in items.into_iter().rev() {
            if last.iter().all(|later: &NewItem| later.key != item.key) {
                last.push(item);
            }
        }
        let keys: Vec<_> = last.iter().map(|item| item.key.clone()).collect();
        match keys.is_empty() {
            true => self.held.client().map(drop),
            false => self.write(&keys, &last).await,
        }
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        self.write(&keys, &[]).await
    }

    fn describe(&self) -> Option<String> {
        self.held.describe()
    }

    async fn health(&self) -> Result<()> {
        self.held.health().await
    }

    async fn close(&self) -> Result<()> {
        self.listener.stop();
        self.held.close();
        // Whoever waits finds the store closed.
        self.wake.notify_waiters();
        Ok(())
    }
}
