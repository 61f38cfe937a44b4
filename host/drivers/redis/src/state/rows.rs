//! The steps of a script that writes, and the answers of scripts about rows.

use super::about;
use crate::failure::{bytes, odd, parts, strange, text};
use redis::Value;
use std::time::{Duration, SystemTime};
use wythe_blocks::{
    Error, Key, Result,
    state::{Condition, Delete, Entry, MAX_ANSWER, Operation, Put},
};

/// One operation with its place in a script.
pub(super) enum Step<'a> {
    Put(&'a Put),
    Delete(&'a Delete),
}

impl Step<'_> {
    pub fn key(&self) -> &Key {
        match self {
            Step::Put(put) => &put.key,
            Step::Delete(delete) => &delete.key,
        }
    }

    pub fn condition(&self) -> &Condition {
        match self {
            Step::Put(put) => &put.options.condition,
            Step::Delete(delete) => &delete.condition,
        }
    }
}

impl<'a> From<&'a Operation> for Step<'a> {
    fn from(operation: &'a Operation) -> Self {
        match operation {
            Operation::Put(put) => Step::Put(put),
            Operation::Delete(delete) => Step::Delete(delete),
        }
    }
}

/// The answer of a script about a row.
pub(super) fn entry_of(value: Value, key: &Key) -> Result<Option<Entry>> {
    match value {
        Value::Int(0) => Ok(None),
        Value::Int(1) => Err(Error::exhausted(format!(
            "one answer has at most {MAX_ANSWER} bytes of values, and those before have as many; ask for the rest in another call"
        ))),
        Value::Int(2) => Err(strange(&about(key))),
        value => entry(parts(value)?).map(Some),
    }
}

/// `data`, `version`, the content type, and the end in milliseconds since 1970 or -1.
pub(super) fn entry(parts: Vec<Value>) -> Result<Entry> {
    let [data, version, content, end] = <[Value; 4]>::try_from(parts).map_err(|_| odd())?;
    let Value::Int(end) = end else {
        return Err(odd());
    };
    let end = u64::try_from(end).ok().map(Duration::from_millis);
    Ok(Entry {
        value: bytes(data)?,
        etag: text(version)?,
        content_type: Some(text(content)?).filter(|text| !text.is_empty()),
        expires: end.and_then(|end| SystemTime::UNIX_EPOCH.checked_add(end)),
    })
}

/// The error of a step that the script refused: its number, the reason, and the mark of a fence.
pub(super) fn lost(step: &Step<'_>, parts: Vec<Value>) -> Error {
    let shown = step.key().shown();
    let mut texts = parts.into_iter().skip(1).map(text);
    let mut next = || texts.next().and_then(Result::ok).unwrap_or_default();
    let (reason, mark) = (next(), next());
    match reason.as_str() {
        "exists" => Error::conflict(format!("`{shown}` has an entry; expected none")),
        "missing" => Error::conflict(format!(
            "`{shown}` has no entry; expected one with the given etag"
        )),
        "changed" => Error::conflict(format!(
            "`{shown}` has changed; expected the entry with the given etag"
        )),
        "fence" => {
            let (mark, found) = (
                mark.trim_start_matches('0'),
                match step {
                    Step::Put(put) => put.options.fence.unwrap_or_default(),
                    Step::Delete(_) => 0,
                },
            );
            Error::conflict(format!(
                "`{shown}` was written with fence {mark}; expected at least that, found {found}"
            ))
        }
        "strange" => strange(&about(step.key())),
        _ => odd(),
    }
}
