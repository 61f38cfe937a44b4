//! The meaning of a write: conditions, fences, expiry and etags, within a transaction that nobody else writes beside.
//!
//! The outer error is one of the file; the inner one is the answer to one write, which then has changed nothing.

use super::{
    rows::{Mark, New, Sql},
    stamp,
};
use crate::fault::Fault;
use rusqlite::Connection;
use wythe_blocks::{
    Error, Key, Result, random,
    state::{Condition, Delete, Etag, Operation, Put, sum},
};

pub(super) type Answer<T> = Result<Result<T>, Fault>;

/// An etag that no entry had before.
fn fresh() -> Etag {
    format!("{:016x}", random::next())
}

pub(super) fn put(sql: &Sql, connection: &Connection, put: &Put, now: &str) -> Answer<Etag> {
    let Put {
        key,
        value,
        options,
    } = put;
    let old = sql.mark(connection, key, now)?;
    let fence = check(key, &options.condition, old.as_ref())
        .and_then(|()| raise(key, old.as_ref(), options.fence));
    let fence = match fence {
        Ok(fence) => fence,
        Err(error) => return Ok(Err(error)),
    };
    let (etag, end) = (fresh(), stamp::end(options.ttl));
    let new = New {
        key,
        value,
        etag: &etag,
        end: end.as_deref(),
        content_type: options.content_type.as_deref(),
        fence,
    };
    sql.put(connection, &new)?;
    Ok(Ok(etag))
}

pub(super) fn delete(sql: &Sql, connection: &Connection, delete: &Delete, now: &str) -> Answer<()> {
    let Delete { key, condition } = delete;
    if *condition != Condition::Always {
        let old = sql.mark(connection, key, now)?;
        if let Err(error) = check(key, condition, old.as_ref()) {
            return Ok(Err(error));
        }
    }
    sql.delete(connection, key)?;
    Ok(Ok(()))
}

pub(super) fn transact(
    sql: &Sql,
    connection: &Connection,
    operations: &[Operation],
    now: &str,
) -> Answer<Vec<Option<Etag>>> {
    let mut etags = Vec::with_capacity(operations.len());
    for operation in operations {
        let answer = match operation {
            Operation::Put(one) => put(sql, connection, one, now)?.map(Some),
            Operation::Delete(one) => delete(sql, connection, one, now)?.map(|()| None),
        };
        match answer {
            Ok(etag) => etags.push(etag),
            Err(error) => return Ok(Err(error)),
        }
    }
    Ok(Ok(etags))
}

pub(super) fn increment(
    sql: &Sql,
    connection: &Connection,
    key: &Key,
    delta: i64,
    now: &str,
) -> Answer<i64> {
    let old = sql.mark(connection, key, now)?;
    let value = match &old {
        Some(_) => sql.get(connection, key, now)?.map(|entry| entry.value),
        None => None,
    };
    let sum = match sum(key.shown(), value.as_deref(), delta) {
        Ok(sum) => sum,
        Err(error) => return Ok(Err(error)),
    };
    let (text, etag) = (sum.to_string(), fresh());
    let old = old.as_ref();
    let new = New {
        key,
        value: text.as_bytes(),
        etag: &etag,
        end: old.and_then(|old| old.end.as_deref()),
        content_type: old.and_then(|old| old.content_type.as_deref()),
        fence: old.and_then(|old| old.fence),
    };
    sql.put(connection, &new)?;
    Ok(Ok(sum))
}

/// Holds a condition against the entry that is there.
fn check(key: &Key, condition: &Condition, old: Option<&Mark>) -> Result<()> {
    let key = key.shown();
    Err(Error::conflict(match (condition, old) {
        (Condition::Always, _) | (Condition::Absent, None) => return Ok(()),
        (Condition::Absent, Some(_)) => format!("`{key}` has an entry; expected none"),
        (Condition::Matches(_), None) => {
            format!("`{key}` has no entry; expected one with the given etag")
        }
        (Condition::Matches(expected), Some(old)) if *expected == old.etag => return Ok(()),
        (Condition::Matches(_), Some(_)) => {
            format!("`{key}` has changed; expected the entry with the given etag")
        }
    }))
}

/// The fence of the new entry: it only rises, and a write without a token leaves it.
fn raise(key: &Key, old: Option<&Mark>, fence: Option<u64>) -> Result<Option<u64>> {
    let mark = old.and_then(|old| old.fence);
    match (mark, fence) {
        (Some(mark), Some(fence)) if fence < mark => Err(Error::conflict(format!(
            "`{}` was written with fence {mark}; expected at least that, found {fence}",
            key.shown()
        ))),
        _ => Ok(fence.or(mark)),
    }
}
