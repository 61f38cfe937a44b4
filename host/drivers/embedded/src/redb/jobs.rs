//! Jobs in a table, with an index by app, shard and wake that changes in the same transactions; who has what is in memory.

mod due_index;
mod tables;
mod upgrade;

use super::{commit, open_as, read, reopen_as, unavailable, write};
use crate::{
    durable::{
        codec::job,
        committer::{Committer, Engine, ends_batch},
        disk,
        handle::Handle,
    },
    shared::{jobs::leases::Leases, state::page},
};
use async_trait::async_trait;
use due_index::{DUE_INDEX, DueIndex};
use parking_lot::Mutex;
use redb::{Database, ReadableTableMetadata as _};
use serde::Deserialize;
use std::{
    ops::Bound,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};
use tables::{JOBS, Tables};
use upgrade::KNOWN;
use wythe_blocks::{
    Error, Result, Site,
    blocking::blocking,
    jobs::{Driver, Features, Page, Row, Settle, Timestamp},
};
use wythe_manifest::ByteSize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The file; default `jobs.redb` in the component's directory.
    path: Option<PathBuf>,
    /// Memory for pages; default 64 MiB.
    cache_size: Option<ByteSize>,
}

/// A page ends early beyond this, so that a list of jobs with much data cannot fill the memory.
const MAX_BYTES: usize = 16 << 20;

/// Reads no rows, but for those of an index of the first format: each is read when it is due.
pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    blocking(move || {
        let path = disk::path(config.path, &site.directory, "jobs.redb");
        let database = open_as(KNOWN, &path, config.cache_size)?;
        upgrade::upgrade(&database)?;
        let transaction = write(&database)?;
        Tables::open(&transaction)?;
        commit(transaction, true)?;
        let name = format!("job store `{}`", path.display());
        let database = Arc::new(Handle::new(name.clone(), database));
        let leases = Arc::new(Mutex::default());
        let writer = Writer {
            database: database.clone(),
            leases: leases.clone(),
            path,
            cache_size: config.cache_size,
        };
        let driver: Arc<dyn Driver> = Arc::new(Jobs {
            database,
            committer: Arc::new(Committer::start(name, writer)?),
            leases,
        });
        Ok(driver)
    })
    .await
}

struct Jobs {
    database: Arc<Handle<Database>>,
    committer: Arc<Committer<Write, Answer>>,
    leases: Arc<Mutex<Leases>>,
}

enum Write {
    Put { row: Box<Row>, overwrite: bool },
    Delete { app: String, name: String },
    Settle(Vec<Settle>),
}

enum Answer {
    Done,
    Settled(Vec<Result<()>>),
}

struct Writer {
    database: Arc<Handle<Database>>,
    leases: Arc<Mutex<Leases>>,
    path: PathBuf,
    cache_size: Option<ByteSize>,
}

impl Engine for Writer {
    type Write = Write;
    type Answer = Answer;

    fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Result<Answer>>> {
        let (answers, written) = self.database.with(|database| {
            let transaction = write(database)?;
            let mut tables = Tables::open(&transaction)?;
            let mut answers = Vec::with_capacity(writes.len());
            for write in writes {
                let answer = apply(&mut tables, write);
                if ends_batch(&answer) {
                    answer?;
                } else {
                    answers.push(answer);
                }
            }
            let written = std::mem::take(&mut tables.written);
            drop(tables);
            commit(transaction, !written.is_empty())?;
            Ok((answers, written))
        })?;
        // Only now: a row is free when its new state can be read.
        let mut leases = self.leases.lock();
        for (app, name) in &written {
            leases.free(app, name);
        }
        Ok(answers)
    }

    fn sweep(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn reopen(&mut self) -> Result<()> {
        let reopen = || reopen_as(KNOWN, &self.path, self.cache_size);
        self.database.reopen(reopen)
    }
}

fn apply(tables: &mut Tables, write: Write) -> Result<Answer> {
    match write {
        Write::Put { row, overwrite } => {
            let (app, name) = (row.app.as_str(), row.job.name.as_str());
            if !overwrite && tables.head(app, name)?.is_some() {
                return Err(Error::conflict(format!("there is a job `{name}` already")));
            }
            tables.set(app, name, Some(&row))?;
            Ok(Answer::Done)
        }
        Write::Delete { app, name } => {
            tables.set(&app, &name, None)?;
            Ok(Answer::Done)
        }
        Write::Settle(changes) => {
            let mut answers = Vec::with_capacity(changes.len());
            for change in changes {
                let answer = settle(tables, &change);
                if ends_batch(&answer) {
                    answer?;
                } else {
                    answers.push(answer);
                }
            }
            Ok(Answer::Settled(answers))
        }
    }
}

fn settle(tables: &mut Tables, change: &Settle) -> Result<()> {
    let (app, name) = (change.app.as_str(), change.name.as_str());
    match tables.head(app, name)? {
        Some(head) if head.version == change.version => {}
        _ => {
            return Err(Error::conflict(format!(
                "job `{name}` was changed or is gone"
            )));
        }
    }
    tables.set(app, name, change.row.as_ref())
}

/// The leases are not held while all are counted: a row that is handed out meanwhile may be among them.
fn overdue(
    database: &Handle<Database>,
    leases: &Mutex<Leases>,
    app: &str,
    until: Timestamp,
    limit: u32,
) -> Result<u64> {
    database.with(|database| {
        let due_index = read(database)?.open_table(DUE_INDEX).map_err(unavailable)?;
        let (now, mut count) = (Instant::now(), 0);
        let mut due_index = DueIndex::of(&due_index, app)?;
        while count < u64::from(limit)
            && let Some((wake, name)) = due_index.next()?
            && wake <= until
        {
            count += u64::from(leases.lock().is_free(app, &name, now));
        }
        Ok(count)
    })
}

impl Jobs {
    async fn write(&self, write: Write) -> Result<()> {
        self.committer.submit(write).await.map(drop)
    }

    /// The leases are held from before the snapshot until after it is read: a row that the snapshot shows as due, and
    /// that is free, is not one that was written a moment ago.
    fn take_now(
        &self,
        app: &str,
        until: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Row>> {
        self.database.with(|database| {
            let mut leases = self.leases.lock();
            let transaction = read(database)?;
            let due_index = transaction.open_table(DUE_INDEX).map_err(unavailable)?;
            let jobs = transaction.open_table(JOBS).map_err(unavailable)?;
            let (now, mut rows) = (Instant::now(), Vec::new());
            let mut due_index = DueIndex::of(&due_index, app)?;
            while rows.len() < limit as usize
                && let Some((wake, name)) = due_index.next()?
                && wake <= until
            {
                let name = name.as_str();
                if !leases.is_free(app, name, now) {
                    continue;
                }
                let bytes = jobs.get((app, name)).map_err(unavailable)?;
                let bytes =
                    bytes.ok_or_else(|| Error::internal("a job of the index is not stored"))?;
                rows.push(job::decode(app, name, bytes.value())?);
            }
            for row in &rows {
                leases.hold(app, &row.job.name, now, lease);
            }
            Ok(rows)
        })
    }

    fn next_now(&self, app: &str) -> Result<Option<Timestamp>> {
        self.database.with(|database| {
            let leases = self.leases.lock();
            let due_index = read(database)?.open_table(DUE_INDEX).map_err(unavailable)?;
            let (now, mut due_index) = (Instant::now(), DueIndex::of(&due_index, app)?);
            while let Some((wake, name)) = due_index.next()? {
                if leases.is_free(app, &name, now) {
                    return Ok(Some(wake));
                }
            }
            Ok(None)
        })
    }

    fn list_now(&self, app: &str, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        self.database.with(|database| {
            let jobs = read(database)?.open_table(JOBS).map_err(unavailable)?;
            let start = match page::start(prefix, cursor) {
                Bound::Excluded(name) => Bound::Excluded((app, name)),
                _ => Bound::Included((app, prefix)),
            };
            let (mut page, mut size) = (Page::default(), 0);
            for item in jobs
                .range::<(&str, &str)>((start, Bound::Unbounded))
                .map_err(unavailable)?
            {
                let (key, bytes) = item.map_err(unavailable)?;
                let (of, name) = key.value();
                if of != app || !name.starts_with(prefix) {
                    break;
                }
                if page.rows.len() >= limit as usize || size >= MAX_BYTES {
                    page.next = page.rows.last().map(|row| row.job.name.clone());
                    break;
                }
                size += bytes.value().len();
                page.rows.push(job::decode(app, name, bytes.value())?);
            }
            Ok(page)
        })
    }
}

#[async_trait]
impl Driver for Jobs {
    fn features(&self) -> Features {
        Features {
            durable: true,
            counted: true,
        }
    }

    // The table has its length beside it.
    fn count(&self) -> Result<Option<u64>> {
        self.database.with(|database| {
            let jobs = read(database)?.open_table(JOBS).map_err(unavailable)?;
            jobs.len().map(Some).map_err(unavailable)
        })
    }

    async fn put(&self, row: Row, overwrite: bool) -> Result<()> {
        let row = Box::new(row);
        self.write(Write::Put { row, overwrite }).await
    }

    // Reads block, on purpose: most find their pages cached and take microseconds.
    async fn get(&self, app: &str, name: &str) -> Result<Option<Row>> {
        self.database.with(|database| {
            let jobs = read(database)?.open_table(JOBS).map_err(unavailable)?;
            let found = jobs.get((app, name)).map_err(unavailable)?;
            found
                .map(|bytes| job::decode(app, name, bytes.value()))
                .transpose()
        })
    }

    async fn delete(&self, app: &str, name: &str) -> Result<()> {
        let (app, name) = (app.to_owned(), name.to_owned());
        self.write(Write::Delete { app, name }).await
    }

    async fn list(
        &self,
        app: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page> {
        self.list_now(app, prefix, cursor, limit)
    }

    async fn take(
        &self,
        app: &str,
        until: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Row>> {
        self.take_now(app, until, limit, lease)
    }

    async fn next(&self, app: &str) -> Result<Option<Timestamp>> {
        self.next_now(app)
    }

    async fn overdue(&self, app: &str, until: Timestamp, limit: u32) -> Result<Option<u64>> {
        let (database, leases) = (self.database.clone(), self.leases.clone());
        let app = app.to_owned();
        blocking(move || overdue(&database, &leases, &app, until, limit).map(Some)).await
    }

    async fn settle(&self, changes: Vec<Settle>) -> Vec<Result<()>> {
        let count = changes.len();
        let failed = |error: Error| (0..count).map(|_| Err(error.duplicate())).collect();
        match self.committer.submit(Write::Settle(changes)).await {
            Ok(Answer::Settled(answers)) => answers,
            Ok(Answer::Done) => failed(Error::internal("the committer answered another write")),
            Err(error) => failed(error),
        }
    }

    async fn health(&self) -> Result<()> {
        self.committer.health()
    }

    async fn close(&self) -> Result<()> {
        let (database, committer) = (self.database.clone(), self.committer.clone());
        blocking(move || {
            // The writes that were handed over still need the database.
            committer.close();
            database.close();
            Ok(())
        })
        .await
    }
}

#[cfg(test)]
mod tests;
