//! Moves rows of an earlier format to the keys that they have now, page by page, while others use the store.
//!
//! A row leaves its old key in the transaction that writes the new one, and only if nobody touched it meanwhile. So a
//! host that is killed in between, or another host that moves as well, loses no row and has none twice; the number is
//! written after the last row.

use super::{
    InternalStore,
    driver::{Condition, Delete, Entry, Operation, Put},
    format::Format,
};
use crate::{Call, Kind, Result, pages::Pace, time};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Rows that are read at once.
const PAGE: u32 = 200;
/// Rows, and bytes of their values, that are moved in one transaction.
const ROWS: usize = 100;
const BYTES: usize = 4 << 20;

/// Rows of an earlier format.
pub(crate) struct Old {
    pub prefix: String,
    /// Finds the key that a row has now; none for one that cannot be read, which is left alone.
    pub key: fn(&str) -> Option<String>,
}

/// One block's rows on their way to the format of this build.
pub(crate) struct Mover<'a> {
    pub format: Format,
    pub internal_store: &'a InternalStore,
    /// Makes the caller of one call to the store.
    pub caller: &'a (dyn Fn() -> Call + Send + Sync),
    pub stop: CancellationToken,
}

impl Mover<'_> {
    /// Moves all rows, if that was not done before. Returns false where the host stops before the end.
    pub async fn run(&self, old: &[Old]) -> Result<bool> {
        let found = self
            .format
            .read(self.internal_store, &(self.caller)())
            .await?;
        if found == self.format.known {
            return Ok(true);
        }
        let mut moved = 0;
        for old in old {
            match self.all_of(old).await? {
                Some(rows) => moved += rows,
                None => return Ok(false),
            }
        }
        self.format
            .write(self.internal_store, &(self.caller)())
            .await?;
        if moved > 0 {
            let (block, format) = (self.format.block, self.format.known);
            tracing::info!(
                block,
                format,
                rows = moved,
                "rows of an earlier format were moved"
            );
        }
        Ok(true)
    }

    /// Moves the rows of one sort, and returns how many there were; none where the host stops.
    async fn all_of(&self, old: &Old) -> Result<Option<usize>> {
        let (mut cursor, mut pace, mut moved) = (None::<String>, Pace::default(), 0);
        loop {
            if self.stop.is_cancelled() {
                return Ok(None);
            }
            let start = Instant::now();
            let (caller, from) = ((self.caller)(), cursor.as_deref());
            let page = self
                .internal_store
                .list(&caller, &old.prefix, from, PAGE)
                .await?;
            match self.page(old, page.entries).await {
                Ok(rows) => {
                    moved += rows;
                    cursor = page.next;
                    if cursor.is_none() {
                        return Ok(Some(moved));
                    }
                }
                // A turn was faster with one of them; the others are there still.
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
            self.rest(pace.rest(start.elapsed())).await;
        }
    }

    async fn rest(&self, rest: Duration) {
        if !rest.is_zero() {
            time::pause(&self.stop, rest).await;
        }
    }

    async fn page(&self, old: &Old, rows: Vec<(String, Entry)>) -> Result<usize> {
        let limit = (self.internal_store.max_operations() / 2).clamp(1, ROWS);
        let (mut operations, mut bytes, mut moved) = (Vec::new(), 0, 0);
        let count = rows.len();
        for (key, entry) in rows {
            let Some(new) = (old.key)(&key) else {
                continue;
            };
            bytes += entry.value.len();
            operations.extend(moving(key, new, entry));
            moved += 1;
            if operations.len() / 2 >= limit || bytes >= BYTES {
                let chunk = std::mem::take(&mut operations);
                self.internal_store
                    .transact(&(self.caller)(), chunk)
                    .await?;
                bytes = 0;
            }
        }
        if !operations.is_empty() {
            self.internal_store
                .transact(&(self.caller)(), operations)
                .await?;
        }
        if moved < count {
            let (block, prefix, rows) = (self.format.block, &old.prefix, count - moved);
            tracing::error!(
                block,
                prefix,
                rows,
                "rows of an earlier format cannot be read; they are left alone"
            );
        }
        Ok(moved)
    }
}

fn moving(key: String, new: String, entry: Entry) -> [Operation; 2] {
    let condition = Condition::Matches(entry.etag);
    let key = key.into();
    let delete = Operation::Delete(Delete { key, condition });
    [delete, Operation::Put(Put::new(new, entry.value))]
}
