//! A driver of jobs that keeps them in memory: what is in it is gone when the host stops.
//!
//! Metadata of its component:
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `maxBytes` | 33554432 | of all names and data; a job beyond that is refused |
//!
//! The host must run it as a single instance.
mod agenda;

use std::time::Instant;

use agenda::Agenda;
use wythe_sdk::plugin::jobs::{Change, Features, JobsDriver, Page, Row};
use wythe_sdk::plugin::{Metadata, Plugin};
use wythe_sdk::{Error, Result};

struct Plugged {
    agenda: Agenda,
    started: Instant,
}

impl Plugged {
    /// Milliseconds of a clock that nobody sets: leases are lengths of time.
    fn now(&self) -> u64 {
        wythe_sdk::milliseconds(self.started.elapsed())
    }
}

impl Plugin for Plugged {
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        metadata.only(&["maxBytes"])?;
        let most = metadata.number("maxBytes", 32 << 20)?;
        if most == 0 {
            return Err(Error::invalid("metadata `maxBytes` is at least 1"));
        }
        Ok(Self {
            agenda: Agenda::new(most),
            started: Instant::now(),
        })
    }
}

impl JobsDriver for Plugged {
    fn describe(&self) -> Features {
        Features { durable: false }
    }

    fn put(&mut self, row: Row, overwrite: bool) -> Result<()> {
        self.agenda.put(row, overwrite)
    }

    fn get(&mut self, app: &str, name: &str) -> Result<Option<Row>> {
        Ok(self.agenda.get(app, name))
    }

    fn delete(&mut self, app: &str, name: &str) -> Result<()> {
        self.agenda.set(app, name, None);
        Ok(())
    }

    fn list(&mut self, app: &str, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        Ok(self.agenda.list(app, prefix, cursor, limit as usize))
    }

    fn take(&mut self, app: &str, until: u64, limit: u32, lease: u64) -> Result<Vec<Row>> {
        let now = self.now();
        Ok(self.agenda.take(app, until, limit as usize, lease, now))
    }

    fn next(&mut self, app: &str) -> Result<Option<u64>> {
        Ok(self.agenda.next(app, self.now()))
    }

    fn settle(&mut self, change: Change) -> Result<()> {
        self.agenda.settle(change)
    }
}

wythe_sdk::jobs_plugin!(Plugged);
