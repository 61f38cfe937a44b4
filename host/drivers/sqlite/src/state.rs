//! State in Dapr's own table, with a second one beside it for what Dapr has not: a `daprd` reads and writes the same entries.
//!
//! The second table holds content types and fences. Dapr writes rows of its table without naming the columns, so that one
//! more would break it.

mod rows;
mod stamp;
mod write;

use crate::{
    database::Database,
    names::Table,
    schema,
    settings::{Settings, config},
};
use async_trait::async_trait;
use rows::Sql;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::task::AbortHandle;
use wythe_blocks::{
    Error, Key, Result, Site, Wrong,
    blocking::blocking,
    state::{Delete, Driver, Entry, Etag, Features, MAX_ANSWER, Operation, Page, Put, beyond},
};
use wythe_manifest::Duration as Time;

/// Time between two looks for entries whose time is over, by default.
const CLEANUP: Duration = Duration::from_secs(3_600);
/// Operations of one transaction.
const MAX_OPERATIONS: u32 = 1_000;
/// Bytes of a value.
const MAX_VALUE: u64 = 16 << 20;
/// Threads that read at once.
const READERS: usize = 4;
/// Entries that are removed in one transaction, so that no writer waits for long.
const BATCH: u32 = 1_000;

config! {
    struct Config {
        /// The table; default `state`.
        table_name: Option<String>,
        /// The table with the versions of tables; default `metadata`.
        metadata_table_name: Option<String>,
        /// Time between two looks for entries whose time is over; default 1 h.
        cleanup_interval: Option<Time>,
    }
}

/// A config that was found good.
pub(super) struct Parsed {
    settings: Settings,
    table: Table,
    versions: Table,
    cleanup: Duration,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    Ok(Parsed {
        table: Table::parse("tableName", config.table_name.as_deref(), "state")?,
        versions: schema::versions(config.metadata_table_name.as_deref())?,
        cleanup: config.cleanup_interval.map_or(CLEANUP, Duration::from),
        settings: config.file()?,
    })
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let opened = blocking(move || {
        let (table, versions) = (&parsed.table, &parsed.versions);
        let schemas = rows::schemas(table);
        let prepare = |connection: &mut _| schema::prepare(connection, versions, table, &schemas);
        let database = Database::open(&parsed.settings, &site, READERS, prepare)?;
        let state = State {
            sweeper: None,
            sql: Arc::new(Sql::new(table)),
            database: Arc::new(database),
        };
        Ok((state, parsed.cleanup))
    });
    let (mut state, cleanup) = opened.await?;
    state.sweeper = sweeper(&state, cleanup);
    Ok(Arc::new(state))
}

struct State {
    database: Arc<Database>,
    sql: Arc<Sql>,
    sweeper: Option<AbortHandle>,
}

impl Drop for State {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Starts to remove entries whose time is over, again and again; an interval of zero means never.
#[expect(
    clippy::disallowed_methods,
    reason = "the task belongs to the driver, which ends it when it is dropped"
)]
fn sweeper(state: &State, every: Duration) -> Option<AbortHandle> {
    if every.is_zero() {
        return None;
    }
    let (database, sql) = (Arc::downgrade(&state.database), state.sql.clone());
    Some(tokio::spawn(sweep(database, sql, every)).abort_handle())
}

async fn sweep(database: Weak<Database>, sql: Arc<Sql>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(database) = database.upgrade() else {
            return;
        };
        let once = || {
            let sql = sql.clone();
            database.write(move |connection| sql.sweep(connection, BATCH).map(Ok))
        };
        // An error is one of the file, of which its writers hear as well.
        while once().await.is_ok_and(|removed| removed == BATCH as usize) {}
    }
}

/// Refuses what is more than a row may be.
fn check(put: &Put) -> Result<()> {
    let (key, size) = (put.key.shown(), put.value.len());
    match size as u64 <= MAX_VALUE {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "the value of `{key}` has {size} bytes; at most {MAX_VALUE} are allowed"
        ))),
    }
}

impl State {
    fn stop(&self) {
        if let Some(task) = &self.sweeper {
            task.abort();
        }
    }
}

#[async_trait]
impl Driver for State {
    fn features(&self) -> Features {
        Features {
            transactions: true,
            ttl: true,
            list: true,
            increment: true,
            fence: true,
            durable: true,
            linearizable: true,
            counted: false,
            max_value_bytes: MAX_VALUE,
            max_operations: MAX_OPERATIONS,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let (sql, key) = (self.sql.clone(), key.clone());
        let read = self
            .database
            .read(move |session| sql.get(&session.connection, &key, &stamp::now()));
        read.await
    }

    async fn get_many(&self, keys: Vec<Key>) -> Vec<Result<Option<Entry>>> {
        let (sql, count) = (self.sql.clone(), keys.len());
        let read = self.database.read(move |session| {
            let (mut answers, mut size) = (Vec::with_capacity(keys.len()), 0);
            let now = stamp::now();
            for key in &keys {
                if size >= MAX_ANSWER {
                    answers.push(Err(beyond()));
                    continue;
                }
                let entry = sql.get(&session.connection, key, &now)?;
                size += entry.as_ref().map_or(0, |entry| entry.value.len());
                answers.push(Ok(entry));
            }
            Ok(answers)
        });
        let read = read.await;
        read.unwrap_or_else(|error| (0..count).map(|_| Err(error.duplicate())).collect())
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        check(&put)?;
        let sql = self.sql.clone();
        let write = self
            .database
            .write(move |connection| write::put(&sql, connection, &put, &stamp::now()));
        write.await
    }

    async fn put_many(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        let (sql, count) = (self.sql.clone(), puts.len());
        let write = self.database.write(move |connection| {
            let now = stamp::now();
            let each = puts.iter().map(|put| match check(put) {
                Ok(()) => write::put(&sql, connection, put, &now),
                Err(error) => Ok(Err(error)),
            });
            let answers: Result<Vec<Result<Etag>>, _> = each.collect();
            answers.map(Ok)
        });
        let write = write.await;
        write.unwrap_or_else(|error| (0..count).map(|_| Err(error.duplicate())).collect())
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        let sql = self.sql.clone();
        let write = self
            .database
            .write(move |connection| write::delete(&sql, connection, &delete, &stamp::now()));
        write.await
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        if operations.len() > MAX_OPERATIONS as usize {
            return Err(Error::invalid(format!(
                "a transaction of {} operations; at most {MAX_OPERATIONS} are allowed",
                operations.len()
            )));
        }
        for operation in &operations {
            if let Operation::Put(put) = operation {
                check(put)?;
            }
        }
        let sql = self.sql.clone();
        let write = self
            .database
            .write(move |connection| write::transact(&sql, connection, &operations, &stamp::now()));
        write.await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        if limit == 0 {
            return Err(Error::invalid(
                "the limit of a list is 0; expected at least 1",
            ));
        }
        let (sql, prefix) = (self.sql.clone(), prefix.to_owned());
        let cursor = cursor.map(str::to_owned);
        let read = self
            .database
            .read(move |session| sql.page(&session.connection, &prefix, cursor.as_deref(), limit));
        read.await
    }

    async fn increment(&self, key: &Key, delta: i64) -> Result<i64> {
        let (sql, key) = (self.sql.clone(), key.clone());
        let write = self.database.write(move |connection| {
            write::increment(&sql, connection, &key, delta, &stamp::now())
        });
        write.await
    }

    fn describe(&self) -> Option<String> {
        Some(self.database.describe())
    }

    fn is_shared(&self) -> bool {
        false
    }

    async fn health(&self) -> Result<()> {
        self.database.health().await
    }

    async fn close(&self) -> Result<()> {
        self.stop();
        let database = self.database.clone();
        blocking(move || {
            database.close();
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests;
