//! Locks as rows that are never taken away while their token may be of use: a grant takes the row of the one before, and its
//! token is the next number of a sequence.
//!
//! The clock is the server's. A host is told the end by its own clock, from before it asked: never a moment too late.

use crate::{
    client::{Client, Value, column, microseconds, number},
    fault::Fault,
    held::Held,
    names::Table,
    schema::{self, Schema},
    settings::{Settings, config},
    sweep::{Sweeper, removal},
};
use async_trait::async_trait;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_postgres::Row;
use wythe_blocks::{
    Error, Key, Result, Site, Wrong,
    lock::{Acquired, Driver, Features, Grant},
    time::{Clock as _, NEVER},
};

/// Time between two looks for rows that are long over.
const CLEANUP: Duration = Duration::from_secs(3_600);

config! {
    struct Config {
        /// Text before the name `lock` of the table; default none.
        table_prefix: Option<String>,
        /// The table with the versions of tables; default `dapr_metadata`.
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
        table: Table::prefixed("tablePrefix", config.table_prefix.as_deref(), "lock")?,
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
    let steps = [format!(
        "CREATE TABLE {table} (key text COLLATE \"C\" NOT NULL PRIMARY KEY, token bigint NOT NULL, owner text NOT NULL, \
         expires_at timestamp with time zone NOT NULL); CREATE INDEX ON {table} (expires_at); \
         CREATE SEQUENCE {}",
        table.with("_tokens")
    )];
    let schema = Schema::of(table, &steps);
    schema::prepare(&client.lend().await?, &parsed.versions, table, &[schema]).await?;
    let is_durable = client.promises().is_durable();
    let held = Arc::new(Held::new(client));
    // Who was about to take a free row an hour ago is gone: a token of then is of no use to anybody.
    let over = removal(table, "expires_at < now() - interval '1 hour'");
    Ok(Arc::new(Lock {
        sweeper: Sweeper::start(&held, over, CLEANUP),
        held,
        sql: Sql::new(table),
        is_durable,
    }))
}

struct Lock {
    held: Arc<Held>,
    sql: Sql,
    is_durable: bool,
    sweeper: Sweeper,
}

struct Sql {
    acquire: String,
    renew: String,
    release: String,
    holder: String,
}

impl Sql {
    fn new(table: &Table) -> Self {
        let next = format!("nextval('{}')", table.with("_tokens"));
        let alive = "expires_at > clock_timestamp()";
        let mine = format!("key = $1 AND token = $2 AND {alive}");
        Sql {
            acquire: format!(
                "INSERT INTO {table} AS l (key, token, owner, expires_at) \
                 VALUES ($1, {next}, $2, clock_timestamp() + $3::bigint * interval '1 microsecond') \
                 ON CONFLICT (key) DO UPDATE SET token = {next}, owner = excluded.owner, \
                 expires_at = clock_timestamp() + $3::bigint * interval '1 microsecond' \
                 WHERE l.expires_at <= clock_timestamp() RETURNING token"
            ),
            renew: format!(
                "UPDATE {table} SET expires_at = clock_timestamp() + $3::bigint * interval '1 microsecond' WHERE {mine}"
            ),
            release: format!("UPDATE {table} SET expires_at = clock_timestamp() WHERE {mine}"),
            holder: format!(
                "SELECT token, owner, \
                 (extract(epoch FROM expires_at - clock_timestamp()) * 1000000)::bigint FROM {table} WHERE key = $1 AND {alive}"
            ),
        }
    }
}

/// A token as the server has it; none where it cannot be one.
fn known(token: u64) -> Option<i64> {
    i64::try_from(token).ok()
}

fn grant(row: &Row, now: SystemTime) -> Result<Grant, Fault> {
    Ok(Grant {
        token: number(row, 0)?,
        owner: column(row, 1)?,
        expires: now.after(Duration::from_micros(number(row, 2)?)),
    })
}

fn over(key: &Key) -> Error {
    Error::conflict(format!(
        "the grant of `{}` with that token is over; acquire it again",
        key.shown()
    ))
}

#[async_trait]
impl Driver for Lock {
    fn features(&self) -> Features {
        Features {
            durable: self.is_durable,
        }
    }

    async fn acquire(&self, key: &Key, owner: &str, ttl: Duration) -> Result<Acquired> {
        let lent = self.held.lend().await?;
        let before = SystemTime::now();
        let time = microseconds(ttl.min(NEVER));
        let taken = lent
            .row(&self.sql.acquire, &[&key.whole(), &owner, &time])
            .await;
        if let Some(row) = taken.map_err(Fault::of_write)? {
            return Ok(Acquired::Granted(Grant {
                token: number(&row, 0).map_err(Fault::of_write)?,
                expires: before.after(ttl),
                owner: owner.to_owned(),
            }));
        }
        let row = lent.row(&self.sql.holder, &[&key.whole()]).await;
        let holder = row.and_then(|row| row.map(|row| grant(&row, SystemTime::now())).transpose());
        let expires = holder.map_err(Fault::of_read)?.map(|grant| grant.expires);
        Ok(Acquired::Held { expires })
    }

    async fn renew(&self, key: &Key, token: u64, ttl: Duration) -> Result<SystemTime> {
        let lent = self.held.lend().await?;
        let token = known(token).ok_or_else(|| over(key))?;
        let before = SystemTime::now();
        let time = microseconds(ttl.min(NEVER));
        let values: [Value<'_>; 3] = [&key.whole(), &token, &time];
        let renewed = lent.execute(&self.sql.renew, &values).await;
        match renewed.map_err(Fault::of_write)? {
            0 => Err(over(key)),
            _ => Ok(before.after(ttl)),
        }
    }

    async fn release(&self, key: &Key, token: u64) -> Result<()> {
        let lent = self.held.lend().await?;
        let token = known(token).ok_or_else(|| over(key))?;
        let released = lent
            .execute(&self.sql.release, &[&key.whole(), &token])
            .await;
        match released.map_err(Fault::of_write)? {
            0 => Err(over(key)),
            _ => Ok(()),
        }
    }

    async fn holder(&self, key: &Key) -> Result<Option<Grant>> {
        let lent = self.held.lend().await?;
        let row = lent.row(&self.sql.holder, &[&key.whole()]).await;
        let now = SystemTime::now();
        let grant = row.and_then(|row| row.map(|row| grant(&row, now)).transpose());
        grant.map_err(Fault::of_read)
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
