//! Gives the index of the first format its shards, so many rows in each transaction; a process that is killed in between
//! goes on with the others.

use super::{
    super::{FORMAT, META, commit, unavailable, write},
    due_index::{DUE_INDEX, shard},
};
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};
use wythe_blocks::Result;

/// The first format with shards, which is the newest one.
pub(super) const KNOWN: u64 = 2;
/// App, wake and name: the index of the first format.
pub(super) const OLD: TableDefinition<(&str, u64, &str), ()> = TableDefinition::new("due");
/// Rows of one transaction.
const ROWS: usize = 10_000;

/// Moves the index, if it is one of the first format.
pub(super) fn upgrade(database: &Database) -> Result<()> {
    while !step(database, ROWS)? {}
    Ok(())
}

/// Moves some rows, and returns whether none are left.
pub(super) fn step(database: &Database, rows: usize) -> Result<bool> {
    let transaction = write(database)?;
    let mut meta = transaction.open_table(META).map_err(unavailable)?;
    let found = meta.get(FORMAT).map_err(unavailable)?;
    let found = found.map(|number| number.value());
    if found == Some(KNOWN) {
        return Ok(true);
    }
    let is_over = move_some(&transaction, rows)? < rows;
    if is_over {
        transaction.delete_table(OLD).map_err(unavailable)?;
        meta.insert(FORMAT, KNOWN).map_err(unavailable)?;
    }
    drop(meta);
    commit(transaction, true)?;
    Ok(is_over)
}

fn move_some(transaction: &WriteTransaction, limit: usize) -> Result<usize> {
    let mut old = transaction.open_table(OLD).map_err(unavailable)?;
    let mut new = transaction.open_table(DUE_INDEX).map_err(unavailable)?;
    let mut moved = Vec::new();
    for item in old.iter().map_err(unavailable)?.take(limit) {
        let (place, _) = item.map_err(unavailable)?;
        let (app, wake, name) = place.value();
        moved.push((app.to_owned(), wake, name.to_owned()));
    }
    for (app, wake, name) in &moved {
        let (app, name) = (app.as_str(), name.as_str());
        old.remove((app, *wake, name)).map_err(unavailable)?;
        new.insert((app, shard(app, name), *wake, name), ())
            .map_err(unavailable)?;
    }
    Ok(moved.len())
}
