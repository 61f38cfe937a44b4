//! The cache itself: entries by key, by last use and by expiry. Knows no clock; each call is told the time.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use crate::config::Config;
use wythe_sdk::plugin::state::{Condition, Delete, Entry, Operation, Page, Put, PutOptions};
use wythe_sdk::{Error, Result};

pub const MAX_VALUE_BYTES: usize = 4 << 20;
pub const MAX_OPERATIONS: usize = 100;
/// A page ends behind the entry that reaches this, since it is a copy of what is here already.
const PAGE_BYTES: usize = 4 << 20;

pub struct Cache {
    config: Config,
    entries: BTreeMap<String, Kept>,
    /// Keys by last use, the longest unused first.
    by_use: BTreeMap<u64, String>,
    by_expiry: BTreeSet<(u64, String)>,
    /// Bytes of all keys and values.
    bytes: usize,
    /// Numbers writes and uses. It never goes back, so no etag comes twice.
    counter: u64,
}

struct Kept {
    entry: Entry,
    used: u64,
    /// The highest token that has written it.
    fence: Option<u64>,
}

/// The entry that the operations of a transaction so far left under a key, whose etag nobody can know yet, or nothing.
#[derive(Clone, Copy)]
enum Left {
    Entry { fence: Option<u64> },
    Nothing,
}

impl Cache {
    pub fn new(config: Config, counter: u64) -> Self {
        let (entries, by_use, by_expiry) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Self {
            config,
            entries,
            by_use,
            by_expiry,
            bytes: 0,
            counter,
        }
    }

    pub fn get(&mut self, key: &str, now: u64) -> Option<Entry> {
        self.expire(now);
        let used = self.next();
        let kept = self.entries.get_mut(key)?;
        self.by_use.remove(&kept.used);
        self.by_use.insert(used, key.to_owned());
        kept.used = used;
        Some(kept.entry.clone())
    }

    pub fn put(
        &mut self,
        key: String,
        value: Vec<u8>,
        options: PutOptions,
        now: u64,
    ) -> Result<String> {
        self.expire(now);
        fits(&value)?;
        self.check(&key, &options.condition)?;
        raise(self.fence(&key), options.fence)?;
        let etag = self.write(key, value, options, now);
        self.evict();
        Ok(etag)
    }

    pub fn delete(&mut self, key: &str, condition: &Condition, now: u64) -> Result<()> {
        self.expire(now);
        deletable(condition)?;
        self.check(key, condition)?;
        self.remove(key);
        Ok(())
    }

    /// The conditions hold in order, each seeing what the operations before it did, as if they had been called one by one.
    pub fn transact(
        &mut self,
        operations: Vec<Operation>,
        now: u64,
    ) -> Result<Vec<Option<String>>> {
        self.expire(now);
        if operations.len() > MAX_OPERATIONS {
            return Err(Error::invalid(format!(
                "a transaction has at most {MAX_OPERATIONS} operations"
            )));
        }
        self.rehearse(&operations)?;
        let etags = operations.into_iter().map(|operation| match operation {
            Operation::Put(Put {
                key,
                value,
                options,
            }) => Some(self.write(key, value, options.unwrap_or_default(), now)),
            Operation::Delete(Delete { key, .. }) => {
                self.remove(&key);
                None
            }
        });
        let etags = etags.collect();
        // Only now: an entry that this transaction needs must not go while it runs.
        self.evict();
        Ok(etags)
    }

    /// Lists entries from behind the cursor, which is the last key of the page before.
    pub fn list(&mut self, prefix: &str, cursor: Option<&str>, limit: usize, now: u64) -> Page {
        self.expire(now);
        let start = match cursor {
            Some(last) if last >= prefix => Bound::Excluded(last),
            _ => Bound::Included(prefix),
        };
        let from_there = self.entries.range::<str, _>((start, Bound::Unbounded));
        let mut matching = from_there.take_while(|(key, _)| key.starts_with(prefix));
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while entries.len() < limit && bytes < PAGE_BYTES {
            let Some((key, kept)) = matching.next() else {
                break;
            };
            bytes += kept.entry.value.len();
            entries.push((key.clone(), kept.entry.clone()));
        }
        let is_more = matching.next().is_some();
        let next = entries
            .last()
            .filter(|_| is_more)
            .map(|(key, _)| key.clone());
        Page { entries, next }
    }

    /// Checks that every condition and fence would hold, without a change.
    fn rehearse(&self, operations: &[Operation]) -> Result<()> {
        let mut touched = BTreeMap::new();
        for operation in operations {
            let (key, condition) = match operation {
                Operation::Put(put) => {
                    fits(&put.value)?;
                    let options = put.options.as_ref();
                    (
                        &put.key,
                        options.map_or(&Condition::Always, |options| &options.condition),
                    )
                }
                Operation::Delete(delete) => {
                    deletable(&delete.condition)?;
                    (&delete.key, &delete.condition)
                }
            };
            let before = touched.get(key.as_str()).copied();
            match (before, condition) {
                (None, condition) => self.check(key, condition)?,
                (Some(_), Condition::Always) | (Some(Left::Nothing), Condition::Absent) => {}
                (Some(Left::Entry { .. }), Condition::Absent)
                | (Some(_), Condition::Matches(_)) => {
                    return Err(conflict());
                }
            }
            touched.insert(key.as_str(), self.left(operation, before)?);
        }
        Ok(())
    }

    fn left(&self, operation: &Operation, before: Option<Left>) -> Result<Left> {
        let Operation::Put(put) = operation else {
            return Ok(Left::Nothing);
        };
        let mark = match before {
            None => self.fence(&put.key),
            Some(Left::Entry { fence }) => fence,
            Some(Left::Nothing) => None,
        };
        let fence = put.options.as_ref().and_then(|options| options.fence);
        Ok(Left::Entry {
            fence: raise(mark, fence)?,
        })
    }

    fn fence(&self, key: &str) -> Option<u64> {
        self.entries.get(key).and_then(|kept| kept.fence)
    }

    fn check(&self, key: &str, condition: &Condition) -> Result<()> {
        let holds = match (condition, self.entries.get(key)) {
            (Condition::Always, _) | (Condition::Absent, None) => true,
            (Condition::Absent, Some(_)) | (Condition::Matches(_), None) => false,
            (Condition::Matches(etag), Some(kept)) => *etag == kept.entry.etag,
        };
        if holds { Ok(()) } else { Err(conflict()) }
    }

    fn write(&mut self, key: String, value: Vec<u8>, options: PutOptions, now: u64) -> String {
        let fence = options.fence.or(self.fence(&key));
        self.remove(&key);
        let used = self.next();
        let etag = format!("{used:016x}");
        let expires = options
            .ttl
            .or(self.config.default_ttl)
            .map(|ttl| now.saturating_add(ttl));
        self.bytes += key.len() + value.len();
        self.by_use.insert(used, key.clone());
        if let Some(time) = expires {
            self.by_expiry.insert((time, key.clone()));
        }
        let entry = Entry {
            value,
            etag: etag.clone(),
            content_type: options.content_type,
            expires,
        };
        self.entries.insert(key, Kept { entry, used, fence });
        etag
    }

    fn remove(&mut self, key: &str) {
        let Some((key, kept)) = self.entries.remove_entry(key) else {
            return;
        };
        self.bytes -= key.len() + kept.entry.value.len();
        self.by_use.remove(&kept.used);
        if let Some(time) = kept.entry.expires {
            self.by_expiry.remove(&(time, key));
        }
    }

    /// An entry is there before its time of expiry, and not at it.
    fn expire(&mut self, now: u64) {
        while let Some((time, key)) = self.by_expiry.first()
            && *time <= now
        {
            let key = key.clone();
            self.remove(&key);
        }
    }

    fn evict(&mut self) {
        while self.entries.len() > self.config.max_entries || self.bytes > self.config.max_bytes {
            let Some((_, key)) = self.by_use.pop_first() else {
                return;
            };
            self.remove(&key);
        }
    }

    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }
}

fn fits(value: &[u8]) -> Result<()> {
    if value.len() <= MAX_VALUE_BYTES {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a value has at most {MAX_VALUE_BYTES} bytes, not {}",
        value.len()
    )))
}

fn deletable(condition: &Condition) -> Result<()> {
    match condition {
        Condition::Absent => Err(Error::invalid(
            "a delete cannot have the condition `absent`",
        )),
        Condition::Always | Condition::Matches(_) => Ok(()),
    }
}

/// The mark of the new entry: it only rises, and a write without a token leaves it.
fn raise(mark: Option<u64>, fence: Option<u64>) -> Result<Option<u64>> {
    match (mark, fence) {
        (Some(mark), Some(fence)) if fence < mark => Err(Error::conflict(format!(
            "a higher fence than {fence} has written here: {mark}"
        ))),
        _ => Ok(fence.or(mark)),
    }
}

fn conflict() -> Error {
    Error::conflict("the condition does not hold")
}

#[cfg(test)]
mod tests;
