//! The rows of a component: keys below its prefix, each with the revision of its last write.

use crate::{
    client::{Client, Session},
    fault::Fault,
    settings::Bounds,
    wire::{KeyValue, One, Ranged, Transacted, octets},
};
use bytes::Bytes;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use wythe_blocks::{Error, Result, random};
use wythe_client::Effect;

/// Keys of one question.
const KEYS: usize = 64;
/// Rows of one question for a page.
const ROWS: usize = 512;
/// Bytes of a request beside its values, and of an operation beside its key and value.
const RESERVED: u64 = 64 << 10;
const OPERATION: usize = 64;
/// Tries of a write that others keep overtaking.
pub(crate) const TRIES: u32 = 64;

pub(crate) struct Space {
    pub session: Session,
    pub bounds: Bounds,
    /// The beginning of each key.
    root: String,
}

/// A row as it was found; without a value where there is none, and then its revision is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub revision: i64,
    pub value: Option<Bytes>,
}

/// The write of one key, which happens if its revision is still this one, or whichever it is where none is given.
#[derive(Clone, Debug)]
pub(crate) struct Write<'a> {
    pub key: &'a str,
    pub revision: Option<i64>,
    pub change: Change,
}

#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// The row stays as it is.
    Nothing,
    Delete,
    /// A value, and the lease by whose end it is removed, 0 for none.
    Put(Bytes, i64),
}

/// The end of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Committed {
    /// It happened, with this revision.
    Done(i64),
    /// Somebody else has written one of its keys; with the row, if the transaction is about one key.
    Overtaken(Option<Row>),
    /// A lease of it is gone, so that nothing happened.
    Leaseless,
}

/// A position in the order of keys.
#[derive(Debug)]
pub(crate) struct Position {
    start: Vec<u8>,
    end: Vec<u8>,
    /// Rows that one question may have: less where they were large.
    limit: usize,
}

impl Position {
    /// The position after an answer; none where that was the last one, or leads nowhere.
    fn after(&self, found: &Ranged) -> Option<Position> {
        let last = found.kvs.last().filter(|_| found.more)?;
        let mut start = last.key.0.clone();
        start.push(0);
        (start > self.start && start < self.end).then(|| Position {
            start,
            end: self.end.clone(),
            limit: self.limit,
        })
    }
}

impl From<KeyValue> for Row {
    fn from(found: KeyValue) -> Self {
        Row {
            revision: found.mod_revision.0,
            value: Some(found.value.0.into()),
        }
    }
}

impl Space {
    pub fn new(client: Arc<Client>, bounds: Bounds, prefix: &str) -> Self {
        Space {
            session: Session::new(client),
            bounds,
            root: format!("{prefix}/"),
        }
    }

    /// The rows of a component whose server answers, and lets it in.
    pub async fn opened(self) -> Result<Self> {
        let client = self.session.known();
        let looked = client.look().await;
        let looked = looked.map_err(|fault| fault.error(Effect::Read, "its state"));
        let found = match looked {
            Ok(()) => self.health().await,
            Err(error) => Err(error),
        };
        found.map_err(|error| client.named(error))?;
        Ok(self)
    }

    /// Bytes of a value.
    pub fn max_value(&self) -> u64 {
        self.bounds.request - RESERVED
    }

    fn key(&self, key: &str) -> String {
        octets(format!("{}{key}", self.root))
    }

    /// The key as the component has it.
    fn own(&self, key: Vec<u8>) -> Option<String> {
        let key = String::from_utf8(key).ok()?;
        key.strip_prefix(&self.root).map(str::to_owned)
    }

    pub async fn row(&self, key: &str, about: &str) -> Result<Row> {
        let body = json!({ "key": self.key(key) });
        let client = self.session.client()?;
        let found: Result<Ranged, _> = client.ask(Effect::Read, "/v3/kv/range", &body).await;
        let found = found.map_err(|fault| fault.error(Effect::Read, about))?;
        Ok(first(found.kvs))
    }

    /// The rows of the first of some keys, as many as one answer has room for, at least one.
    pub async fn rows(&self, keys: &[&str], about: &str) -> Result<Vec<Row>> {
        let limit = KEYS.min(self.bounds.operations as usize);
        let mut count = keys.len().min(limit);
        loop {
            match self.ask_rows(&keys[..count]).await? {
                Err(fault) if fault.is_large() && count > 1 => count = (count / 4).max(1),
                Err(fault) => return Err(fault.error(Effect::Read, about)),
                Ok(rows) => return Ok(rows),
            }
        }
    }

    async fn ask_rows(&self, keys: &[&str]) -> Result<Result<Vec<Row>, Fault>> {
        let reads = keys.iter().map(|key| self.read(key));
        let body = json!({ "success": reads.collect::<Vec<_>>() });
        let client = self.session.client()?;
        let done: Result<Transacted, _> = client.ask(Effect::Read, "/v3/kv/txn", &body).await;
        Ok(done.and_then(|done| {
            let rows = done.responses.into_iter();
            let rows = rows.map(|one| one.response_range.map(of_key));
            let rows: Option<Vec<_>> = rows.collect();
            let whole = rows.filter(|rows| rows.len() == keys.len());
            whole.ok_or_else(|| Fault::Odd("a row is missing".to_owned()))
        }))
    }

    fn read(&self, key: &str) -> Value {
        json!({ "request_range": { "key": self.key(key) } })
    }

    /// The position of the first key that starts with a prefix and comes after another one.
    pub fn position(&self, prefix: &str, after: Option<&str>) -> Position {
        let whole = format!("{}{prefix}", self.root).into_bytes();
        let after = after.map(|key| format!("{}{key}\0", self.root).into_bytes());
        Position {
            end: end(&whole),
            start: after.unwrap_or_default().max(whole),
            limit: ROWS,
        }
    }

    /// Rows from a position on, in order; the position of those that follow, if there are more.
    pub async fn page(
        &self,
        mut position: Position,
        limit: usize,
    ) -> Result<(Vec<(String, Row)>, Option<Position>)> {
        loop {
            let count = limit.clamp(1, position.limit);
            let body = json!({
                "key": octets(&position.start), "range_end": octets(&position.end),
                "limit": count.to_string(),
            });
            let client = self.session.client()?;
            let found: Result<Ranged, _> = client.ask(Effect::Read, "/v3/kv/range", &body).await;
            let found = match found {
                Err(fault) if fault.is_large() && count > 1 => {
                    position.limit = (count / 4).max(1);
                    continue;
                }
                found => found.map_err(|fault| fault.error(Effect::Read, "the list"))?,
            };
            let next = position.after(&found);
            let rows = found.kvs.into_iter().take(count);
            let rows = rows.filter_map(|mut row| {
                let key = self.own(std::mem::take(&mut row.key.0))?;
                Some((key, Row::from(row)))
            });
            return Ok((rows.collect(), next));
        }
    }

    /// All rows of one moment; none where there are more than so many, or more bytes than an answer may have.
    pub async fn all(&self, limit: usize, about: &str) -> Result<Option<Vec<(String, Row)>>> {
        let body = json!({
            "key": octets(&self.root), "range_end": octets(end(self.root.as_bytes())),
            "limit": limit.to_string(),
        });
        let client = self.session.client()?;
        let found: Result<Ranged, _> = client.ask(Effect::Read, "/v3/kv/range", &body).await;
        match found {
            Err(fault) if fault.is_large() => Ok(None),
            Err(fault) => Err(fault.error(Effect::Read, about)),
            Ok(found) if found.more || found.kvs.len() > limit => Ok(None),
            Ok(found) => {
                let rows = found.kvs.into_iter().filter_map(|mut row| {
                    let key = self.own(std::mem::take(&mut row.key.0))?;
                    Some((key, Row::from(row)))
                });
                Ok(Some(rows.collect()))
            }
        }
    }

    /// The number of all rows, and the revision of the last write of those that are there.
    pub async fn newest(&self, about: &str) -> Result<(i64, i64)> {
        let body = json!({
            "key": octets(&self.root), "range_end": octets(end(self.root.as_bytes())),
            "limit": "1", "keys_only": true, "sort_order": "DESCEND", "sort_target": "MOD",
        });
        let client = self.session.client()?;
        let found: Result<Ranged, _> = client.ask(Effect::Read, "/v3/kv/range", &body).await;
        let found = found.map_err(|fault| fault.error(Effect::Read, about))?;
        let last = found.kvs.first().map_or(0, |row| row.mod_revision.0);
        Ok((found.count.0, last))
    }

    /// The key and the end of all that is below the prefix, in base64, for a watch.
    pub fn bounds_of_all(&self) -> (String, String) {
        (octets(&self.root), octets(end(self.root.as_bytes())))
    }

    /// Does all of the writes if no row has changed, or none of them.
    pub async fn commit(&self, writes: &[Write<'_>], about: &str) -> Result<Committed> {
        self.check(writes, about)?;
        let compare = writes.iter().filter_map(|write| {
            Some(json!({
                "target": "MOD", "result": "EQUAL",
                "key": self.key(write.key), "mod_revision": write.revision?.to_string(),
            }))
        });
        let success = writes.iter().filter_map(|write| self.operation(write));
        let mut body = json!({
            "compare": compare.collect::<Vec<_>>(),
            "success": success.collect::<Vec<_>>(),
        });
        // An answer with more rows might be more than may be read, and then nobody knew what happened.
        if let [write] = writes {
            body["failure"] = json!([self.read(write.key)]);
        }
        let client = self.session.client()?;
        let done: Result<Transacted, _> = client.ask(Effect::Write, "/v3/kv/txn", &body).await;
        match done {
            Ok(done) if done.succeeded => Ok(Committed::Done(done.header.revision.0)),
            Ok(done) => {
                let row = done.responses.into_iter().next();
                let row = row.and_then(|one| one.response_range);
                Ok(Committed::Overtaken(row.map(of_key)))
            }
            Err(fault) if fault.is_about_lease() => Ok(Committed::Leaseless),
            Err(fault) => Err(fault.error(Effect::Write, about)),
        }
    }

    fn operation(&self, write: &Write<'_>) -> Option<Value> {
        let key = self.key(write.key);
        match &write.change {
            Change::Nothing => None,
            Change::Delete => Some(json!({ "request_delete_range": { "key": key } })),
            Change::Put(value, lease) => Some(json!({
                "request_put": { "key": key, "value": octets(value), "lease": lease.to_string() }
            })),
        }
    }

    /// Refuses what the server would: operations, and bytes.
    fn check(&self, writes: &[Write<'_>], about: &str) -> Result<()> {
        let Bounds {
            operations,
            request,
        } = self.bounds;
        if writes.len() > operations as usize {
            return Err(Error::invalid(format!(
                "{about} has {} operations; at most {operations} are allowed (`maxTxnOps`, and the server's `--max-txn-ops`)",
                writes.len()
            )));
        }
        let bytes = writes.iter().map(|write| {
            let value = match &write.change {
                Change::Put(value, _) => value.len(),
                _ => 0,
            };
            2 * (self.root.len() + write.key.len()) + value + OPERATION
        });
        let bytes: usize = bytes.sum();
        match bytes as u64 <= request {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "{about} has {bytes} bytes; at most {request} are allowed in one request (`maxRequestBytes`, and the server's `--max-request-bytes`)"
            ))),
        }
    }

    /// Asks for what the component may read: a cluster without most of its servers has no answer.
    pub async fn health(&self) -> Result<()> {
        let body = json!({
            "key": octets(&self.root), "range_end": octets(end(self.root.as_bytes())),
            "count_only": true, "limit": "1",
        });
        let client = self.session.client()?;
        let found: Result<Ranged, _> = client.ask(Effect::Read, "/v3/kv/range", &body).await;
        let about = format!("the keys below `{}`", self.root);
        found
            .map(drop)
            .map_err(|fault| fault.error(Effect::Read, &about))
    }

    pub fn describe(&self) -> Option<String> {
        let client = self.session.known();
        let version = match client.version() {
            version if version.is_empty() => "of an unknown version".to_owned(),
            version => version,
        };
        let (address, root) = (client.address(), &self.root);
        Some(format!("etcd {version} at {address}, keys below `{root}`"))
    }
}

/// Waits a moment that grows with the tries, so that many that write one key come apart.
pub(crate) async fn apart(turn: u32) {
    let max_pause = 500 * u64::from(turn.min(40) + 1);
    tokio::time::sleep(Duration::from_micros(random::next() % max_pause)).await;
}

/// The error after so many tries.
pub(crate) fn overtaken(about: &str) -> Error {
    Error::unavailable(format!("{about} changed under {TRIES} tries to write it"))
}

fn first(found: Vec<KeyValue>) -> Row {
    let row = found.into_iter().next();
    row.map_or_else(Row::default, Row::from)
}

fn of_key(found: One) -> Row {
    first(found.kvs)
}

/// The first key that does not start with a prefix: a byte of UTF-8 is never the last one.
fn end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_ends_behind_its_prefix() {
        for (prefix, inside, outside) in [
            ("a/", "a/\u{10ffff}", "a0"),
            ("a/b", "a/b||c", "a/c"),
            ("a/\u{ff}", "a/\u{ff}x", "a/\u{100}"),
        ] {
            let end = end(prefix.as_bytes());
            assert!(inside.as_bytes() < &end[..], "{inside}");
            assert!(outside.as_bytes() >= &end[..], "{outside}");
        }
    }
}
