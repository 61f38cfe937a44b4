//! Jobs as rows, each taken by one host at a time: a lease is a time and a name in the row, so a host that is gone leaves it.

mod form;

use crate::{
    client::{Client, Lent, Value, bytes, column},
    fault::Fault,
    held::Held,
    names::Table,
    schema::{self, Schema},
    settings::{Settings, config},
};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use tokio_postgres::Row as Found;
use wythe_blocks::{
    Error, Result, Site, Wrong,
    jobs::{Driver, Features, Page, Row, Settle, Timestamp},
    random,
    time::milliseconds,
};

config! {
    struct Config {
        /// Text before the name `jobs` of the table; default none.
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
        table: Table::prefixed("tablePrefix", config.table_prefix.as_deref(), "jobs")?,
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
        "CREATE TABLE {table} (app text COLLATE \"C\" NOT NULL, name text COLLATE \"C\" NOT NULL, version bigint NOT NULL, \
         wake bigint, form text NOT NULL, data bytea NOT NULL, leased_by text, leased_until timestamp with time zone, \
         PRIMARY KEY (app, name)); CREATE INDEX ON {table} (app, wake)"
    )];
    let schema = Schema::of(table, &steps);
    schema::prepare(&client.lend().await?, &parsed.versions, table, &[schema]).await?;
    Ok(Arc::new(Jobs {
        is_durable: client.promises().is_durable(),
        held: Held::new(client),
        sql: Sql::new(table),
        me: random::name()?,
    }))
}

struct Jobs {
    held: Held,
    sql: Sql,
    is_durable: bool,
    /// The name under which this driver has rows.
    me: String,
}

struct Sql {
    insert: String,
    replace: String,
    get: String,
    delete: String,
    list: String,
    take: String,
    next: String,
    overdue: String,
    update: String,
    remove: String,
    give_back: String,
}

const FREE: &str = "(leased_until IS NULL OR leased_until <= clock_timestamp())";

impl Sql {
    fn new(table: &Table) -> Self {
        let columns = "app, name, version, wake, form, data";
        let insert = format!(
            "INSERT INTO {table} ({columns}) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (app, name)"
        );
        let changed = "wake = $4, form = $5, data = $6, leased_by = NULL, leased_until = NULL";
        let whole = format!("SELECT {columns} FROM {table}");
        Sql {
            replace: format!("{insert} DO UPDATE SET version = $3, {changed}"),
            insert: format!("{insert} DO NOTHING"),
            get: format!("{whole} WHERE app = $1 AND name = $2"),
            delete: format!("DELETE FROM {table} WHERE app = $1 AND name = $2"),
            list: format!(
                "{whole} WHERE app = $1 AND name >= $2 AND starts_with(name, $2) AND name > $3 ORDER BY name LIMIT $4"
            ),
            take: format!(
                "WITH due AS (SELECT app, name FROM {table} WHERE app = $1 AND wake <= $2 AND {FREE} \
                 ORDER BY wake, name LIMIT $3 FOR UPDATE SKIP LOCKED), \
                 taken AS (UPDATE {table} AS t SET leased_by = $5, \
                 leased_until = clock_timestamp() + $4::bigint * interval '1 millisecond' \
                 FROM due WHERE t.app = due.app AND t.name = due.name \
                 RETURNING t.app, t.name, t.version, t.wake, t.form, t.data) \
                 SELECT {columns} FROM taken ORDER BY wake, name"
            ),
            next: format!("SELECT min(wake) FROM {table} WHERE app = $1 AND {FREE}"),
            overdue: format!(
                "SELECT count(*) FROM (SELECT FROM {table} WHERE app = $1 AND wake <= $2 AND {FREE} LIMIT $3) AS due"
            ),
            update: format!(
                "UPDATE {table} SET version = $3, {changed} WHERE app = $1 AND name = $2 AND version = $7"
            ),
            remove: format!("DELETE FROM {table} WHERE app = $1 AND name = $2 AND version = $3"),
            give_back: format!(
                "UPDATE {table} SET leased_by = NULL, leased_until = NULL WHERE leased_by = $1"
            ),
        }
    }
}

/// Bits of a number without a sign, as the server has one with a sign.
fn bits(number: u64) -> i64 {
    number.cast_signed()
}

/// A time as the server has it: the last one that it has is as good as never.
fn time(time: Timestamp) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

fn row(found: &Found) -> Result<Row, Fault> {
    let wake: Option<i64> = column(found, 3)?;
    let form: &str = column(found, 4)?;
    let row = form::read(form, column(found, 1)?, bytes(found, 5)?);
    let row = row.map_err(|error| Fault::Odd(format!("a job: {error}")))?;
    Ok(Row {
        app: column(found, 0)?,
        version: column::<i64>(found, 2)?.cast_unsigned(),
        wake: wake.map(|wake| u64::try_from(wake).unwrap_or_default()),
        ..row
    })
}

fn rows(found: &[Found]) -> Result<Vec<Row>, Fault> {
    found.iter().map(row).collect()
}

impl Jobs {
    async fn write(
        &self,
        lent: &Lent,
        sql: &str,
        row: &Row,
        version: Option<u64>,
    ) -> Result<u64, Fault> {
        let form = form::write(row);
        let (written, wake, data) = (bits(row.version), row.wake.map(time), &row.job.data[..]);
        let version = version.map(bits);
        let mut values: Vec<Value<'_>> =
            vec![&row.app, &row.job.name, &written, &wake, &form, &data];
        if let Some(version) = &version {
            values.push(version);
        }
        lent.execute(sql, &values).await
    }

    async fn settle_one(&self, lent: &Lent, change: &Settle) -> Result<Result<()>, Fault> {
        let changed = match &change.row {
            Some(row) => {
                self.write(lent, &self.sql.update, row, Some(change.version))
                    .await?
            }
            None => {
                let version = bits(change.version);
                let values: [Value<'_>; 3] = [&change.app, &change.name, &version];
                lent.execute(&self.sql.remove, &values).await?
            }
        };
        Ok(match changed {
            0 => Err(Error::conflict(format!(
                "the job `{}` has changed or is gone",
                change.name
            ))),
            _ => Ok(()),
        })
    }

    /// The answers by position. Rows are changed in the order of their names, so that two hosts never wait for each other.
    async fn settle_all(&self, lent: &Lent, changes: &[Settle]) -> Result<Vec<Result<()>>, Fault> {
        let mut sorted: Vec<_> = changes.iter().enumerate().collect();
        sorted.sort_by_key(|(_, change)| (&change.app, &change.name));
        let mut answers: Vec<_> = changes.iter().map(|_| Ok(())).collect();
        for (place, change) in sorted {
            answers[place] = self.settle_one(lent, change).await?;
        }
        Ok(answers)
    }
}

#[async_trait]
impl Driver for Jobs {
    fn features(&self) -> Features {
        Features {
            durable: self.is_durable,
            counted: false,
        }
    }

    async fn put(&self, row: Row, overwrite: bool) -> Result<()> {
        let lent = self.held.lend().await?;
        let sql = match overwrite {
            true => &self.sql.replace,
            false => &self.sql.insert,
        };
        let written = self.write(&lent, sql, &row, None).await;
        match written.map_err(Fault::of_write)? {
            0 => Err(Error::conflict(format!(
                "there is a job `{}` already",
                row.job.name
            ))),
            _ => Ok(()),
        }
    }

    async fn get(&self, app: &str, name: &str) -> Result<Option<Row>> {
        let lent = self.held.lend().await?;
        let found = lent.row(&self.sql.get, &[&app, &name]).await;
        let row = found.and_then(|found| found.as_ref().map(row).transpose());
        row.map_err(Fault::of_read)
    }

    async fn delete(&self, app: &str, name: &str) -> Result<()> {
        let lent = self.held.lend().await?;
        let deleted = lent.execute(&self.sql.delete, &[&app, &name]).await;
        deleted.map(drop).map_err(Fault::of_write)
    }

    async fn list(
        &self,
        app: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page> {
        let lent = self.held.lend().await?;
        let (cursor, count) = (cursor.unwrap_or_default(), i64::from(limit) + 1);
        let values: [Value<'_>; 4] = [&app, &prefix, &cursor, &count];
        let found = lent.rows(&self.sql.list, &values, limit as usize + 1).await;
        let found = found.and_then(|found| rows(&found));
        let mut page = Page {
            rows: found.map_err(Fault::of_read)?,
            next: None,
        };
        if page.rows.len() > limit as usize {
            page.rows.truncate(limit as usize);
            page.next = page.rows.last().map(|row| row.job.name.clone());
        }
        Ok(page)
    }

    async fn take(
        &self,
        app: &str,
        until: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Row>> {
        let lent = self.held.lend().await?;
        let (until, count, lease) = (time(until), i64::from(limit), time(milliseconds(lease)));
        let values: [Value<'_>; 5] = [&app, &until, &count, &lease, &self.me];
        let found = lent.rows(&self.sql.take, &values, limit as usize).await;
        // What is handed out and not heard of comes again when its lease is over.
        let taken = found.and_then(|found| rows(&found));
        taken.map_err(Fault::of_read)
    }

    async fn next(&self, app: &str) -> Result<Option<Timestamp>> {
        let lent = self.held.lend().await?;
        let found = lent.row(&self.sql.next, &[&app]).await;
        let next = found.and_then(|found| match found {
            Some(found) => column::<Option<i64>>(&found, 0),
            None => Ok(None),
        });
        let next = next.map_err(Fault::of_read)?;
        Ok(next.map(|next| u64::try_from(next).unwrap_or_default()))
    }

    async fn overdue(&self, app: &str, until: Timestamp, limit: u32) -> Result<Option<u64>> {
        let lent = self.held.lend().await?;
        let (until, limit) = (time(until), i64::from(limit));
        let values: [Value<'_>; 3] = [&app, &until, &limit];
        let found = lent.row(&self.sql.overdue, &values).await;
        let count = found.and_then(|found| match found {
            Some(found) => column::<i64>(&found, 0).map(Some),
            None => Ok(None),
        });
        let count = count.map_err(Fault::of_read)?;
        Ok(count.map(|count| u64::try_from(count).unwrap_or_default()))
    }

    async fn settle(&self, changes: Vec<Settle>) -> Vec<Result<()>> {
        if changes.is_empty() {
            return Vec::new();
        }
        let done = async {
            let lent = self.held.lend().await?;
            let work = || async { self.settle_all(&lent, &changes).await.map(Ok) };
            lent.atomically(work).await
        };
        let done: Result<Vec<Result<()>>> = done.await;
        done.unwrap_or_else(|error| changes.iter().map(|_| Err(error.duplicate())).collect())
    }

    fn describe(&self) -> Option<String> {
        self.held.describe()
    }

    async fn health(&self) -> Result<()> {
        self.held.health().await
    }

    async fn close(&self) -> Result<()> {
        if let Ok(lent) = self.held.lend().await {
            // What is not given back comes again when its lease is over.
            _ = lent.execute(&self.sql.give_back, &[&self.me]).await;
        }
        self.held.close();
        Ok(())
    }
}
