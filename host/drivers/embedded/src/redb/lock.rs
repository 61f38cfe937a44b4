//! Durable locks: who holds what is in memory and in a table, the last token beside the format's number.
//!
//! Grants and the counter change in one transaction, and nothing is answered before it is on disk; so a token that was
//! told is never given again. Questions take the same way as orders: their answers never show what may yet be lost.

use super::{META, commit, open as open_database, read, reopen, unavailable, write};
use crate::{
    durable::{
        committer::{Committer, Engine},
        disk,
        handle::Handle,
    },
    shared::lock::{Answer, Locks, Moment, Order, Row, mixed_up},
};
use async_trait::async_trait;
use redb::{Database, ReadableTable, TableDefinition};
use serde::Deserialize;
use std::{
    collections::BTreeSet,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    Key, Result, Site,
    blocking::blocking,
    lock::{Acquired, Driver, Features, Grant},
};
use wythe_manifest::ByteSize;

/// Key: token, end by the wall clock, ttl (both in nanoseconds), owner.
const GRANTS: TableDefinition<&str, (u64, u64, u64, &str)> = TableDefinition::new("grants");
/// Key in `META` of the highest token so far.
const TOKEN: &str = "token";
/// Grants swept in one transaction, so that nobody waits for long.
const SWEEP_BATCH: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The file; default `lock.redb` in the component's directory.
    path: Option<PathBuf>,
    /// Memory for pages; default 64 MiB.
    cache_size: Option<ByteSize>,
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    blocking(move || {
        let path = disk::path(config.path, &site.directory, "lock.redb");
        let database = open_database(&path, config.cache_size)?;
        prepare(&database)?;
        let locks = load(&database)?;
        let name = format!("lock store `{}`", path.display());
        let writer = Writer {
            database: Handle::new(name.clone(), database),
            locks,
            path,
            cache_size: config.cache_size,
        };
        let committer = Arc::new(Committer::start(name, writer)?);
        let driver: Arc<dyn Driver> = Arc::new(Durable(committer));
        Ok(driver)
    })
    .await
}

/// Makes the table and the counter where they are missing.
fn prepare(database: &Database) -> Result<()> {
    let transaction = write(database)?;
    {
        transaction.open_table(GRANTS).map_err(unavailable)?;
        let mut meta = transaction.open_table(META).map_err(unavailable)?;
        let is_new = meta.get(TOKEN).map_err(unavailable)?.is_none();
        if is_new {
            meta.insert(TOKEN, Locks::first()).map_err(unavailable)?;
        }
    }
    commit(transaction, true)
}

fn load(database: &Database) -> Result<Locks> {
    let transaction = read(database)?;
    let meta = transaction.open_table(META).map_err(unavailable)?;
    let last = meta.get(TOKEN).map_err(unavailable)?;
    let mut locks = Locks::new(last.map_or_else(Locks::first, |token| token.value()));
    let now = Moment::now();
    let grants = transaction.open_table(GRANTS).map_err(unavailable)?;
    for item in grants.iter().map_err(unavailable)? {
        let (key, row) = item.map_err(unavailable)?;
        let (token, expires, ttl, owner) = row.value();
        let row = Row {
            token,
            expires,
            ttl,
            owner,
        };
        locks.restore(key.value(), &row, now);
    }
    Ok(locks)
}

/// The committer's part of the store.
struct Writer {
    database: Handle<Database>,
    /// Ahead of the table while a commit runs; after one that failed nothing is asked until it was read again.
    locks: Locks,
    path: PathBuf,
    cache_size: Option<ByteSize>,
}

impl Engine for Writer {
    type Write = Order;
    type Answer = Answer;

    fn commit(&mut self, orders: Vec<Order>) -> Result<Vec<Result<Answer>>> {
        let now = Moment::now();
        let mut changed = BTreeSet::new();
        let mut answers = Vec::with_capacity(orders.len());
        for order in orders {
            let answer = self.locks.apply(&order, now);
            if answer.as_ref().is_ok_and(Answer::is_change) {
                changed.insert(order.key().to_owned());
            }
            answers.push(answer);
        }
        self.write(&changed, now)?;
        Ok(answers)
    }

    fn sweep(&mut self) -> Result<bool> {
        let now = Moment::now();
        let over = self.locks.over(now, SWEEP_BATCH);
        over.iter().for_each(|key| self.locks.remove(key));
        let more = over.len() == SWEEP_BATCH;
        self.write(&over.into_iter().collect(), now)?;
        Ok(more)
    }

    fn reopen(&mut self) -> Result<()> {
        self.database
            .reopen(|| reopen(&self.path, self.cache_size))?;
        self.locks = self.database.with(load)?;
        Ok(())
    }
}

impl Writer {
    /// Brings the table up to date with what is held of these keys.
    fn write(&self, changed: &BTreeSet<String>, now: Moment) -> Result<()> {
        if changed.is_empty() {
            return Ok(());
        }
        self.database.with(|database| {
            let transaction = write(database)?;
            {
                let mut grants = transaction.open_table(GRANTS).map_err(unavailable)?;
                for key in changed {
                    let key = key.as_str();
                    match self.locks.row(key, now) {
                        Some(row) => {
                            let row = (row.token, row.expires, row.ttl, row.owner);
                            grants.insert(key, row).map_err(unavailable)?;
                        }
                        None => {
                            grants.remove(key).map_err(unavailable)?;
                        }
                    }
                }
                let mut meta = transaction.open_table(META).map_err(unavailable)?;
                let last = self.locks.last();
                meta.insert(TOKEN, last).map_err(unavailable)?;
            }
            commit(transaction, true)
        })
    }
}

struct Durable(Arc<Committer<Order, Answer>>);

#[async_trait]
impl Driver for Durable {
    fn features(&self) -> Features {
        Features { durable: true }
    }

    async fn acquire(&self, key: &Key, owner: &str, ttl: Duration) -> Result<Acquired> {
        let (key, owner) = (key.clone(), owner.to_owned());
        match self.0.submit(Order::Acquire { key, owner, ttl }).await? {
            Answer::Acquired(acquired) => Ok(acquired),
            other => Err(mixed_up(&other)),
        }
    }

    async fn renew(&self, key: &Key, token: u64, ttl: Duration) -> Result<SystemTime> {
        let key = key.clone();
        match self.0.submit(Order::Renew { key, token, ttl }).await? {
            Answer::Renewed(expires) => Ok(expires),
            other => Err(mixed_up(&other)),
        }
    }

    async fn release(&self, key: &Key, token: u64) -> Result<()> {
        let key = key.clone();
        let order = Order::Release { key, token };
        self.0.submit(order).await.map(drop)
    }

    async fn holder(&self, key: &Key) -> Result<Option<Grant>> {
        let key = key.clone();
        match self.0.submit(Order::Holder { key }).await? {
            Answer::Holder(grant) => Ok(grant),
            other => Err(mixed_up(&other)),
        }
    }

    async fn health(&self) -> Result<()> {
        self.0.health()
    }

    async fn close(&self) -> Result<()> {
        let committer = self.0.clone();
        blocking(move || {
            // Its thread owns the database, which is free when that has ended.
            committer.close();
            Ok(())
        })
        .await
    }
}
