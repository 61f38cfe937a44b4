//! State over a bucket: an entry is a value, its version the etag, and each write says which version it follows.

use crate::{
    bucket::{Bucket, Change, Detail, Row},
    client::Client,
    settings::Parsed,
};
use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use std::sync::Arc;
use wythe_blocks::{
    Error, Key, Result, Site,
    state::{
        Condition, Delete, Driver, Entry, Etag, Features, MAX_ANSWER, Page, Put, get_each, put_each,
    },
};

/// Entries that are asked for at once.
const AT_ONCE: usize = 16;

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
        expires: None,
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

impl State {
    fn check_size(&self, put: &Put) -> Result<()> {
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
}

#[async_trait]
impl Driver for State {
    fn features(&self) -> Features {
        Features {
            transactions: false,
            ttl: false,
            list: true,
            increment: false,
            fence: true,
            durable: self.bucket.is_durable(),
            linearizable: self.bucket.is_alone(),
            counted: false,
            max_value_bytes: self.bucket.max_value(),
            max_operations: 1,
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
        self.check_size(&put)?;
        let (key, options) = (&put.key, &put.options);
        if options.ttl.is_some() {
            return Err(Error::unsupported(
                "the driver has no ttl; its features say so",
            ));
        }
        let decide = |row: &Row| {
            check(&options.condition, row, key)?;
            let detail = Detail {
                content_type: options.content_type.clone(),
                fence: mark(options.fence, row, key)?,
            };
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
