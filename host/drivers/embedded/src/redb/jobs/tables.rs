//! The tables of jobs, changed together.

use super::{
    super::unavailable,
    due_index::{DUE_INDEX, shard},
};
use crate::durable::codec::job::{self, Head};
use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};
use wythe_blocks::{Result, jobs::Row};

/// App and name: the job.
pub(super) const JOBS: TableDefinition<(&str, &str), &[u8]> = TableDefinition::new("jobs");

pub(super) struct Tables<'a> {
    jobs: Table<'a, (&'static str, &'static str), &'static [u8]>,
    due_index: Table<'a, (&'static str, u8, u64, &'static str), ()>,
    /// App and name of what was changed.
    pub written: Vec<(String, String)>,
}

impl<'a> Tables<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self> {
        Ok(Tables {
            jobs: transaction.open_table(JOBS).map_err(unavailable)?,
            due_index: transaction.open_table(DUE_INDEX).map_err(unavailable)?,
            written: Vec::new(),
        })
    }

    pub(super) fn head(&self, app: &str, name: &str) -> Result<Option<Head>> {
        let found = self.jobs.get((app, name)).map_err(unavailable)?;
        found.map(|bytes| Head::decode(bytes.value())).transpose()
    }

    pub(super) fn set(&mut self, app: &str, name: &str, row: Option<&Row>) -> Result<()> {
        let old = match row {
            Some(row) => {
                let bytes = job::encode(row);
                let old = self.jobs.insert((app, name), bytes.as_slice());
                old.map_err(unavailable)?
            }
            None => self.jobs.remove((app, name)).map_err(unavailable)?,
        };
        let was = old.is_some();
        let old = old.map(|bytes| Head::decode(bytes.value())).transpose()?;
        let shard = shard(app, name);
        if let Some(wake) = old.and_then(|head| head.wake) {
            let place = (app, shard, wake, name);
            self.due_index.remove(place).map_err(unavailable)?;
        }
        if let Some(wake) = row.and_then(|row| row.wake) {
            let place = (app, shard, wake, name);
            self.due_index.insert(place, ()).map_err(unavailable)?;
        }
        if was || row.is_some() {
            self.written.push((app.to_owned(), name.to_owned()));
        }
        Ok(())
    }
}
