//! State in Dapr's own table (its second layout), with two columns beside: a `daprd` reads and writes the same entries.
//!
//! Each write is one statement, which holds its condition against the row while it has the row's lock; a transaction takes
//! its rows in the order of their keys, so that two never wait for each other.

mod batch;
mod sql;

use crate::{
    client::{Client, Lent, bytes, column, microseconds},
    fault::Fault,
    held::Held,
    names::Table,
    schema::{self, Schema},
    settings::{Settings, config},
    sweep::{Sweeper, removal},
};
use async_trait::async_trait;
use sql::Sql;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_postgres::{Row, error::SqlState};
use wythe_blocks::{
    Error, Key, Result, Site, Wrong,
    state::{
        Condition, Delete, Driver, Entry, Etag, Features, MAX_ANSWER, Operation, Page, Put, beyond,
        sum,
    },
};
use wythe_manifest::Duration as Time;

/// Time between two looks for entries whose time is over, by default.
const CLEANUP: Duration = Duration::from_secs(3_600);
/// Operations of one transaction.
const MAX_OPERATIONS: u32 = 1_000;
/// Bytes of a value.
const MAX_VALUE: u64 = 16 << 20;
/// A time to live beyond which an entry has no end.
const ENDLESS: Duration = Duration::from_secs(1_000 * 365 * 86_400);

config! {
    struct Config {
        /// Text before the name `state` of the table; default none.
        table_prefix: Option<String>,
        /// The table with the versions of tables; default `dapr_metadata`.
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
    /// The prefix as it is written, which is a part of the version's name.
    prefix: String,
    cleanup: Duration,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let prefix = config.table_prefix.as_deref();
    Ok(Parsed {
        table: Table::prefixed("tablePrefix", prefix, "state")?,
        versions: schema::versions(config.metadata_table_name.as_deref())?,
        prefix: prefix.unwrap_or_default().to_owned(),
        cleanup: config.cleanup_interval.map_or(CLEANUP, Duration::from),
        settings: config.server()?,
    })
}

pub(super) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.settings.warnings()
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let client = Client::open(parsed.settings, &site).await?;
    let table = &parsed.table;
    let lent = client.lend().await?;
    let old = schema::has_column(&lent, table, "isbinary");
    if old.await.map_err(Fault::of_read)? {
        return Err(Error::invalid(format!(
            "the table `{}` has the first layout of Dapr's, in which etags come again; write a `tablePrefix` for one of the second \
             (`version: v2`), and copy what is to be kept",
            table.plain()
        )));
    }
    let (theirs, ours) = (sql::theirs(table), sql::ours(table));
    let schemas = [
        Schema {
            row: format!("migrations-state-v2-{}", parsed.prefix),
            steps: &theirs,
        },
        Schema {
            row: format!("wythe-state-{}", parsed.prefix),
            steps: &ours,
        },
    ];
    schema::prepare(&lent, &parsed.versions, table, &schemas).await?;
    drop(lent);
    let held = Arc::new(Held::new(client.clone()));
    let over = removal(table, "expires_at <= now()");
    Ok(Arc::new(State {
        sweeper: Sweeper::start(&held, over, parsed.cleanup),
        held,
        sql: Sql::new(table),
        is_durable: client.promises().is_durable(),
    }))
}

struct State {
    held: Arc<Held>,
    sql: Sql,
    is_durable: bool,
    sweeper: Sweeper,
}

/// The answer to one write: an etag of a put, or a condition that does not hold.
type Answer<T> = Result<Result<T>, Fault>;

/// Microseconds of a time to live; nothing where it never ends.
fn lifetime(ttl: Option<Duration>) -> Option<i64> {
    ttl.filter(|ttl| *ttl < ENDLESS).map(microseconds)
}

/// Refuses what the server would refuse together with all else that is written at once.
fn check(put: &Put) -> Result<()> {
    let (key, size) = (put.key.shown(), put.value.len());
    if size as u64 > MAX_VALUE {
        return Err(Error::invalid(format!(
            "the value of `{key}` has {size} bytes; at most {MAX_VALUE} are allowed"
        )));
    }
    match &put.options.content_type {
        Some(content) if has_nul(content) => Err(Error::invalid(format!(
            "the content type of `{key}` has a NUL character, which the database takes in no text"
        ))),
        _ => Ok(()),
    }
}

/// Returns whether the database takes no such text.
fn has_nul(text: &str) -> bool {
    text.contains('\0')
}

fn entry(row: &Row, first: usize) -> Result<Entry, Fault> {
    Ok(Entry {
        value: bytes(row, first)?,
        etag: column(row, first + 1)?,
        content_type: column(row, first + 2)?,
        expires: column::<Option<SystemTime>>(row, first + 3)?,
    })
}

impl State {
    async fn put_one(&self, lent: &Lent, put: &Put) -> Answer<Etag> {
        if let Err(error) = check(put) {
            return Ok(Err(error));
        }
        let Put {
            key,
            value,
            options,
        } = put;
        let (whole, value) = (key.whole(), &value[..]);
        let ttl = lifetime(options.ttl);
        let content = options.content_type.as_deref();
        let fence = options.fence.map(|fence| fence.to_string());
        let row = match &options.condition {
            // No entry has such an etag.
            Condition::Matches(etag) if has_nul(etag) => None,
            Condition::Matches(etag) => {
                let sql = &self.sql.update;
                lent.row(sql, &[&whole, &value, &ttl, &content, &fence, etag])
                    .await?
            }
            condition => {
                let first = *condition == Condition::Absent;
                let sql = &self.sql.put;
                lent.row(sql, &[&whole, &value, &ttl, &content, &fence, &first])
                    .await?
            }
        };
        match row {
            Some(row) => Ok(Ok(column(&row, 0)?)),
            None => self
                .conflict(lent, key, &options.condition, options.fence)
                .await
                .map(Err),
        }
    }

    async fn delete_one(&self, lent: &Lent, delete: &Delete) -> Answer<()> {
        let Delete { key, condition } = delete;
        let whole = key.whole();
        let is_done = match condition {
            Condition::Always => {
                lent.execute(&self.sql.delete, &[&whole]).await?;
                true
            }
            Condition::Absent => lent.row(&self.sql.mark, &[&whole]).await?.is_none(),
            Condition::Matches(etag) if has_nul(etag) => false,
            Condition::Matches(etag) => {
                lent.execute(&self.sql.delete_matching, &[&whole, etag])
                    .await?
                    == 1
            }
        };
        match is_done {
            true => Ok(Ok(())),
            false => self.conflict(lent, key, condition, None).await.map(Err),
        }
    }

    /// The reason why a condition did not hold, as the entry is by now.
    async fn conflict(
        &self,
        lent: &Lent,
        key: &Key,
        condition: &Condition,
        fence: Option<u64>,
    ) -> Result<Error, Fault> {
        let key = (key.whole(), key.shown());
        let row = lent.row(&self.sql.mark, &[&key.0]).await?;
        let key = key.1;
        let is_there = row.is_some();
        let etag = row
            .as_ref()
            .map(|row| column::<String>(row, 0))
            .transpose()?;
        let mark = row
            .as_ref()
            .map(|row| column::<Option<String>>(row, 1))
            .transpose()?;
        Ok(Error::conflict(match (condition, mark.flatten(), fence) {
            (Condition::Absent, ..) => format!("`{key}` has an entry; expected none"),
            (Condition::Matches(_), ..) if !is_there => {
                format!("`{key}` has no entry; expected one with the given etag")
            }
            (Condition::Matches(expected), ..) if etag.as_ref() != Some(expected) => {
                format!("`{key}` has changed; expected the entry with the given etag")
            }
            (_, Some(mark), Some(fence)) => format!(
                "`{key}` was written with fence {mark}; expected at least that, found {fence}"
            ),
            _ => format!("`{key}` has changed meanwhile"),
        }))
    }

    async fn increment_one(&self, lent: &Lent, key: &Key, delta: i64) -> Answer<i64> {
        let row = lent.row(&self.sql.increment, &[&key.whole(), &delta]).await;
        match row {
            Ok(Some(row)) => Ok(Ok(column(&row, 0)?)),
            Ok(None) => Ok(sum(key.shown(), Some(b"?"), delta)),
            Err(fault) if fault.code() == Some(&SqlState::NUMERIC_VALUE_OUT_OF_RANGE) => {
                let row = lent.row(&self.sql.get, &[&key.whole()]).await?;
                let old = row.map(|row| bytes(&row, 0)).transpose()?;
                Ok(sum(key.shown(), old.as_deref(), delta).and_then(|_| {
                    Err(Error::unavailable(format!(
                        "`{}` has changed meanwhile",
                        key.shown()
                    )))
                }))
            }
            Err(fault) => Err(fault),
        }
    }

    async fn several(
        &self,
        lent: &Lent,
        keys: &[Key],
    ) -> Result<Vec<Result<Option<Entry>>>, Fault> {
        let whole: Vec<_> = keys.iter().map(Key::whole).collect();
        let limit = MAX_ANSWER as i64;
        let rows = lent
            .rows(&self.sql.get_many, &[&whole, &limit], keys.len())
            .await?;
        let mut found = rows.iter().peekable();
        let (mut answers, mut size) = (Vec::with_capacity(keys.len()), 0);
        for number in 1..=keys.len() {
            let is_it = |row: &&Row| row.try_get::<_, i64>(0).ok() == Some(number as i64);
            let row = found.next_if(is_it);
            if size >= MAX_ANSWER {
                answers.push(Err(beyond()));
                continue;
            }
            let entry = row.map(|row| entry(row, 1)).transpose()?;
            size += entry.as_ref().map_or(0, |entry| entry.value.len());
            answers.push(Ok(entry));
        }
        Ok(answers)
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
            durable: self.is_durable,
            linearizable: true,
            counted: false,
            max_value_bytes: MAX_VALUE,
            max_operations: MAX_OPERATIONS,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let lent = self.held.lend().await?;
        let row = lent.row(&self.sql.get, &[&key.whole()]).await;
        let entry = row.and_then(|row| row.map(|row| entry(&row, 0)).transpose());
        entry.map_err(Fault::of_read)
    }

    async fn get_many(&self, keys: Vec<Key>) -> Vec<Result<Option<Entry>>> {
        if keys.is_empty() {
            return Vec::new();
        }
        let answers = async {
            let lent = self.held.lend().await?;
            self.several(&lent, &keys).await.map_err(Fault::of_read)
        };
        match answers.await {
            Ok(answers) => answers,
            Err(error) => keys.iter().map(|_| Err(error.duplicate())).collect(),
        }
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        let lent = self.held.lend().await?;
        self.put_one(&lent, &put).await.map_err(Fault::of_write)?
    }

    async fn put_many(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        batch::put_many(self, puts).await
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        let lent = self.held.lend().await?;
        self.delete_one(&lent, &delete)
            .await
            .map_err(Fault::of_write)?
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        batch::transact(self, operations).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        if limit == 0 {
            return Err(Error::invalid(
                "the limit of a list is 0; expected at least 1",
            ));
        }
        let lent = self.held.lend().await?;
        let page = self.sql.page(&lent, prefix, cursor, limit).await;
        page.map_err(Fault::of_read)
    }

    async fn increment(&self, key: &Key, delta: i64) -> Result<i64> {
        let lent = self.held.lend().await?;
        let answer = self.increment_one(&lent, key, delta).await;
        answer.map_err(Fault::of_write)?
    }

    fn describe(&self) -> Option<String> {
        self.held.describe()
    }

    async fn health(&self) -> Result<()> {
        self.held.health().await
    }

    async fn close(&self) -> Result<()> {
        self.sweeper.stop();
        self.held.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
