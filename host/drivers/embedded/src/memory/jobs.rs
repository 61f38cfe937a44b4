//! Jobs in sorted maps under a lock.

use crate::shared::{jobs::leases::Leases, state::page};
use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{
    Error, Result, Site,
    jobs::{Driver, Features, Page, Row, Settle, Timestamp},
};
use wythe_manifest::ByteSize;

/// Bytes of all jobs; by default.
const MAX_BYTES: u64 = 64 << 20;
/// Bytes that a job takes beside its name and its data, more or less.
const OF_JOB: u64 = 512;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// Bytes of all jobs; default 64 MiB.
    max_bytes: Option<ByteSize>,
}

pub(super) async fn open(config: Config, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Memory {
        apps: Mutex::default(),
        limit: config.max_bytes.map_or(MAX_BYTES, u64::from),
    }))
}

struct Memory {
    apps: Mutex<Apps>,
    limit: u64,
}

type Apps = BTreeMap<String, App>;

fn size(row: &Row) -> u64 {
    OF_JOB + (row.app.len() + row.job.name.len() + row.job.data.len()) as u64
}

/// The jobs of one app.
#[derive(Default)]
struct App {
    rows: BTreeMap<String, Row>,
    /// Time and name of each row that wakes; in step with the rows.
    due: BTreeSet<(Timestamp, String)>,
    leases: Leases,
    /// Bytes of the rows.
    bytes: u64,
}

impl App {
    fn size_of(&self, name: &str) -> u64 {
        self.rows.get(name).map_or(0, size)
    }

    fn set(&mut self, name: &str, row: Option<Row>) {
        let wake = row.as_ref().and_then(|row| row.wake);
        self.bytes -= self.size_of(name);
        self.bytes += row.as_ref().map_or(0, size);
        let old = match row {
            Some(row) => self.rows.insert(name.to_owned(), row),
            None => self.rows.remove(name),
        };
        if let Some(wake) = old.and_then(|row| row.wake) {
            self.due.remove(&(wake, name.to_owned()));
        }
        if let Some(wake) = wake {
            self.due.insert((wake, name.to_owned()));
        }
        self.leases.free("", name);
    }

    fn settle(&mut self, change: Settle) -> Result<()> {
        match self.rows.get(&change.name) {
            Some(row) if row.version == change.version => {}
            _ => return Err(changed(&change.name)),
        }
        self.set(&change.name, change.row);
        Ok(())
    }

    /// Rows that are not handed out, the earliest first.
    fn free(&self, now: Instant) -> impl Iterator<Item = &(Timestamp, String)> {
        let free = move |name: &str| self.leases.is_free("", name, now);
        self.due.iter().filter(move |(_, name)| free(name))
    }

    fn take(&mut self, until: Timestamp, limit: u32, lease: Duration) -> Vec<Row> {
        let now = Instant::now();
        let due = self.free(now).take_while(|(wake, _)| *wake <= until);
        let due = due.take(limit as usize);
        let rows: Vec<Row> = due
            .filter_map(|(_, name)| self.rows.get(name).cloned())
            .collect();
        for row in &rows {
            self.leases.hold("", &row.job.name, now, lease);
        }
        rows
    }
}

impl Memory {
    fn apps(&self) -> MutexGuard<'_, Apps> {
        self.apps.lock()
    }
}

/// Refuses a row for which there is no room, even in place of the one that has its name.
fn admit(apps: &Apps, row: &Row, limit: u64) -> Result<()> {
    let held: u64 = apps.values().map(|app| app.bytes).sum();
    let old = apps
        .get(&row.app)
        .map_or(0, |app| app.size_of(&row.job.name));
    let (old, new) = (old, size(row));
    if new <= old || held - old + new <= limit {
        return Ok(());
    }
    Err(Error::exhausted(format!(
        "the jobs have {held} bytes and would have {}; at most {limit} are kept; cancel some, or see `maxBytes`",
        held - old + new
    )))
}

fn changed(name: &str) -> Error {
    Error::conflict(format!("job `{name}` was changed or is gone"))
}

#[async_trait]
impl Driver for Memory {
    fn features(&self) -> Features {
        Features {
            durable: false,
            counted: true,
        }
    }

    fn count(&self) -> Result<Option<u64>> {
        let apps = self.apps();
        let count: usize = apps.values().map(|app| app.rows.len()).sum();
        Ok(Some(count as u64))
    }

    async fn put(&self, row: Row, overwrite: bool) -> Result<()> {
        let mut apps = self.apps();
        admit(&apps, &row, self.limit)?;
        let app = apps.entry(row.app.clone()).or_default();
        let name = row.job.name.clone();
        if !overwrite && app.rows.contains_key(&name) {
            return Err(Error::conflict(format!("there is a job `{name}` already")));
        }
        app.set(&name, Some(row));
        Ok(())
    }

    async fn get(&self, app: &str, name: &str) -> Result<Option<Row>> {
        let apps = self.apps();
        Ok(apps.get(app).and_then(|app| app.rows.get(name)).cloned())
    }

    async fn delete(&self, app: &str, name: &str) -> Result<()> {
        if let Some(app) = self.apps().get_mut(app) {
            app.set(name, None);
        }
        Ok(())
    }

    async fn list(
        &self,
        app: &str,
        prefix: &str,
        cursor: Option<&str>,
        limit: u32,
    ) -> Result<Page> {
        let apps = self.apps();
        let Some(app) = apps.get(app) else {
            return Ok(Page::default());
        };
        let range = (page::start(prefix, cursor), Bound::Unbounded);
        let all = app.rows.range::<str, _>(range);
        let mut all = all.take_while(|(name, _)| name.starts_with(prefix));
        let rows: Vec<Row> = all
            .by_ref()
            .take(limit as usize)
            .map(|(_, row)| row.clone())
            .collect();
        let is_more = all.next().is_some();
        let last = rows.last().filter(|_| is_more);
        let next = last.map(|row| row.job.name.clone());
        Ok(Page { rows, next })
    }

    async fn take(
        &self,
        app: &str,
        until: Timestamp,
        limit: u32,
        lease: Duration,
    ) -> Result<Vec<Row>> {
        let mut apps = self.apps();
        let app = apps.get_mut(app);
        Ok(app.map_or(Vec::new(), |app| app.take(until, limit, lease)))
    }

    async fn next(&self, app: &str) -> Result<Option<Timestamp>> {
        let apps = self.apps();
        let first = apps
            .get(app)
            .and_then(|app| app.free(Instant::now()).next());
        Ok(first.map(|(wake, _)| *wake))
    }

    async fn overdue(&self, app: &str, until: Timestamp, limit: u32) -> Result<Option<u64>> {
        let apps = self.apps();
        let count = apps.get(app).map_or(0, |app| {
            let due = app.free(Instant::now());
            let due = due.take_while(|(wake, _)| *wake <= until);
            due.take(limit as usize).count()
        });
        Ok(Some(count as u64))
    }

    async fn settle(&self, changes: Vec<Settle>) -> Vec<Result<()>> {
        let mut apps = self.apps();
        let settle = |change: Settle| match apps.get_mut(&change.app) {
            Some(app) => app.settle(change),
            None => Err(changed(&change.name)),
        };
        changes.into_iter().map(settle).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::jobs::{FailurePolicy, Job, Misfire, Trigger};

    fn row(name: &str, length: usize) -> Row {
        Row {
            app: "app".into(),
            job: Job {
                name: name.into(),
                trigger: Trigger::Once(1),
                start: None,
                end: None,
                repeats: None,
                data: vec![0; length].into(),
                on_failure: FailurePolicy::Drop,
                on_misfire: Misfire::One,
            },
            incarnation: 1,
            version: 1,
            due: Some(1),
            wake: Some(1),
            attempts: 0,
            paused: false,
            occurrences: 0,
            failure: None,
        }
    }

    #[tokio::test]
    async fn what_is_due_and_not_handed_out_is_overdue() {
        let driver = Memory {
            apps: Mutex::default(),
            limit: MAX_BYTES,
        };
        for name in ["a", "b", "c"] {
            driver.put(row(name, 1), false).await.unwrap();
        }
        let count = async |until, limit| driver.overdue("app", until, limit).await.unwrap();
        assert_eq!((count(0, 9).await, count(1, 9).await), (Some(0), Some(3)));
        assert_eq!(count(1, 2).await, Some(2), "it stops at the limit");
        let lease = Duration::from_secs(60);
        assert_eq!(driver.take("app", 1, 1, lease).await.unwrap().len(), 1);
        assert_eq!(count(1, 9).await, Some(2));
        assert_eq!(driver.overdue("other", 1, 9).await.unwrap(), Some(0));
    }

    #[tokio::test]
    async fn jobs_have_so_many_bytes_and_no_more() {
        let driver = Memory {
            apps: Mutex::default(),
            limit: 2 * size(&row("a", 100)),
        };
        driver.put(row("a", 100), false).await.unwrap();
        driver.put(row("b", 100), false).await.unwrap();
        let error = driver.put(row("c", 1), false).await.unwrap_err();
        assert!(error.message().ends_with("see `maxBytes`"), "{error}");
        driver.put(row("a", 99), true).await.unwrap();
        driver.delete("app", "a").await.unwrap();
        driver.put(row("c", 100), false).await.unwrap();
        driver.delete("app", "b").await.unwrap();
        driver.delete("app", "c").await.unwrap();
        assert_eq!(driver.apps()["app"].bytes, 0);
    }
}
