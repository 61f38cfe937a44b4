//! The agenda itself: the rows of each app by name and by wake. Knows no clock; each call is told the time.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use wythe_sdk::plugin::jobs::{Change, Page, Row};
use wythe_sdk::{Error, Kind, Result};

/// A page ends behind the row that reaches this, since it is a copy of what is here already.
const PAGE_BYTES: usize = 1 << 20;

pub struct Agenda {
    apps: BTreeMap<String, App>,
    /// Bytes of all names and data.
    bytes: usize,
    most: usize,
}

#[derive(Default)]
struct App {
    rows: BTreeMap<String, Kept>,
    /// Wake and name, in step with the rows.
    due: BTreeSet<(u64, String)>,
}

struct Kept {
    row: Row,
    /// The time until which somebody has it.
    leased: u64,
}

impl Agenda {
    pub fn new(most: usize) -> Self {
        Self {
            apps: BTreeMap::new(),
            bytes: 0,
            most,
        }
    }

    pub fn put(&mut self, row: Row, overwrite: bool) -> Result<()> {
        let (app, name) = (row.app.clone(), row.job.name.clone());
        let old = self.app(&app).and_then(|app| app.rows.get(&name));
        if old.is_some() && !overwrite {
            return Err(Error::conflict(format!("there is a job `{name}` already")));
        }
        let rest = self.bytes - old.map_or(0, |kept| size(&kept.row));
        if rest + size(&row) > self.most {
            let full = format!(
                "the agenda is full: all jobs have at most {} bytes",
                self.most
            );
            return Err(Error::new(Kind::Exhausted, full));
        }
        self.set(&app, &name, Some(row));
        Ok(())
    }

    pub fn get(&self, app: &str, name: &str) -> Option<Row> {
        Some(self.app(app)?.rows.get(name)?.row.clone())
    }

    pub fn set(&mut self, app: &str, name: &str, row: Option<Row>) {
        let of = self.apps.entry(app.to_owned()).or_default();
        if let Some(Kept { row, .. }) = of.rows.remove(name) {
            self.bytes -= size(&row);
            if let Some(wake) = row.wake {
                of.due.remove(&(wake, name.to_owned()));
            }
        }
        if let Some(row) = row {
            self.bytes += size(&row);
            if let Some(wake) = row.wake {
                of.due.insert((wake, name.to_owned()));
            }
            of.rows.insert(name.to_owned(), Kept { row, leased: 0 });
        }
        if of.rows.is_empty() {
            self.apps.remove(app);
        }
    }

    pub fn list(&self, app: &str, prefix: &str, cursor: Option<&str>, limit: usize) -> Page {
        let mut page = Page {
            rows: Vec::new(),
            next: None,
        };
        let Some(app) = self.app(app) else {
            return page;
        };
        let start = match cursor {
            Some(last) if last >= prefix => Bound::Excluded(last),
            _ => Bound::Included(prefix),
        };
        let mut bytes = 0;
        let from_there = app.rows.range::<str, _>((start, Bound::Unbounded));
        for (name, kept) in from_there.take_while(|(name, _)| name.starts_with(prefix)) {
            if page.rows.len() >= limit || bytes >= PAGE_BYTES {
                page.next = page.rows.last().map(|row| row.job.name.clone());
                break;
            }
            bytes += size(&kept.row) + name.len();
            page.rows.push(kept.row.clone());
        }
        page
    }

    pub fn take(&mut self, app: &str, until: u64, limit: usize, lease: u64, now: u64) -> Vec<Row> {
        let Some(app) = self.apps.get_mut(app) else {
            return Vec::new();
        };
        let (mut taken, mut bytes) = (Vec::new(), 0);
        for (_, name) in app.due.iter().take_while(|(wake, _)| *wake <= until) {
            if taken.len() >= limit || bytes >= PAGE_BYTES {
                break;
            }
            let Some(kept) = app.rows.get_mut(name).filter(|kept| kept.leased <= now) else {
                continue;
            };
            kept.leased = now.saturating_add(lease);
            bytes += size(&kept.row);
            taken.push(kept.row.clone());
        }
        taken
    }

    pub fn next(&self, app: &str, now: u64) -> Option<u64> {
        let app = self.app(app)?;
        let is_free = |name: &String| app.rows.get(name).is_some_and(|kept| kept.leased <= now);
        let mut free = app.due.iter().filter(|(_, name)| is_free(name));
        free.next().map(|(wake, _)| *wake)
    }

    pub fn settle(&mut self, change: Change) -> Result<()> {
        let row = self
            .app(&change.app)
            .and_then(|app| app.rows.get(&change.name));
        if row.is_none_or(|kept| kept.row.version != change.version) {
            let changed = format!("job `{}` was changed or is gone", change.name);
            return Err(Error::conflict(changed));
        }
        self.set(&change.app, &change.name, change.row);
        Ok(())
    }

    fn app(&self, app: &str) -> Option<&App> {
        self.apps.get(app)
    }
}

fn size(row: &Row) -> usize {
    row.app.len() + row.job.name.len() + row.job.data.len()
}

#[cfg(test)]
mod tests;
