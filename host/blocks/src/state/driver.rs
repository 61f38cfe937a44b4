//! The interface of a state technology, and the records that go both ways.

use crate::{Error, Key, Kind, Result};
use async_trait::async_trait;
use bytes::Bytes;
use std::time::{Duration, SystemTime};

/// Bytes of values in one answer of several; what would be beyond them is left for another call.
pub const MAX_ANSWER: usize = 16 << 20;

/// Opaque version of an entry.
pub type Etag = String;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub value: Bytes,
    pub etag: Etag,
    pub content_type: Option<String>,
    pub expires: Option<SystemTime>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Condition {
    /// Last write wins.
    #[default]
    Always,
    /// First write wins: only if there is no entry.
    Absent,
    /// A write only if the entry still has this etag.
    Matches(Etag),
}

#[derive(Clone, Debug, Default)]
pub struct PutOptions {
    pub condition: Condition,
    pub ttl: Option<Duration>,
    pub content_type: Option<String>,
    /// A lock's token: refused with `conflict` if a higher one has written this key.
    pub fence: Option<u64>,
}

#[derive(Clone, Debug)]
pub struct Put {
    pub key: Key,
    pub value: Bytes,
    pub options: PutOptions,
}

impl Put {
    /// A put without expiry, of which the last write wins.
    pub fn new(key: impl Into<Key>, value: impl Into<Bytes>) -> Self {
        Put {
            key: key.into(),
            value: value.into(),
            options: PutOptions::default(),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Delete {
    pub key: Key,
    pub condition: Condition,
}

#[derive(Clone, Debug)]
pub enum Operation {
    Put(Put),
    Delete(Delete),
}

impl Operation {
    pub fn key(&self) -> &Key {
        match self {
            Operation::Put(put) => &put.key,
            Operation::Delete(delete) => &delete.key,
        }
    }

    /// Bytes of key and value.
    pub(super) fn size(&self) -> usize {
        match self {
            Operation::Put(put) => put.key.len() + put.value.len(),
            Operation::Delete(delete) => delete.key.len(),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub struct Page {
    pub entries: Vec<(String, Entry)>,
    /// A key: the next page holds keys after it.
    pub next: Option<String>,
}

impl Page {
    /// A driver whose pages do not get on would be read for ever.
    pub(super) fn checked(self, cursor: Option<&str>) -> Result<Self> {
        match (&self.next, cursor) {
            (Some(next), Some(cursor)) if next.as_str() <= cursor => Err(Error::internal(
                "the store's list goes back to where it was; look at its driver",
            )),
            _ => Ok(self),
        }
    }
}

/// The abilities of a driver; conformance proves them and the block relies on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    pub transactions: bool,
    pub ttl: bool,
    pub list: bool,
    /// True if `increment` is one step of the driver; otherwise it is built from compare-and-set.
    pub increment: bool,
    /// `PutOptions::fence`.
    pub fence: bool,
    pub durable: bool,
    pub linearizable: bool,
    /// It counts what it stores in the quotas of its tenant, where its site has a ledger ([`super::Stored`]).
    pub counted: bool,
    pub max_value_bytes: u64,
    pub max_operations: u32,
}

impl Features {
    /// Returns whether a name of a manifest's `requires:` holds; absent for a name that is no feature.
    pub fn has(&self, name: &str) -> Option<bool> {
        Some(match name {
            "transactions" => self.transactions,
            "ttl" => self.ttl,
            "list" => self.list,
            "increment" => self.increment,
            "fence" => self.fence,
            "durable" => self.durable,
            "linearizable" => self.linearizable,
            "counted" => self.counted,
            _ => return None,
        })
    }

    pub const NAMES: [&'static str; 8] = [
        "transactions",
        "ttl",
        "list",
        "increment",
        "fence",
        "durable",
        "linearizable",
        "counted",
    ];
}

/// Tries of an increment that others keep overtaking.
const INCREMENT_TRIES: usize = 64;

/// A technology that stores state. Keys arrive scoped and checked; a message names one by [`Key::shown`].
///
/// A lost condition is [`Kind::Conflict`]; a write whose fate is not known is [`Kind::UnknownOutcome`].
#[async_trait]
pub trait Driver: Send + Sync {
    fn features(&self) -> Features;

    /// Reads an entry, never one whose time is over.
    async fn get(&self, key: &Key) -> Result<Option<Entry>>;

    /// One result per key, in order. Once the values have [`MAX_ANSWER`] bytes, the rest is `exhausted` and not read.
    async fn get_many(&self, keys: Vec<Key>) -> Vec<Result<Option<Entry>>> {
        let (mut answers, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        for key in &keys {
            let answer = match bytes < MAX_ANSWER {
                true => self.get(key).await,
                false => Err(beyond()),
            };
            bytes += size(&answer);
            answers.push(answer);
        }
        answers
    }

    async fn put(&self, put: Put) -> Result<Etag>;

    /// One result per item, in order.
    async fn put_many(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        let mut answers = Vec::with_capacity(puts.len());
        for put in puts {
            answers.push(self.put(put).await);
        }
        answers
    }

    async fn delete(&self, delete: Delete) -> Result<()>;

    /// Does all of the operations in order, or none; returns an etag for each put.
    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        let _ = operations;
        Err(Error::unsupported("the driver has no transactions"))
    }

    /// Keys after `cursor` that start with `prefix`, in byte order, at most `limit` of them.
    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let _ = (prefix, cursor, limit);
        Err(Error::unsupported("the driver has no list"))
    }

    /// Adds to a decimal integer; by compare-and-set where the driver has nothing better.
    /// The new entry keeps the time at which the old one expires.
    async fn increment(&self, key: &Key, delta: i64) -> Result<i64> {
        for _ in 0..INCREMENT_TRIES {
            let entry = self.get(key).await?;
            let sum = sum(
                key.shown(),
                entry.as_ref().map(|entry| &entry.value[..]),
                delta,
            )?;
            let put = increment_put(key, entry, sum);
            match self.put(put).await {
                Ok(_) => return Ok(sum),
                Err(error) if error.kind() == Kind::Conflict => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::unavailable(format!(
            "`{}` changed under {INCREMENT_TRIES} tries to increment it",
            key.shown()
        )))
    }

    /// The server that it speaks to, in one line for operators: its name, version and address, and no secret.
    fn describe(&self) -> Option<String> {
        None
    }

    /// Returns whether hosts on several machines may have the same entries: so it is where there is a server.
    fn is_shared(&self) -> bool {
        self.describe().is_some()
    }

    /// An error while the driver cannot do its work, and knows it without trying.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the driver, once, after the last call; what was acknowledged is kept.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Bytes of the value, if there is one.
pub(super) fn size(answer: &Result<Option<Entry>>) -> usize {
    let entry = answer.as_ref().ok().and_then(Option::as_ref);
    entry.map_or(0, |entry| entry.value.len())
}

/// The answer for a value that is beyond [`MAX_ANSWER`].
pub fn beyond() -> Error {
    Error::exhausted(format!(
        "one answer has at most {MAX_ANSWER} bytes of values, and those before have as many; ask for the rest in another call"
    ))
}

fn increment_put(key: &Key, entry: Option<Entry>, sum: i64) -> Put {
    let mut put = Put::new(key.clone(), sum.to_string());
    put.options.condition = Condition::Absent;
    if let Some(entry) = entry {
        put.options.condition = Condition::Matches(entry.etag);
        put.options.content_type = entry.content_type;
        put.options.ttl = entry.expires.map(|at| {
            let left = at.duration_since(SystemTime::now()).unwrap_or_default();
            left.max(Duration::from_millis(1))
        });
    }
    put
}

/// `value + delta`, of the key that is shown so, where `value` is a decimal integer or absent.
pub fn sum(key: &str, value: Option<&[u8]>, delta: i64) -> Result<i64> {
    let old = match value {
        None => 0,
        Some(bytes) => std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| text.trim().parse::<i64>().ok())
            .ok_or_else(|| {
                Error::invalid(format!(
                    "the value of `{key}` is no decimal integer of 64 bits"
                ))
            })?,
    };
    old.checked_add(delta)
        .ok_or_else(|| Error::invalid(format!("{old} + {delta} does not fit into 64 bits")))
}
