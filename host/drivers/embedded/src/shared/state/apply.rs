//! The meaning of a write: conditions, fences, expiry, etags and transactions, over any table.
//!
//! An error of the kind `unavailable` is the table's own failure and ends the whole batch; every other error is the
//! answer to one write, which then has changed nothing.

use crate::shared::{
    clock,
    state::{
        etag,
        record::{Record, Version},
    },
};
use std::collections::BTreeMap;
use wythe_blocks::{
    Error, Key, Kind, Result,
    state::{Condition, Delete, Etag, Operation, Put, sum},
};

/// Operations of one transaction.
pub(crate) const MAX_OPERATIONS: u32 = 1_000;

/// Entries by key, those whose time is over included.
pub(crate) trait Table {
    fn version(&self, key: &str) -> Result<Option<Version>>;
    fn get(&self, key: &str) -> Result<Option<Record>>;
    /// [`Record::length`] of the entry.
    fn length(&self, key: &str) -> Result<Option<u64>>;
    /// Puts or removes, and keeps the index of expiries in step. The answer is the length of the entry that was there.
    fn set(&mut self, key: &str, record: Option<Record>) -> Result<Option<u64>>;

    /// Refuses changes for which, all together, there is no room; where the disk is what bounds, it refuses none.
    fn admit(&mut self, changes: &BTreeMap<String, Option<Record>>) -> Result<()> {
        let _ = changes;
        Ok(())
    }
}

#[derive(Debug)]
pub(crate) enum Write {
    Put(Put),
    PutMany(Vec<Put>),
    Delete(Delete),
    Transact(Vec<Operation>),
    Increment { key: Key, delta: i64 },
}

#[derive(Debug)]
pub(crate) enum Answer {
    Put(Etag),
    PutMany(Vec<Result<Etag>>),
    Deleted,
    Transacted(Vec<Option<Etag>>),
    Sum(i64),
}

pub(crate) fn apply(table: &mut impl Table, write: Write, now: u64) -> Result<Answer> {
    Ok(match write {
        Write::Put(item) => Answer::Put(put(table, item, now)?),
        Write::PutMany(items) => Answer::PutMany(put_many(table, items, now)?),
        Write::Delete(item) => {
            delete(table, &item, now)?;
            Answer::Deleted
        }
        Write::Transact(operations) => Answer::Transacted(transact(table, operations, now)?),
        Write::Increment { key, delta } => Answer::Sum(increment(table, &key, delta, now)?),
    })
}

fn put(table: &mut impl Table, put: Put, now: u64) -> Result<Etag> {
    let fence = raise(&put.key, before(table, &put, now)?, put.options.fence)?;
    // An expiry beyond the end of time is none.
    let expires = put
        .options
        .ttl
        .and_then(|ttl| now.checked_add(clock::nanoseconds(ttl)));
    let version = Version {
        etag: etag::fresh(),
        expires,
        fence,
    };
    let record = Record {
        version,
        content_type: put.options.content_type,
        value: put.value,
    };
    set(table, put.key.into_whole(), record)?;
    Ok(etag::to_text(version.etag))
}

fn put_many(table: &mut impl Table, items: Vec<Put>, now: u64) -> Result<Vec<Result<Etag>>> {
    let mut answers = Vec::with_capacity(items.len());
    for item in items {
        match put(table, item, now) {
            Err(error) if error.kind() == Kind::Unavailable => return Err(error),
            answer => answers.push(answer),
        }
    }
    Ok(answers)
}

fn delete(table: &mut impl Table, delete: &Delete, now: u64) -> Result<()> {
    if delete.condition != Condition::Always {
        check(table, &delete.key, &delete.condition, now)?;
    }
    table.set(&delete.key, None).map(drop)
}

/// The entry that the condition was held against.
fn check(
    table: &impl Table,
    key: &Key,
    condition: &Condition,
    now: u64,
) -> Result<Option<Version>> {
    let version = table
        .version(key)?
        .filter(|version| !version.is_over(|| now));
    match (condition, version) {
        (Condition::Always, _) | (Condition::Absent, None) => Ok(version),
        (Condition::Absent, Some(_)) => Err(Error::conflict(format!(
            "`{}` has an entry; expected none",
            key.shown()
        ))),
        (Condition::Matches(_), None) => Err(Error::conflict(format!(
            "`{}` has no entry; expected one with the given etag",
            key.shown()
        ))),
        (Condition::Matches(expected), Some(version)) => {
            if etag::is(expected, version.etag) {
                return Ok(Some(version));
            }
            Err(Error::conflict(format!(
                "`{}` has changed; expected the entry with the given etag",
                key.shown()
            )))
        }
    }
}

/// The entry that a put replaces, once its condition holds. A damaged one has no mark for a put that asks nothing of
/// it: to replace it is the way to be rid of it.
fn before(table: &impl Table, put: &Put, now: u64) -> Result<Option<Version>> {
    let options = &put.options;
    let asks = options.condition != Condition::Always || options.fence.is_some();
    match check(table, &put.key, &options.condition, now) {
        Err(error) if !asks && error.kind() == Kind::Internal => Ok(None),
        answer => answer,
    }
}

/// The mark of the new entry: it only rises, and a write without a token leaves it.
fn raise(key: &Key, old: Option<Version>, fence: Option<u64>) -> Result<Option<u64>> {
    let mark = old.and_then(|version| version.fence);
    match (mark, fence) {
        (Some(mark), Some(fence)) if fence < mark => Err(Error::conflict(format!(
            "`{}` was written with fence {mark}; expected at least that, found {fence}",
            key.shown()
        ))),
        _ => Ok(fence.or(mark)),
    }
}

fn increment(table: &mut impl Table, key: &Key, delta: i64, now: u64) -> Result<i64> {
    let old = table
        .get(key)?
        .filter(|record| !record.version.is_over(|| now));
    let sum = sum(
        key.shown(),
        old.as_ref().map(|record| &record.value[..]),
        delta,
    )?;
    let version = old.as_ref().map(|record| record.version);
    let record = Record {
        version: Version {
            etag: etag::fresh(),
            expires: version.and_then(|version| version.expires),
            fence: version.and_then(|version| version.fence),
        },
        content_type: old.and_then(|record| record.content_type),
        value: sum.to_string().into(),
    };
    set(table, key.whole().to_owned(), record)?;
    Ok(sum)
}

/// One entry, where there is room for it.
fn set(table: &mut impl Table, key: String, record: Record) -> Result<()> {
    let change = BTreeMap::from([(key, Some(record))]);
    table.admit(&change)?;
    change
        .into_iter()
        .try_for_each(|(key, record)| table.set(&key, record).map(drop))
}

fn transact(
    table: &mut impl Table,
    operations: Vec<Operation>,
    now: u64,
) -> Result<Vec<Option<Etag>>> {
    if operations.len() > MAX_OPERATIONS as usize {
        return Err(Error::invalid(format!(
            "a transaction of {} operations; at most {MAX_OPERATIONS} are allowed",
            operations.len()
        )));
    }
    let mut staged = Staged {
        below: table,
        changes: BTreeMap::new(),
    };
    let mut etags = Vec::with_capacity(operations.len());
    for operation in operations {
        etags.push(match operation {
            Operation::Put(item) => Some(put(&mut staged, item, now)?),
            Operation::Delete(item) => {
                delete(&mut staged, &item, now)?;
                None
            }
        });
    }
    staged.settle()?;
    Ok(etags)
}

/// A transaction's changes over the table it began with: dropped unless all of it holds.
struct Staged<'a, T> {
    below: &'a mut T,
    changes: BTreeMap<String, Option<Record>>,
}

impl<T: Table> Staged<'_, T> {
    fn settle(self) -> Result<()> {
        self.below.admit(&self.changes)?;
        for (key, record) in self.changes {
            self.below.set(&key, record)?;
        }
        Ok(())
    }
}

impl<T: Table> Table for Staged<'_, T> {
    fn version(&self, key: &str) -> Result<Option<Version>> {
        match self.changes.get(key) {
            Some(change) => Ok(change.as_ref().map(|record| record.version)),
            None => self.below.version(key),
        }
    }

    fn get(&self, key: &str) -> Result<Option<Record>> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.below.get(key),
        }
    }

    fn length(&self, key: &str) -> Result<Option<u64>> {
        match self.changes.get(key) {
            Some(change) => Ok(change.as_ref().map(Record::length)),
            None => self.below.length(key),
        }
    }

    /// Stages the change; nothing is there or gone yet, so nobody counts what it answers.
    fn set(&mut self, key: &str, record: Option<Record>) -> Result<Option<u64>> {
        self.changes.insert(key.to_owned(), record);
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
