//! Durable configuration: a table of items, and beside the format's number a counter of changes that never goes back.

use super::{META, commit, open as open_database, read, reopen, unavailable, write};
use crate::{
    durable::{
        committer::{Committer, Engine},
        disk,
        handle::Handle,
    },
    shared::configuration::items::Versions,
};
use async_trait::async_trait;
use redb::{Database, ReadTransaction, ReadableTable, Table, TableDefinition, WriteTransaction};
use serde::Deserialize;
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};
use wythe_blocks::{
    Error, Result, Site,
    blocking::blocking,
    configuration::{Driver, Features, Item, NewItem},
};
use wythe_manifest::ByteSize;

/// The change that wrote it, value, and metadata as a JSON list of pairs.
type Row = (u64, &'static str, &'static [u8]);

const ITEMS: TableDefinition<&str, Row> = TableDefinition::new("items");
/// Key in `META` of the number of changes so far.
const VERSION: &str = "version";

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The file; default `configuration.redb` in the component's directory.
    path: Option<PathBuf>,
    /// Memory for pages; default 64 MiB.
    cache_size: Option<ByteSize>,
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    blocking(move || {
        let path = disk::path(config.path, &site.directory, "configuration.redb");
        let database = open_database(&path, config.cache_size)?;
        let first = prepare(&database)?;
        let name = format!("configuration store `{}`", path.display());
        let database = Arc::new(Handle::new(name.clone(), database));
        let versions = Arc::new(Versions::new(first));
        let writer = Writer {
            database: database.clone(),
            versions: versions.clone(),
            path,
            cache_size: config.cache_size,
        };
        let committer = Arc::new(Committer::start(name, writer)?);
        let driver: Arc<dyn Driver> = Arc::new(Durable {
            database,
            versions,
            committer,
        });
        Ok(driver)
    })
    .await
}

/// Makes the tables and the counter where they are missing, and reads the counter.
fn prepare(database: &Database) -> Result<u64> {
    let transaction = write(database)?;
    let mut tables = Tables::open(&transaction)?;
    let found = tables.version()?;
    let is_new = found.is_none();
    let version = found.unwrap_or(1);
    if is_new {
        tables.put_version(version)?;
    }
    drop(tables);
    commit(transaction, is_new)?;
    Ok(version)
}

/// One order of an operator.
enum Change {
    Set(Vec<NewItem>),
    Delete(Vec<String>),
}

/// The committer's part of the store.
struct Writer {
    database: Arc<Handle<Database>>,
    versions: Arc<Versions>,
    path: PathBuf,
    cache_size: Option<ByteSize>,
}

impl Engine for Writer {
    type Write = Change;
    type Answer = ();

    fn commit(&mut self, changes: Vec<Change>) -> Result<Vec<Result<()>>> {
        let count = changes.len();
        let before = self.versions.now();
        let after = self.database.with(|database| {
            let transaction = write(database)?;
            let mut tables = Tables::open(&transaction)?;
            let mut version = before;
            for change in changes {
                version += u64::from(tables.apply(change, version + 1)?);
            }
            if version != before {
                tables.put_version(version)?;
            }
            drop(tables);
            commit(transaction, version != before)?;
            Ok(version)
        })?;
        if after != before {
            self.versions.notify(after);
        }
        Ok((0..count).map(|_| Ok(())).collect())
    }

    fn sweep(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn reopen(&mut self) -> Result<()> {
        self.database
            .reopen(|| reopen(&self.path, self.cache_size))?;
        // The change whose commit failed may be there after all.
        let version = self.database.with(prepare)?;
        if version != self.versions.now() {
            self.versions.notify(version);
        }
        Ok(())
    }
}

struct Tables<'a> {
    items: Table<'a, &'static str, Row>,
    meta: Table<'a, &'static str, u64>,
}

impl<'a> Tables<'a> {
    fn open(transaction: &'a WriteTransaction) -> Result<Self> {
        Ok(Tables {
            items: transaction.open_table(ITEMS).map_err(unavailable)?,
            meta: transaction.open_table(META).map_err(unavailable)?,
        })
    }

    fn version(&self) -> Result<Option<u64>> {
        let found = self.meta.get(VERSION).map_err(unavailable)?;
        Ok(found.map(|version| version.value()))
    }

    fn put_version(&mut self, version: u64) -> Result<()> {
        self.meta.insert(VERSION, version).map_err(unavailable)?;
        Ok(())
    }

    /// Applies a change; true if it changed anything.
    fn apply(&mut self, change: Change, version: u64) -> Result<bool> {
        let mut changed = false;
        match change {
            Change::Set(items) => {
                for item in &items {
                    changed |= self.set(item, version)?;
                }
            }
            Change::Delete(keys) => {
                for key in &keys {
                    let old = self.items.remove(key.as_str()).map_err(unavailable)?;
                    changed |= old.is_some();
                }
            }
        }
        Ok(changed)
    }

    /// An item that is so already keeps its version.
    fn set(&mut self, item: &NewItem, version: u64) -> Result<bool> {
        let (key, value) = (item.key.as_str(), item.value.as_str());
        let metadata = serde_json::to_vec(&item.metadata).map_err(|error| {
            Error::invalid(format!("the metadata of `{key}` cannot be kept")).with_source(error)
        })?;
        let old = self.items.get(key).map_err(unavailable)?;
        let is_same = old.is_some_and(|old| {
            let (_, old_value, old_metadata) = old.value();
            (old_value, old_metadata) == (value, metadata.as_slice())
        });
        if !is_same {
            let row = (version, value, metadata.as_slice());
            self.items.insert(key, row).map_err(unavailable)?;
        }
        Ok(!is_same)
    }
}

fn item(key: &str, (version, value, metadata): (u64, &str, &[u8])) -> Result<Item> {
    let metadata = serde_json::from_slice(metadata).map_err(|error| {
        Error::internal(format!("the metadata of `{key}` is damaged")).with_source(error)
    })?;
    Ok(Item {
        key: key.to_owned(),
        value: value.to_owned(),
        version: version.to_string(),
        metadata,
    })
}

/// Items of one moment, since all are read in one transaction.
fn items(transaction: &ReadTransaction, keys: &[String]) -> Result<Vec<Item>> {
    let table = transaction.open_table(ITEMS).map_err(unavailable)?;
    let mut items = Vec::new();
    if keys.is_empty() {
        for entry in table.iter().map_err(unavailable)? {
            let (key, row) = entry.map_err(unavailable)?;
            items.push(item(key.value(), row.value())?);
        }
        return Ok(items);
    }
    for key in keys.iter().collect::<BTreeSet<_>>() {
        if let Some(row) = table.get(key.as_str()).map_err(unavailable)? {
            items.push(item(key, row.value())?);
        }
    }
    Ok(items)
}

struct Durable {
    database: Arc<Handle<Database>>,
    /// Version as of the last commit.
    versions: Arc<Versions>,
    committer: Arc<Committer<Change, ()>>,
}

#[async_trait]
impl Driver for Durable {
    fn features(&self) -> Features {
        Features {
            durable: true,
            writable: true,
        }
    }

    // Reads block, on purpose: most find their pages cached and take microseconds.
    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        self.database.with(|database| items(&read(database)?, keys))
    }

    // A moment behind the file after a commit, and never behind a change that was acknowledged.
    async fn version(&self) -> Result<String> {
        self.database.with(|_| Ok(self.versions.now().to_string()))
    }

    async fn wait(&self, version: &str) -> Result<()> {
        self.versions.wait(version).await
    }

    async fn set(&self, items: Vec<NewItem>) -> Result<()> {
        self.committer.submit(Change::Set(items)).await
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        self.committer.submit(Change::Delete(keys)).await
    }

    async fn health(&self) -> Result<()> {
        self.committer.health()
    }

    async fn close(&self) -> Result<()> {
        let (database, committer) = (self.database.clone(), self.committer.clone());
        blocking(move || {
            // What was handed over still needs the database.
            committer.close();
            database.close();
            Ok(())
        })
        .await
    }
}
