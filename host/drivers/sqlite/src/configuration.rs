//! Configuration in a table as PostgreSQL has it for Dapr: key, value, version, metadata. Its version is that of all rows
//! together, so that whoever changes one is noticed, by whatever means.

use crate::{
    database::{Database, Session},
    fault::Fault,
    names::Table,
    schema::{self, Schema},
    settings::{Settings, config},
};
use async_trait::async_trait;
use rusqlite::{Connection, Row};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};
use tokio::{sync::Notify, time::timeout};
use wythe_blocks::{
    Result, Site, Wrong,
    blocking::blocking,
    configuration::{Driver, Features, Item, NewItem, pairs},
    text::hex,
};

/// Items of a store, and bytes of them all.
const ITEMS: usize = 100_000;
const BYTES: usize = 64 << 20;
/// Time between two looks at the file.
const LOOK: Duration = Duration::from_secs(1);
const VERSION: u32 = 1;

config! {
    struct Config {
        /// The table, which is made where it is missing; default `configuration`.
        table: Option<String>,
        /// The table with the versions of tables; default `metadata`.
        metadata_table_name: Option<String>,
    }
}

/// A config that was found good.
pub(super) struct Parsed {
    settings: Settings,
    table: Table,
    versions: Table,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    Ok(Parsed {
        table: Table::parse("table", config.table.as_deref(), "configuration")?,
        versions: schema::versions(config.metadata_table_name.as_deref())?,
        settings: config.file()?,
    })
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let opened = blocking(move || {
        let (table, versions) = (&parsed.table, &parsed.versions);
        let schemas = [shape(table)];
        let prepare = |connection: &mut _| schema::prepare(connection, versions, table, &schemas);
        // One reader, which remembers what it saw the last time.
        let database = Database::open(&parsed.settings, &site, 1, prepare)?;
        let configuration: Arc<dyn Driver> = Arc::new(Configuration {
            database: Arc::new(database),
            sql: Arc::new(Sql::new(table)),
            wake: Notify::new(),
        });
        Ok(configuration)
    });
    opened.await
}

fn shape(table: &Table) -> Schema {
    let changes = changes(table);
    Schema {
        row: format!("wythe-{}", table.plain()),
        known: VERSION,
        make: format!(
            "CREATE TABLE IF NOT EXISTS {table} (key TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL, version TEXT NOT NULL, \
             metadata TEXT); \
             CREATE TABLE IF NOT EXISTS {changes} (number INTEGER NOT NULL); \
             INSERT INTO {changes} SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM {changes})"
        ),
        probe: format!("SELECT key, value, version, metadata FROM {table}"),
    }
}

fn changes(table: &Table) -> Table {
    table.with("_changes")
}

struct Sql {
    all: String,
    one: String,
    number: String,
    count: String,
    put: String,
    remove: String,
}

impl Sql {
    fn new(table: &Table) -> Self {
        let changes = changes(table);
        let items = format!(
            "SELECT CAST(key AS TEXT), CAST(value AS TEXT), CAST(version AS TEXT), CAST(metadata AS TEXT) FROM {table}"
        );
        Sql {
            all: format!("{items} ORDER BY key"),
            one: format!("{items} WHERE key = ?1"),
            number: format!("SELECT max(number) FROM {changes}"),
            count: format!("UPDATE {changes} SET number = number + 1 RETURNING number"),
            put: format!(
                "INSERT OR REPLACE INTO {table} (key, value, version, metadata) VALUES (?1, ?2, ?3, ?4)"
            ),
            remove: format!("DELETE FROM {table} WHERE key = ?1"),
        }
    }

    /// All of the items, within the bounds of a store.
    fn all(&self, connection: &Connection) -> Result<Vec<Item>, Fault> {
        let mut statement = connection.prepare_cached(&self.all)?;
        let mut rows = statement.query([])?;
        let (mut items, mut size) = (Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let item = item(row)?;
            size += item.key.len() + item.value.len();
            if items.len() == ITEMS || size > BYTES {
                return Err(Fault::odd("more items or bytes than a store may have"));
            }
            items.push(item);
        }
        Ok(items)
    }

    fn some(&self, connection: &Connection, keys: &[String]) -> Result<Vec<Item>, Fault> {
        let mut statement = connection.prepare_cached(&self.one)?;
        let mut items = Vec::new();
        for key in keys.iter().collect::<BTreeSet<_>>() {
            let mut rows = statement.query([key])?;
            if let Some(row) = rows.next()? {
                items.push(item(row)?);
            }
        }
        Ok(items)
    }

    /// The version of all items, which is found out anew where the file has changed since the last look.
    fn version(&self, session: &mut Session) -> Result<String, Fault> {
        let connection = &mut session.connection;
        // One moment for both looks; of what comes after it, the next look finds out.
        let moment = connection.transaction()?;
        let (number, changed): (i64, i64) = {
            let number = moment.prepare_cached(&self.number)?.query_row([], first)?;
            let changed = moment
                .prepare_cached("PRAGMA data_version")?
                .query_row([], first)?;
            (number, changed)
        };
        if let Some((before, version)) = &session.seen
            && *before == changed
        {
            return Ok(version.clone());
        }
        let mut digest = Sha256::new();
        for item in self.all(&moment)? {
            for text in [&item.key, &item.value, &item.version] {
                digest.update((text.len() as u64).to_le_bytes());
                digest.update(text);
            }
            digest.update(pairs::write(&item.metadata).unwrap_or_default());
        }
        drop(moment);
        let version = format!("{number}-{}", hex(&digest.finalize()[..16]));
        session.seen = Some((changed, version.clone()));
        Ok(version)
    }

    /// Counts a change that is about to be made, or has been.
    fn count(&self, connection: &Connection) -> Result<String, Fault> {
        let number: i64 = connection
            .prepare_cached(&self.count)?
            .query_row([], first)?;
        Ok(number.to_string())
    }
}

fn first<T: rusqlite::types::FromSql>(row: &Row<'_>) -> rusqlite::Result<T> {
    row.get(0)
}

fn item(row: &Row<'_>) -> Result<Item, Fault> {
    let metadata: Option<String> = row.get(3)?;
    let metadata = metadata.map_or(Ok(Vec::new()), |text| pairs::read(&text));
    Ok(Item {
        key: row.get(0)?,
        value: row.get(1)?,
        version: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        metadata: metadata.map_err(|_| Fault::odd("the metadata of an item are no object"))?,
    })
}

struct Configuration {
    database: Arc<Database>,
    sql: Arc<Sql>,
    /// Told of changes that this driver makes; others are found by looking.
    wake: Notify,
}

#[async_trait]
impl Driver for Configuration {
    fn features(&self) -> Features {
        Features {
            durable: true,
            writable: true,
        }
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        let (sql, keys) = (self.sql.clone(), keys.to_vec());
        let read = self.database.read(move |session| {
            let moment = session.connection.transaction()?;
            match keys.is_empty() {
                true => sql.all(&moment),
                false => sql.some(&moment, &keys),
            }
        });
        read.await
    }

    async fn version(&self) -> Result<String> {
        let sql = self.sql.clone();
        self.database
            .read(move |session| sql.version(session))
            .await
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
        let sql = self.sql.clone();
        let write = self.database.write(move |connection| {
            if items.is_empty() {
                return Ok(Ok(()));
            }
            let version = sql.count(connection)?;
            let mut put = connection.prepare_cached(&sql.put)?;
            for item in &items {
                let metadata = pairs::write(&item.metadata);
                put.execute((&item.key, &item.value, &version, metadata))?;
            }
            Ok(Ok(()))
        });
        let answer = write.await;
        self.wake.notify_waiters();
        answer
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        let sql = self.sql.clone();
        let write = self.database.write(move |connection| {
            let mut removed = 0;
            for key in &keys {
                removed += connection.prepare_cached(&sql.remove)?.execute([key])?;
            }
            if removed > 0 {
                sql.count(connection)?;
            }
            Ok(Ok(()))
        });
        let answer = write.await;
        self.wake.notify_waiters();
        answer
    }

    fn describe(&self) -> Option<String> {
        Some(self.database.describe())
    }

    async fn health(&self) -> Result<()> {
        self.database.health().await
    }

    async fn close(&self) -> Result<()> {
        let database = self.database.clone();
        let closed = blocking(move || {
            database.close();
            Ok(())
        });
        let closed = closed.await;
        // Whoever waits finds the store closed.
        self.wake.notify_waiters();
        closed
    }
}
