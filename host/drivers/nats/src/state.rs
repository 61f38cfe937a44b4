//! State over a bucket: an entry is a value, its version the etag, and each write says which version it follows.

mod plan;

use crate::{
    bucket::{Bucket, Change, Committed, Detail, Row, STEP, TRIES, apart, overtaken},
    client::Client,
    settings::Parsed,
};
use async_trait::async_trait;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use plan::{keys, plan};
use std::{sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Key, Result, Site,
    state::{
        Condition, Delete, Driver, Entry, Etag, Features, MAX_ANSWER, Operation, Page, Put,
        PutOptions, get_each, put_each,
    },
    time,
};

/// Entries that are asked for at once.
const AT_ONCE: usize = 16;
/// The pause of each turn after one for which the server had no room, at most.
const CROWDED: Duration = Duration::from_millis(20);
/// Operations of a transaction: the server has 1,000 messages in a batch unless its configuration says otherwise.
const MAX_OPERATIONS: u32 = 1_000;

pub(super) async fn open(
    client: Arc<Client>,
    parsed: Parsed,
    site: Site,
) -> Result<Arc<dyn Driver>> {
    let bucket = Bucket::open(client, &parsed.bucket, parsed.made, &site.component).await?;
    Ok(Arc::new(State { bucket }))
}

struct State {
    bucket: Bucket,
}

fn about(key: &Key) -> String {
    format!("`{}`", key.shown())
}

fn entry(row: Row) -> Option<Entry> {
    let etag = row.revision.to_string();
    row.value.map(|value| Entry {
        value,
        etag,
        content_type: row.detail.content_type,
        expires: row.detail.expires.and_then(time::time),
    })
}

/// Checks that an entry is as a condition has it.
fn check(condition: &Condition, row: &Row, key: &Key) -> Result<()> {
    let is_there = row.value.is_some();
    let holds = match condition {
        Condition::Always => true,
        Condition::Absent => !is_there,
        Condition::Matches(etag) => is_there && *etag == row.revision.to_string(),
    };
    match (holds, condition) {
        (true, _) => Ok(()),
        (false, Condition::Absent) => Err(Error::conflict(format!(
            "`{}` has an entry already",
            key.shown()
        ))),
        (false, _) => Err(Error::conflict(format!(
            "`{}` has another etag, or no entry",
            key.shown()
        ))),
    }
}

/// The mark of an entry after a write with this fence.
fn mark(fence: Option<u64>, row: &Row, key: &Key) -> Result<Option<u64>> {
    // What was deleted has none.
    let before = row.value.as_ref().and(row.detail.fence);
    match fence < before && fence.is_some() {
        true => Err(Error::conflict(format!(
            "`{}` was written by a later holder of the lock",
            key.shown()
        ))),
        false => Ok(fence.or(before)),
    }
}

/// The part of an entry beside its value, after a write with these options.
fn detail(options: &PutOptions, row: &Row, key: &Key) -> Result<Detail> {
    let end = |ttl| time::now().saturating_add(time::milliseconds(ttl));
    Ok(Detail {
        content_type: options.content_type.clone(),
        fence: mark(options.fence, row, key)?,
        expires: options.ttl.map(end),
    })
}

impl State {
    /// Checks what the driver can do of a put.
    fn check(&self, put: &Put) -> Result<()> {
        if put.options.ttl.is_some() && !self.bucket.has_ends() {
            return Err(Error::unsupported(
                "the driver has no ttl: the server is older than 2.11, or the stream of the bucket has no `allow_msg_ttl`",
            ));
        }
        let max = self.bucket.max_value();
        match put.value.len() as u64 <= max {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "the value of `{}` has {} bytes; at most {max} are allowed, by the server's `max_payload`",
                put.key.shown(),
                put.value.len()
            ))),
        }
    }

    /// The rows of keys, in their order.
    async fn look(&self, keys: &[&Key], about: &str) -> Result<Vec<Row>> {
        let rows = keys.iter().map(|key| self.bucket.get(key.whole(), about));
        let rows: Vec<_> = rows.collect();
        stream::iter(rows).buffered(AT_ONCE).try_collect().await
    }

    /// Does all of the operations, or none; returns the revision of each.
    async fn commit(&self, operations: &[Operation], about: &str) -> Result<Vec<u64>> {
        let (keys, positions) = keys(operations);
        // Entries that are thought to be absent are not read first.
        let is_new = operations.iter().all(|operation| {
            matches!(operation, Operation::Put(put) if put.options.condition == Condition::Absent)
        });
        for turn in 0..TRIES {
            let found = match is_new && turn == 0 {
                true => vec![Row::default(); keys.len()],
                false => self.look(&keys, about).await?,
            };
            let rows = plan(operations, &positions, &found)?;
            let rows: Vec<_> = keys.iter().copied().zip(rows).collect();
            match self.bucket.commit(&rows, about).await? {
                Committed::Done(revisions) => {
                    return Ok(positions.iter().map(|at| revisions[*at]).collect());
                }
                Committed::Overtaken => apart(turn, STEP).await,
                Committed::Crowded => apart(turn + 1, CROWDED).await,
            }
        }
        Err(overtaken(about))
    }
}

#[async_trait]
impl Driver for State {
    fn features(&self) -> Features {
        Features {
            transactions: self.bucket.has_batches(),
            ttl: self.bucket.has_ends(),
            list: true,
            increment: false,
            fence: true,
            durable: self.bucket.is_durable(),
            linearizable: self.bucket.is_alone(),
            counted: false,
            max_value_bytes: self.bucket.max_value(),
            max_operations: match self.bucket.has_batches() {
                true => MAX_OPERATIONS,
                false => 1,
            },
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let row = self.bucket.get(key.whole(), &about(key)).await?;
        Ok(entry(row))
    }

    async fn get_many(&self, keys: Vec<Key>) -> Vec<Result<Option<Entry>>> {
        get_each(self, &keys, AT_ONCE).await
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        self.check(&put)?;
        let (key, options) = (&put.key, &put.options);
        let decide = |row: &Row| {
            check(&options.condition, row, key)?;
            let detail = detail(options, row, key)?;
            Ok(Change::Put(put.value.clone(), detail, ()))
        };
        let is_absent = options.condition == Condition::Absent;
        let about = about(key);
        let changed = self.bucket.change(key.whole(), &about, is_absent, decide);
        Ok(changed.await?.0.to_string())
    }

    async fn put_many(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        put_each(self, puts, AT_ONCE).await
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        let key = &delete.key;
        let decide = |row: &Row| {
            check(&delete.condition, row, key)?;
            Ok(match row.value {
                Some(_) => Change::Delete(()),
                None => Change::Nothing(()),
            })
        };
        let about = about(key);
        self.bucket
            .change(key.whole(), &about, false, decide)
            .await?;
        Ok(())
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        let max = self.features().max_operations as usize;
        if !self.bucket.has_batches() {
            return Err(Error::unsupported(
                "the driver has no transactions: the server is older than 2.12, or the stream of the bucket has no `allow_atomic`",
            ));
        }
        if operations.len() > max {
            return Err(Error::invalid(format!(
                "a transaction of {} operations; at most {max} are allowed",
                operations.len()
            )));
        }
        for operation in &operations {
            if let Operation::Put(put) = operation {
                self.check(put)?;
            }
        }
        let about = match &operations[..] {
            [] => return Ok(Vec::new()),
            [one] => about(one.key()),
            several => format!("a transaction of {} operations", several.len()),
        };
        let revisions = self.commit(&operations, &about).await?;
        let etags = operations.iter().zip(revisions);
        let etags = etags.map(|(operation, revision)| {
            matches!(operation, Operation::Put(_)).then(|| revision.to_string())
        });
        Ok(etags.collect())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let mut keys = self.bucket.keys(prefix).await?;
        keys.retain(|key| key.starts_with(prefix) && cursor.is_none_or(|at| key.as_str() > at));
        keys.sort_unstable();
        keys.dedup();
        let (mut page, mut bytes, limit) = (Page::default(), 0, limit as usize);
        let mut read = stream::iter(keys)
            .map(|key| async move {
                let row = self.bucket.get(&key, "an entry of the list").await;
                (key, row)
            })
            .buffered(AT_ONCE);
        while let Some((key, row)) = read.next().await {
            let Some(entry) = entry(row?) else {
                continue;
            };
            if page.entries.len() == limit || bytes >= MAX_ANSWER {
                page.next = page.entries.last().map(|(key, _)| key.clone());
                break;
            }
            bytes += entry.value.len() + key.len();
            page.entries.push((key, entry));
        }
        Ok(page)
    }

    fn describe(&self) -> Option<String> {
        self.bucket.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.bucket.session.health().await
    }

    async fn close(&self) -> Result<()> {
        self.bucket.session.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[test]
    fn a_condition_looks_at_what_is_there() {
        let key = Key::from("a");
        let there = Row {
            revision: 7,
            value: Some(Bytes::new()),
            detail: Detail::default(),
        };
        let gone = Row {
            value: None,
            ..there.clone()
        };
        let matches = |etag: &str| Condition::Matches(etag.to_owned());
        let cases = [
            (Condition::Always, [true, true]),
            (Condition::Absent, [false, true]),
            (matches("7"), [true, false]),
            (matches("07"), [false, false]),
            (matches("0"), [false, false]),
        ];
        for (condition, expected) in cases {
            let found = [&there, &gone].map(|row| check(&condition, row, &key).is_ok());
            assert_eq!(found, expected, "{condition:?}");
        }
    }

    #[test]
    fn a_mark_never_falls() {
        let key = Key::from("a");
        let row = |fence| Row {
            revision: 1,
            value: Some(Bytes::new()),
            detail: Detail {
                fence,
                ..Detail::default()
            },
        };
        assert_eq!(mark(None, &row(Some(3)), &key).unwrap(), Some(3));
        assert_eq!(mark(Some(3), &row(Some(3)), &key).unwrap(), Some(3));
        assert_eq!(mark(Some(4), &row(None), &key).unwrap(), Some(4));
        assert!(mark(Some(2), &row(Some(3)), &key).is_err());
    }
}
