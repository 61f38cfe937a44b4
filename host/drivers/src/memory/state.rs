//! State in a sorted map under a lock.

use crate::{
    apply::{self, Answer, MAX_OPERATIONS, Table, Write},
    page,
    record::{self, Record, Version},
};
use async_trait::async_trait;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, PoisonError, RwLock, Weak},
    time::Duration,
};
use tokio::task::AbortHandle;
use wythe_blocks::{
    Error, Result, Site,
    state::{Delete, Driver, Entry, Etag, Features, Operation, Page, Put},
};

const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Entries swept under one lock, so that no reader waits for long.
const SWEEP_BATCH: usize = 1_000;

/// There is nothing to set.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {}

pub(super) async fn open(_: Config, _: Site) -> Result<Arc<dyn Driver>> {
    let tree = Arc::new(RwLock::new(Tree::default()));
    let sweeper = tokio::spawn(sweep(Arc::downgrade(&tree))).abort_handle();
    Ok(Arc::new(Memory { tree, sweeper }))
}

async fn sweep(tree: Weak<RwLock<Tree>>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(tree) = tree.upgrade() else { return };
        let now = record::now();
        while tree
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .sweep(now)
        {
            tokio::task::yield_now().await;
        }
    }
}

#[derive(Default)]
struct Tree {
    entries: BTreeMap<String, Record>,
    /// When, and which key; in step with the entries.
    expiries: BTreeSet<(u64, String)>,
}

impl Tree {
    /// Removes a batch of those whose time is over; true if there are more.
    fn sweep(&mut self, now: u64) -> bool {
        for _ in 0..SWEEP_BATCH {
            match self.expiries.first() {
                Some((at, _)) if *at <= now => {}
                _ => return false,
            }
            if let Some((_, key)) = self.expiries.pop_first() {
                self.entries.remove(&key);
            }
        }
        true
    }
}

impl Table for Tree {
    fn version(&self, key: &str) -> Result<Option<Version>> {
        Ok(self.entries.get(key).map(|record| record.version))
    }

    fn get(&self, key: &str) -> Result<Option<Record>> {
        Ok(self.entries.get(key).cloned())
    }

    fn set(&mut self, key: &str, record: Option<Record>) -> Result<()> {
        let expires = record.as_ref().and_then(|record| record.version.expires);
        let old = match (record, self.entries.get_mut(key)) {
            (Some(record), Some(place)) => Some(std::mem::replace(place, record)),
            (Some(record), None) => self.entries.insert(key.to_owned(), record),
            (None, _) => self.entries.remove(key),
        };
        if let Some(at) = old.and_then(|record| record.version.expires) {
            self.expiries.remove(&(at, key.to_owned()));
        }
        if let Some(at) = expires {
            self.expiries.insert((at, key.to_owned()));
        }
        Ok(())
    }
}

struct Memory {
    tree: Arc<RwLock<Tree>>,
    sweeper: AbortHandle,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.sweeper.abort();
    }
}

impl Memory {
    fn write(&self, write: Write) -> Result<Answer> {
        let mut tree = self.tree.write().unwrap_or_else(PoisonError::into_inner);
        apply::apply(&mut *tree, write, record::now())
    }
}

#[async_trait]
impl Driver for Memory {
    fn features(&self) -> Features {
        Features {
            transactions: true,
            ttl: true,
            list: true,
            increment: true,
            fence: true,
            durable: false,
            linearizable: true,
            max_value_bytes: u64::MAX,
            max_operations: MAX_OPERATIONS,
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let record = tree
            .entries
            .get(key)
            .filter(|record| !record.version.is_over(record::now));
        Ok(record.map(Record::entry))
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        match self.write(Write::Put(put))? {
            Answer::Put(etag) => Ok(etag),
            other => Err(mixed_up(&other)),
        }
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        self.write(Write::Delete(delete)).map(drop)
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        match self.write(Write::Transact(operations))? {
            Answer::Transacted(etags) => Ok(etags),
            other => Err(mixed_up(&other)),
        }
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let mut page = page::Builder::new(prefix, limit, record::now())?;
        let tree = self.tree.read().unwrap_or_else(PoisonError::into_inner);
        let range = (page::start(prefix, cursor), Bound::Unbounded);
        for (key, record) in tree.entries.range::<str, _>(range) {
            if page.offer(key, record).is_break() {
                break;
            }
        }
        Ok(page.finish())
    }

    async fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        match self.write(Write::Increment {
            key: key.to_owned(),
            delta,
        })? {
            Answer::Sum(sum) => Ok(sum),
            other => Err(mixed_up(&other)),
        }
    }

    async fn close(&self) -> Result<()> {
        self.sweeper.abort();
        Ok(())
    }
}

fn mixed_up(answer: &Answer) -> Error {
    Error::internal(format!("a write was answered as another: {answer:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(expires: Option<u64>) -> Option<Record> {
        Some(Record {
            version: Version {
                etag: 1,
                expires,
                fence: None,
            },
            content_type: None,
            value: "v".into(),
        })
    }

    #[test]
    fn the_sweep_removes_what_is_over_and_nothing_else() {
        let mut tree = Tree::default();
        tree.set("kept", record(None)).unwrap();
        tree.set("later", record(Some(11))).unwrap();
        tree.set("renewed", record(Some(5))).unwrap();
        tree.set("renewed", record(None)).unwrap();
        tree.set("deleted", record(Some(5))).unwrap();
        tree.set("deleted", None).unwrap();
        for number in 0..SWEEP_BATCH {
            tree.set(&format!("over{number}"), record(Some(10)))
                .unwrap();
        }
        assert!(tree.sweep(10));
        assert!(!tree.sweep(10));
        assert_eq!(
            tree.entries.keys().collect::<Vec<_>>(),
            ["kept", "later", "renewed"]
        );
        assert_eq!(tree.expiries.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_sweep_ends_with_the_store() {
        let tree = Arc::new(RwLock::new(Tree::default()));
        let sweeper = tokio::spawn(sweep(Arc::downgrade(&tree)));
        drop(tree);
        sweeper.await.unwrap();
    }
}
