//! State as Dapr's second layout has it: a row for each entry, whose revision is the etag. A write is one transaction that
//! follows the rows as they were read.

mod plan;
mod record;

use crate::{
    lease::Leases,
    space::{Change, Committed, Row, Space, TRIES, Write, apart, overtaken},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use plan::{Found, Outcome, keys, plan};
use record::Record;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    Error, Key, Result,
    state::{
        Condition, Delete, Driver, Entry, Etag, Features, MAX_ANSWER, Operation, Page, Put, beyond,
        sum,
    },
};

/// Puts of a batch that are under way at once.
const AT_ONCE: usize = 16;

pub(crate) fn open(space: Space) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(State {
        space,
        leases: Leases::default(),
    }))
}

struct State {
    space: Space,
    leases: Leases,
}

fn about(key: &Key) -> String {
    format!("`{}`", key.shown())
}

fn entry(revision: i64, record: Record) -> Entry {
    Entry {
        value: record.data,
        etag: revision.to_string(),
        content_type: record.content_type,
        expires: record.end,
    }
}

fn entry_of(row: Row, key: &Key) -> Result<Option<Entry>> {
    let found = Found::of(row, key)?;
    Ok(found.entry.map(|record| entry(found.revision, record)))
}

impl State {
    fn check_size(&self, put: &Put) -> Result<()> {
        let max = self.space.max_value();
        match put.value.len() as u64 <= max {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "the value of `{}` has {} bytes; at most {max} are allowed (see `maxRequestBytes`)",
                put.key.shown(),
                put.value.len()
            ))),
        }
    }

    /// The rows of keys, without the values of their entries.
    async fn look(&self, keys: &[&Key], about: &str) -> Result<Vec<Found>> {
        let whole: Vec<_> = keys.iter().map(|key| key.whole()).collect();
        let mut found = Vec::with_capacity(keys.len());
        while found.len() < keys.len() {
            let rows = self.space.rows(&whole[found.len()..], about).await?;
            for row in rows {
                let mut one = Found::of(row, keys[found.len()])?;
                if let Some(entry) = &mut one.entry {
                    entry.data = Bytes::new();
                }
                found.push(one);
            }
        }
        Ok(found)
    }

    /// Does all of the operations, or none; returns the revision of those that write.
    async fn commit(&self, operations: &[Operation], about: &str) -> Result<i64> {
        let (keys, places) = keys(operations);
        // What is thought to be absent is not read first.
        let is_new = operations.iter().all(|operation| {
            matches!(operation, Operation::Put(put) if put.options.condition == Condition::Absent)
        });
        let mut found = match is_new {
            true => vec![Found::default(); keys.len()],
            false => self.look(&keys, about).await?,
        };
        for turn in 0..TRIES {
            let outcomes = plan(operations, &places, &found)?;
            let mut writes = Vec::with_capacity(keys.len());
            for ((key, found), outcome) in keys.iter().zip(&found).zip(outcomes) {
                writes.push(Write {
                    key: key.whole(),
                    revision: Some(found.revision),
                    change: self.change(outcome, about).await?,
                });
            }
            let row = match self.space.commit(&writes, about).await? {
                Committed::Done(revision) => return Ok(revision),
                Committed::Overtaken(row) => row,
                Committed::Leaseless => {
                    self.leases.forget();
                    continue;
                }
            };
            if turn > 0 {
                apart(turn).await;
            }
            found = match (row, &keys[..]) {
                (Some(row), [key]) => vec![Found::of(row, key)?],
                _ => self.look(&keys, about).await?,
            };
        }
        Err(overtaken(about))
    }

    async fn change(&self, outcome: Outcome, about: &str) -> Result<Change> {
        Ok(match outcome {
            Outcome::Same => Change::Nothing,
            Outcome::Gone => Change::Delete,
            Outcome::There { row, lasts: None } => Change::Put(row, 0),
            Outcome::There {
                row,
                lasts: Some(lasts),
            } => Change::Put(row, self.leases.of(&self.space, lasts, about).await?),
        })
    }

    /// The sum, and the row that has it.
    async fn add(&self, key: &Key, row: Row, delta: i64, about: &str) -> Result<(i64, Change)> {
        let old = Found::of(row, key)?.entry;
        let value = old.as_ref().map(|entry| &entry.data[..]);
        let sum = sum(key.shown(), value, delta)?;
        let old = old.unwrap_or_default();
        // The entry ends when the old one would have.
        let left = old.end.map(|end| {
            let left = end.duration_since(SystemTime::now()).unwrap_or_default();
            left.max(Duration::from_millis(1))
        });
        let data = Bytes::from(sum.to_string());
        let outcome = Outcome::There {
            row: Record::encode(data, old.content_type, old.fence, left),
            lasts: left,
        };
        Ok((sum, self.change(outcome, about).await?))
    }
}

#[async_trait]
impl Driver for State {
    fn features(&self) -> Features {
        Features {
            transactions: true,
            ttl: true,
            list: true,
            increment: false,
            fence: true,
            durable: true,
            linearizable: true,
            counted: false,
            max_value_bytes: self.space.max_value(),
            max_operations: self.space.bounds.operations,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let row = self.space.row(key.whole(), &about(key)).await?;
        entry_of(row, key)
    }

    async fn get_many(&self, keys: Vec<Key>) -> Vec<Result<Option<Entry>>> {
        let whole: Vec<_> = keys.iter().map(Key::whole).collect();
        let about = format!("a batch of {} keys", keys.len());
        let (mut answers, mut bytes) = (Vec::with_capacity(keys.len()), 0);
        while answers.len() < keys.len() && bytes < MAX_ANSWER {
            match self.space.rows(&whole[answers.len()..], &about).await {
                Ok(rows) => {
                    for row in rows {
                        let size = row.value.as_ref().map_or(0, Bytes::len);
                        let answer = match bytes < MAX_ANSWER {
                            true => entry_of(row, &keys[answers.len()]),
                            false => Err(beyond()),
                        };
                        bytes += size;
                        answers.push(answer);
                    }
                }
                Err(error) => answers.resize_with(keys.len(), || Err(error.duplicate())),
            }
        }
        answers.resize_with(keys.len(), || Err(beyond()));
        answers
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        self.check_size(&put)?;
        let about = about(&put.key);
        let revision = self.commit(&[Operation::Put(put)], &about).await?;
        Ok(revision.to_string())
    }

    async fn put_many(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        let mut keys: Vec<_> = puts.iter().map(|put| put.key.whole()).collect();
        keys.sort_unstable();
        keys.dedup();
        // Several writes of one entry happen in their order.
        let at_once = if keys.len() == puts.len() { AT_ONCE } else { 1 };
        let written = stream::iter(puts).map(|put| self.put(put));
        written.buffered(at_once).collect().await
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        let about = about(&delete.key);
        self.commit(&[Operation::Delete(delete)], &about)
            .await
            .map(drop)
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        let max = self.space.bounds.operations as usize;
        if operations.len() > max {
            return Err(Error::invalid(format!(
                "a transaction of {} operations; at most {max} are allowed (`maxTxnOps`)",
                operations.len()
            )));
        }
        for operation in &operations {
            if let Operation::Put(put) = operation {
                self.check_size(put)?;
            }
        }
        let about = match &operations[..] {
            [] => return Ok(Vec::new()),
            [one] => about(one.key()),
            several => format!("a transaction of {} operations", several.len()),
        };
        let etag = self.commit(&operations, &about).await?.to_string();
        let etags = operations.iter().map(|operation| match operation {
            Operation::Put(_) => Some(etag.clone()),
            Operation::Delete(_) => None,
        });
        Ok(etags.collect())
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let (mut page, mut bytes, limit) = (Page::default(), 0, limit as usize);
        let mut position = Some(self.space.position(prefix, cursor));
        while let Some(from) = position {
            // One more tells whether there is another page.
            let wanted = limit - page.entries.len() + 1;
            let (rows, next) = self.space.page(from, wanted).await?;
            for (key, row) in rows {
                let (revision, value) = (row.revision, row.value.unwrap_or_default());
                // Rows of others are none of the list's.
                let record = Record::decode(value).filter(|record| !record.is_over());
                let Some(record) = record else {
                    continue;
                };
                if page.entries.len() == limit || bytes >= MAX_ANSWER {
                    page.next = page.entries.last().map(|(key, _)| key.clone());
                    return Ok(page);
                }
                bytes += record.data.len() + key.len();
                page.entries.push((key, entry(revision, record)));
            }
            position = next;
        }
        Ok(page)
    }

    async fn increment(&self, key: &Key, delta: i64) -> Result<i64> {
        let about = about(key);
        let mut row = self.space.row(key.whole(), &about).await?;
        for turn in 0..TRIES {
            let revision = row.revision;
            let (sum, change) = self.add(key, row.clone(), delta, &about).await?;
            let write = Write {
                key: key.whole(),
                revision: Some(revision),
                change,
            };
            match self.space.commit(&[write], &about).await? {
                Committed::Done(_) => return Ok(sum),
                Committed::Leaseless => self.leases.forget(),
                Committed::Overtaken(newer) => {
                    apart(turn).await;
                    row = match newer {
                        Some(newer) => newer,
                        None => self.space.row(key.whole(), &about).await?,
                    };
                }
            }
        }
        Err(overtaken(&about))
    }

    fn describe(&self) -> Option<String> {
        self.space.describe()
    }

    async fn health(&self) -> Result<()> {
        self.space.health().await
    }

    async fn close(&self) -> Result<()> {
        self.space.session.close();
        Ok(())
    }
}
