//! State in a table, with an index of expiries that changes in the same transactions.

use super::{StateConfig, commit, open as open_database, read, reopen, unavailable, write};
use crate::{
    durable::{
        codec::entry,
        committer::ends_batch,
        disk,
        state::{Local, Store},
    },
    shared::state::{
        apply::{self, Answer, Write},
        counted::Counted,
        page,
        record::{Record, Version},
    },
};
use redb::{Database, ReadableTable, Table, TableDefinition, WriteTransaction};
use std::{ops::Bound, sync::Arc};
use wythe_blocks::{
    Result, Site,
    blocking::blocking,
    state::{Amount, Charge, Driver, Stored},
};

const ENTRIES: TableDefinition<&str, &[u8]> = TableDefinition::new("entries");
const EXPIRIES: TableDefinition<(u64, &str), ()> = TableDefinition::new("expiries");
/// Entries swept in one transaction, so that no writer waits for long.
const SWEEP_BATCH: usize = 1_000;

pub(super) async fn open(config: StateConfig, site: Site) -> Result<Arc<dyn Driver>> {
    blocking(move || {
        let path = disk::path(config.path, &site.directory, "state.redb");
        let database = open_database(&path, config.cache_size)?;
        let transaction = write(&database)?;
        Tables::open(&transaction)?;
        commit(transaction, true)?;
        let (place, cache_size) = (path.clone(), config.cache_size);
        let stored = site.stored();
        let tree = Tree::new(database, stored.clone())?;
        let count = stored.clone();
        let again = Box::new(move || Tree::new(reopen(&place, cache_size)?, count.clone()));
        let driver: Arc<dyn Driver> = Arc::new(Local::new(tree, stored, &path, again)?);
        Ok(driver)
    })
    .await
}

struct Tree {
    database: Database,
    stored: Option<Arc<Stored>>,
}

impl Store for Tree {
    fn get(&self, key: &str) -> Result<Option<Record>> {
        let entries = read(&self.database)?
            .open_table(ENTRIES)
            .map_err(unavailable)?;
        let found = entries.get(key).map_err(unavailable)?;
        found.map(|bytes| entry::decode(bytes.value())).transpose()
    }

    fn list(&self, prefix: &str, cursor: Option<&str>, page: &mut page::Builder) -> Result<()> {
        let entries = read(&self.database)?
            .open_table(ENTRIES)
            .map_err(unavailable)?;
        let range = (page::start(prefix, cursor), Bound::Unbounded);
        for item in entries.range::<&str>(range).map_err(unavailable)? {
            let (key, bytes) = item.map_err(unavailable)?;
            if page
                .offer(key.value(), &entry::decode(bytes.value())?)
                .is_break()
            {
                break;
            }
        }
        Ok(())
    }

    fn commit(&self, writes: Vec<Write>, now: u64) -> Result<Vec<Result<Answer>>> {
        let transaction = write(&self.database)?;
        let mut answers = Vec::with_capacity(writes.len());
        let mut tables = Tables::open(&transaction)?;
        let mut charge = Charge::new(self.stored.as_deref());
        let mut table = Counted::new(&mut tables, &mut charge);
        for write in writes {
            let answer = apply::apply(&mut table, write, now);
            if ends_batch(&answer) {
                answer?;
            } else {
                answers.push(answer);
            }
        }
        let changed = tables.changed;
        drop(tables);
        commit(transaction, changed)?;
        charge.settle();
        Ok(answers)
    }

    fn sweep(&self, now: u64) -> Result<bool> {
        let over = self.over(now)?;
        if over.is_empty() {
            return Ok(false);
        }
        let transaction = write(&self.database)?;
        let mut tables = Tables::open(&transaction)?;
        let mut charge = Charge::new(self.stored.as_deref());
        let mut table = Counted::new(&mut tables, &mut charge);
        for key in &over {
            apply::Table::set(&mut table, key, None)?;
        }
        drop(tables);
        commit(transaction, true)?;
        charge.settle();
        Ok(over.len() == SWEEP_BATCH)
    }
}

impl Tree {
    /// A store as it is on disk, whose entries are counted once.
    fn new(database: Database, stored: Option<Arc<Stored>>) -> Result<Self> {
        if let Some(stored) = &stored {
            let entries = read(&database)?.open_table(ENTRIES).map_err(unavailable)?;
            let mut found = Amount::default();
            for item in entries.iter().map_err(unavailable)? {
                let (key, bytes) = item.map_err(unavailable)?;
                found += Amount::of(key.value(), Some(length(bytes.value())));
            }
            stored.count(found);
        }
        Ok(Tree { database, stored })
    }

    /// Finds entries whose time is over. The committer's thread alone sweeps and writes, so they are still there when
    /// they are removed.
    fn over(&self, now: u64) -> Result<Vec<String>> {
        let expiries = read(&self.database)?
            .open_table(EXPIRIES)
            .map_err(unavailable)?;
        let mut keys = Vec::new();
        for item in expiries.iter().map_err(unavailable)?.take(SWEEP_BATCH) {
            let (place, _) = item.map_err(unavailable)?;
            let (at, key) = place.value();
            if at > now {
                break;
            }
            keys.push(key.to_owned());
        }
        Ok(keys)
    }
}

struct Tables<'a> {
    entries: Table<'a, &'static str, &'static [u8]>,
    expiries: Table<'a, (u64, &'static str), ()>,
    changed: bool,
}

impl<'a> Tables<'a> {
    fn open(transaction: &'a WriteTransaction) -> Result<Self> {
        Ok(Tables {
            entries: transaction.open_table(ENTRIES).map_err(unavailable)?,
            expiries: transaction.open_table(EXPIRIES).map_err(unavailable)?,
            changed: false,
        })
    }

    /// The expiry and the length of the entry that was replaced.
    fn replace(
        &mut self,
        key: &str,
        record: Option<&Record>,
    ) -> Result<(Option<u64>, Option<u64>)> {
        let old = match record {
            Some(record) => self
                .entries
                .insert(key, entry::encode(record).as_slice())
                .map_err(unavailable)?,
            None => self.entries.remove(key).map_err(unavailable)?,
        };
        self.changed |= record.is_some() || old.is_some();
        // A damaged record has no expiry to forget; replacing it is the way to be rid of it.
        let expires = old
            .as_ref()
            .and_then(|bytes| entry::version(bytes.value()).ok())
            .and_then(|version| version.expires);
        Ok((expires, old.map(|bytes| length(bytes.value()))))
    }
}

fn length(bytes: &[u8]) -> u64 {
    entry::length_of(bytes, bytes.len())
}

impl apply::Table for Tables<'_> {
    fn version(&self, key: &str) -> Result<Option<Version>> {
        let found = self.entries.get(key).map_err(unavailable)?;
        found.map(|bytes| entry::version(bytes.value())).transpose()
    }

    fn get(&self, key: &str) -> Result<Option<Record>> {
        let found = self.entries.get(key).map_err(unavailable)?;
        found.map(|bytes| entry::decode(bytes.value())).transpose()
    }

    fn length(&self, key: &str) -> Result<Option<u64>> {
        let found = self.entries.get(key).map_err(unavailable)?;
        Ok(found.map(|bytes| length(bytes.value())))
    }

    fn set(&mut self, key: &str, record: Option<Record>) -> Result<Option<u64>> {
        let expires = record.as_ref().and_then(|record| record.version.expires);
        let (expired, old) = self.replace(key, record.as_ref())?;
        if let Some(at) = expired {
            self.expiries.remove((at, key)).map_err(unavailable)?;
        }
        if let Some(at) = expires {
            self.expiries.insert((at, key), ()).map_err(unavailable)?;
        }
        Ok(old)
    }
}
