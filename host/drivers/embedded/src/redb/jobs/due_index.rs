//! The index of wakes: by app and shard, and there in the order of time; read as if it had no shards.

use super::super::unavailable;
use redb::{Range, ReadOnlyTable, TableDefinition};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};
use wythe_blocks::{Result, Shard, jobs::Timestamp};

type Key = (&'static str, u8, u64, &'static str);

/// App, shard, wake and name of the jobs that have a wake.
pub(super) const DUE_INDEX: TableDefinition<Key, ()> = TableDefinition::new("wakes");

/// The shard of a job.
pub(super) fn shard(app: &str, name: &str) -> u8 {
    Shard::of(&format!("{app}/{name}")).number()
}

/// The jobs of an app, the earliest first, over all shards.
pub(super) struct DueIndex<'a> {
    app: &'a str,
    /// The first job of each shard that is not told yet.
    heads: BinaryHeap<Reverse<(Timestamp, String, u8)>>,
    /// Those after it.
    rest: BTreeMap<u8, Range<'static, Key, ()>>,
}

impl<'a> DueIndex<'a> {
    pub(super) fn of(table: &ReadOnlyTable<Key, ()>, app: &'a str) -> Result<Self> {
        let mut due_index = DueIndex {
            app,
            heads: BinaryHeap::new(),
            rest: BTreeMap::new(),
        };
        let mut from = Some(0);
        // Shards without a job of this app are passed over.
        while let Some(shard) = from {
            let range = table.range((app, shard, 0, "")..).map_err(unavailable)?;
            let Some(found) = due_index.add(range, None)? else {
                break;
            };
            from = found.checked_add(1);
        }
        Ok(due_index)
    }

    /// Takes the next job of a range, if it is one of this app and, where one is given, of this shard.
    fn add(&mut self, mut range: Range<'static, Key, ()>, of: Option<u8>) -> Result<Option<u8>> {
        let Some(item) = range.next() else {
            return Ok(None);
        };
        let (place, _) = item.map_err(unavailable)?;
        let (app, shard, wake, name) = place.value();
        if app != self.app || of.is_some_and(|of| of != shard) {
            return Ok(None);
        }
        self.heads.push(Reverse((wake, name.to_owned(), shard)));
        self.rest.insert(shard, range);
        Ok(Some(shard))
    }

    /// Tells the next job: its wake and its name.
    pub(super) fn next(&mut self) -> Result<Option<(Timestamp, String)>> {
        let Some(Reverse((wake, name, shard))) = self.heads.pop() else {
            return Ok(None);
        };
        if let Some(range) = self.rest.remove(&shard) {
            self.add(range, Some(shard))?;
        }
        Ok(Some((wake, name)))
    }
}
