//! Jobs in sorted maps under a lock.

use crate::{leases::Leases, page};
use async_trait::async_trait;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use wythe_blocks::{
    Error, Result, Site,
    jobs::{Driver, Features, Page, Row, Settle, Timestamp},
};

/// There is nothing to set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {}

pub(super) async fn open(_: Config, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Memory(Mutex::default())))
}

struct Memory(Mutex<Apps>);

type Apps = BTreeMap<String, App>;

/// The jobs of one app.
#[derive(Default)]
struct App {
    rows: BTreeMap<String, Row>,
    /// When, and which; in step with the rows.
    due: BTreeSet<(Timestamp, String)>,
    leases: Leases,
}

impl App {
    fn set(&mut self, name: &str, row: Option<Row>) {
        let wake = row.as_ref().and_then(|row| row.wake);
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

    /// What is not handed out, the earliest first.
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn changed(name: &str) -> Error {
    Error::conflict(format!("job `{name}` was changed or is gone"))
}

#[async_trait]
impl Driver for Memory {
    fn features(&self) -> Features {
        Features { durable: false }
    }

    async fn put(&self, row: Row, overwrite: bool) -> Result<()> {
        let mut apps = self.apps();
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

    async fn settle(&self, changes: Vec<Settle>) -> Vec<Result<()>> {
        let mut apps = self.apps();
        let settle = |change: Settle| match apps.get_mut(&change.app) {
            Some(app) => app.settle(change),
            None => Err(changed(&change.name)),
        };
        changes.into_iter().map(settle).collect()
    }
}
