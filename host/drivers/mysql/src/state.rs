//! State in Dapr's own table, with two columns beside: a `daprd` reads and writes the same entries.
//!
//! Each write is one statement, which holds its condition against the row while it has the row's lock; a transaction takes
//! its rows in the order of their keys, so that two never wait for each other.

mod batch;
mod sql;

use crate::{
    client::{Lent, TRIES, Work},
    fault::Fault,
    held::Held,
    names::Name,
    rows::{Cell, Value},
    schema::{self, Tables, text},
    settings::{Settings, Written},
};
use async_trait::async_trait;
use serde::Deserialize;
use sql::Sql;
use std::{
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};
use tokio::task::AbortHandle;
use wythe_blocks::{
    Error, Key, Result, Site, Wrong, random,
    state::{Condition, Delete, Driver, Entry, Etag, Features, Operation, Page, Put, sum},
    time::since_1970,
};
use wythe_manifest::{Duration as Time, Secret};

/// Time between two looks for entries whose time is over, by default.
const CLEANUP: Duration = Duration::from_secs(3_600);
/// Operations of one transaction.
const MAX_OPERATIONS: u32 = 1_000;
/// Bytes of a value, where the server's packets have room for it.
const MAX_VALUE: u64 = 16 << 20;
/// Bytes of a packet that are left for all but the value.
const BESIDE: u64 = 64 << 10;
/// The end of the times that the column has: 2038-01-01, in seconds.
const LAST: u64 = 2_145_916_800;
/// Entries that are removed by one statement.
const BATCH: u64 = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The server, as `user:password@tcp(host:port)/`.
    connection_string: Secret,
    /// The schema, which is made where it is missing; default `dapr_state_store`.
    schema_name: Option<String>,
    /// The table; default `state`.
    table_name: Option<String>,
    /// The table with the versions of tables; default `dapr_metadata`.
    metadata_table_name: Option<String>,
    /// Seconds of one statement; default 20.
    timeout_in_seconds: Option<u64>,
    /// The file of the authorities that sign; default those of the web.
    pem_path: Option<String>,
    /// The text of such a file.
    pem_contents: Option<String>,
    /// Connections at once; default 8.
    max_conns: Option<u32>,
    /// Time between two looks for entries whose time is over; default 1 h.
    cleanup_interval: Option<Time>,
}

/// A config that was found good.
pub(super) struct Parsed {
    settings: Settings,
    schema: Name,
    tables: Tables,
    cleanup: Duration,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let settings = Settings::parse(Written {
        setting: "connectionString",
        text: &config.connection_string,
        pem_path: config.pem_path,
        pem_contents: config.pem_contents,
        connections: config.max_conns,
        seconds: config.timeout_in_seconds,
    })?;
    if settings.database.is_some() {
        let text = "`connectionString` names a database; write it as `schemaName`, and nothing behind the `/`";
        return Err(Wrong::new("connectionString", Error::invalid(text)));
    }
    let versions = config.metadata_table_name.as_deref();
    Ok(Parsed {
        settings,
        schema: Name::parse(
            "schemaName",
            config.schema_name.as_deref(),
            "dapr_state_store",
        )?,
        tables: Tables {
            table: Name::parse("tableName", config.table_name.as_deref(), "state")?,
            versions: Name::parse("metadataTableName", versions, "dapr_metadata")?,
        },
        cleanup: config.cleanup_interval.map_or(CLEANUP, Duration::from),
    })
}

pub(super) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.settings.warnings("connectionString")
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let client = schema::open(parsed.settings, &parsed.schema, &site).await?;
    parsed.tables.prepare(&mut client.lend().await?).await?;
    let promises = client.promises();
    // A value is stored in base64, which has four letters for three bytes.
    let room = promises.max_packet.saturating_sub(BESIDE) / 4 * 3;
    let held = Arc::new(Held::new(client));
    let sql = Sql::new(&parsed.tables.table);
    Ok(Arc::new(State {
        sweeper: sweeper(&held, sql.over.clone(), parsed.cleanup),
        held,
        sql,
        is_durable: promises.is_durable,
        is_linearizable: promises.is_linearizable,
        max_value: room.min(MAX_VALUE),
    }))
}

struct State {
    held: Arc<Held>,
    sql: Sql,
    is_durable: bool,
    is_linearizable: bool,
    max_value: u64,
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
fn sweeper(held: &Arc<Held>, sql: String, every: Duration) -> Option<AbortHandle> {
    if every.is_zero() {
        return None;
    }
    Some(tokio::spawn(sweep(Arc::downgrade(held), sql, every)).abort_handle())
}

async fn sweep(held: Weak<Held>, sql: String, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(held) = held.upgrade() else { return };
        let once = async || {
            let mut lent = held.lend().await.ok()?;
            let answer = lent.execute(&sql, &[Value::Uint(BATCH)]).await.ok()?;
            Some(answer.affected)
        };
        // An error is one of the database, which those who ask it hear of as well.
        while once().await == Some(BATCH) {}
    }
}

/// The answer to one write: an etag of a put, or a condition that does not hold.
type Answer<T> = Result<Result<T>, Fault>;

/// An etag that no entry had before.
fn fresh() -> Etag {
    format!("{:016x}", random::next())
}

/// Microseconds of a time to live; nothing where it ends after all times that the column has.
fn lifetime(ttl: Option<Duration>) -> Option<u64> {
    let left = Duration::from_secs(LAST).saturating_sub(since_1970(SystemTime::now()));
    let ttl = ttl.filter(|ttl| *ttl < left)?;
    u64::try_from(ttl.as_nanos().div_ceil(1_000)).ok()
}

impl State {
    /// Refuses what the server would refuse together with all else that is written at once.
    fn check(&self, put: &Put) -> Result<()> {
        let (key, size, limit) = (put.key.shown(), put.value.len(), self.max_value);
        match size as u64 <= limit {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "the value of `{key}` has {size} bytes; at most {limit} are allowed"
            ))),
        }
    }

    async fn put_one(&self, lent: &mut Lent, put: &Put) -> Answer<Etag> {
        if let Err(error) = self.check(put) {
            return Ok(Err(error));
        }
        let (options, etag) = (&put.options, fresh());
        let value = sql::encoded(&put.value);
        let ttl = lifetime(options.ttl).map_or(Value::Null, Value::Uint);
        let content = options.content_type.as_deref().into();
        let fence = options.fence.map_or(Value::Null, Value::Uint);
        let key = Value::Bytes(put.key.whole().as_bytes());
        let (value, new) = (Value::Text(&value), Value::Text(&etag));
        let done = match &options.condition {
            Condition::Matches(old) => {
                let old = Value::Bytes(old.as_bytes());
                let values = [value, new, content, fence, ttl, key, old, fence, fence];
                lent.execute(&self.sql.update, &values).await?
            }
            condition => {
                let first = Value::Int((*condition == Condition::Absent).into());
                let mut values = vec![key, value, new, content, fence, ttl];
                for _ in 0..sql::GUARDS {
                    values.push(first);
                }
                lent.execute(&self.sql.put, &values).await?
            }
        };
        match done.affected {
            0 => {
                let conflict = self.conflict(lent, &put.key, &options.condition, options.fence);
                conflict.await.map(Err)
            }
            _ => Ok(Ok(etag)),
        }
    }

    async fn delete_one(&self, lent: &mut Lent, delete: &Delete) -> Answer<()> {
        let Delete { key, condition } = delete;
        let whole = Value::Bytes(key.whole().as_bytes());
        let is_done = match condition {
            Condition::Always => {
                lent.execute(&self.sql.delete, &[whole]).await?;
                true
            }
            Condition::Absent => lent.row(&self.sql.mark, &[whole]).await?.is_none(),
            Condition::Matches(etag) => {
                let values = [whole, Value::Bytes(etag.as_bytes())];
                lent.execute(&self.sql.delete_matching, &values)
                    .await?
                    .affected
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
        lent: &mut Lent,
        key: &Key,
        condition: &Condition,
        fence: Option<u64>,
    ) -> Result<Error, Fault> {
        let whole = Value::Bytes(key.whole().as_bytes());
        let row = lent.row(&self.sql.mark, &[whole]).await?;
        let key = key.shown();
        let etag = row.as_ref().and_then(|row| text(row.first()?));
        let mark = row.as_ref().and_then(|row| match row.get(1)? {
            Cell::Uint(mark) => Some(*mark),
            _ => None,
        });
        Ok(Error::conflict(match (condition, mark, fence) {
            (Condition::Absent, ..) => format!("`{key}` has an entry; expected none"),
            (Condition::Matches(_), ..) if row.is_none() => {
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

    async fn increment_one(&self, lent: &mut Lent, key: &Key, delta: i64) -> Answer<i64> {
        let whole = Value::Bytes(key.whole().as_bytes());
        let row = lent.row(&self.sql.lock, &[whole]).await?;
        let old = match &row {
            Some(row) if row.get(6) == Some(&Cell::Int(1)) => Some(sql::entry(row, 0)?),
            _ => None,
        };
        let old = old.as_ref().map(|entry| &entry.value[..]);
        let sum = match sum(key.shown(), old, delta) {
            Ok(sum) => sum,
            Err(error) => return Ok(Err(error)),
        };
        let (value, etag) = (sql::encoded(sum.to_string().as_bytes()), fresh());
        let (value, etag) = (Value::Text(&value), Value::Text(&etag));
        match (row.is_some(), old.is_some()) {
            (_, true) => {
                lent.execute(&self.sql.change, &[value, etag, whole])
                    .await?
            }
            (true, false) => lent.execute(&self.sql.renew, &[value, etag, whole]).await?,
            (false, _) => {
                lent.execute(&self.sql.insert, &[whole, value, etag])
                    .await?
            }
        };
        Ok(Ok(sum))
    }
}

struct Increment<'a> {
    state: &'a State,
    key: &'a Key,
    delta: i64,
}

#[async_trait]
impl Work for Increment<'_> {
    type Done = i64;

    async fn run(&self, lent: &mut Lent) -> Answer<i64> {
        self.state.increment_one(lent, self.key, self.delta).await
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
            linearizable: self.is_linearizable,
            counted: false,
            max_value_bytes: self.max_value,
            max_operations: MAX_OPERATIONS,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let mut lent = self.held.lend().await?;
        let key = Value::Bytes(key.whole().as_bytes());
        let row = lent.row(&self.sql.get, &[key]).await;
        let entry = row.and_then(|row| row.map(|row| sql::entry(&row, 0)).transpose());
        entry.map_err(Fault::of_read)
    }

    async fn get_many(&self, keys: Vec<Key>) -> Vec<Result<Option<Entry>>> {
        batch::get_many(self, &keys).await
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        let mut lent = self.held.lend().await?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.put_one(&mut lent, &put).await {
                Err(fault) if fault.is_collision() && tries < TRIES => {}
                answer => return answer.map_err(Fault::of_write)?,
            }
        }
    }

    async fn put_many(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        batch::put_many(self, puts).await
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        let mut lent = self.held.lend().await?;
        let mut tries = 0;
        loop {
            tries += 1;
            match self.delete_one(&mut lent, &delete).await {
                Err(fault) if fault.is_collision() && tries < TRIES => {}
                answer => return answer.map_err(Fault::of_write)?,
            }
        }
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
        let mut lent = self.held.lend().await?;
        let page = self.sql.page(&mut lent, prefix, cursor, limit).await;
        page.map_err(Fault::of_read)
    }

    async fn increment(&self, key: &Key, delta: i64) -> Result<i64> {
        let mut lent = self.held.lend().await?;
        let state = self;
        lent.atomically(&Increment { state, key, delta }).await
    }

    fn describe(&self) -> Option<String> {
        self.held.describe()
    }

    async fn health(&self) -> Result<()> {
        self.held.health().await
    }

    async fn close(&self) -> Result<()> {
        self.stop();
        self.held.close();
        Ok(())
    }
}

impl State {
    fn stop(&self) {
        if let Some(task) = &self.sweeper {
            task.abort();
        }
    }
}
