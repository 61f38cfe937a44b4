//! State in a sorted map under a lock.

use crate::shared::{
    clock,
    state::{
        apply::{self, Answer, MAX_OPERATIONS, Table, Write},
        counted::Counted,
        page,
        record::{Record, Version},
    },
};
use async_trait::async_trait;
use parking_lot::RwLock;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::task::AbortHandle;
use wythe_blocks::{
    Error, Key, Result, Site,
    state::{Amount, Charge, Delete, Driver, Entry, Etag, Features, Operation, Page, Put, Stored},
};
use wythe_manifest::ByteSize;

const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Entries swept under one lock, so that no reader waits for long.
const SWEEP_BATCH: usize = 1_000;

/// Bytes of all entries; by default.
const MAX_BYTES: u64 = 256 << 20;
/// Bytes that an entry takes beside its key, its value and its content type, more or less.
const OF_ENTRY: u64 = 192;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// Bytes of all entries; default 256 MiB.
    max_bytes: Option<ByteSize>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "the sweeper belongs to the driver, which ends it when it is dropped"
)]
pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    let limit = config.max_bytes.map_or(MAX_BYTES, u64::from);
    let tree = Arc::new(RwLock::new(Tree::new(limit)));
    let stored = site.stored();
    let sweeper = tokio::spawn(sweep(Arc::downgrade(&tree), stored.clone())).abort_handle();
    Ok(Arc::new(Memory {
        tree,
        stored,
        sweeper,
    }))
}

async fn sweep(tree: Weak<RwLock<Tree>>, stored: Option<Arc<Stored>>) {
    loop {
        tokio::time::sleep(SWEEP_EVERY).await;
        let Some(tree) = tree.upgrade() else { return };
        let now = clock::now();
        while sweep_some(&tree, stored.as_deref(), now) {
            tokio::task::yield_now().await;
        }
    }
}

/// Removes a batch of those whose time is over; true if there are more.
fn sweep_some(tree: &RwLock<Tree>, stored: Option<&Stored>, now: u64) -> bool {
    let mut charge = Charge::new(stored);
    let mut tree = tree.write();
    let is_more = tree.sweep(now, &mut charge);
    charge.settle();
    is_more
}

struct Tree {
    entries: BTreeMap<String, Record>,
    /// Bytes of all entries; `limit` is how many there may be.
    bytes: u64,
    limit: u64,
    /// Expiry and key of each entry that has one; in step with the entries.
    expiries: BTreeSet<(u64, String)>,
}

fn size(key: &str, record: &Record) -> u64 {
    let texts = key.len() + record.content_type.as_ref().map_or(0, String::len);
    OF_ENTRY + (texts + record.value.len()) as u64
}

impl Tree {
    fn new(limit: u64) -> Self {
        Tree {
            entries: BTreeMap::new(),
            bytes: 0,
            limit,
            expiries: BTreeSet::new(),
        }
    }

    fn size_of(&self, key: &str) -> u64 {
        self.entries.get(key).map_or(0, |record| size(key, record))
    }

    /// Removes a batch of those whose time is over; true if there are more.
    fn sweep(&mut self, now: u64, charge: &mut Charge) -> bool {
        for _ in 0..SWEEP_BATCH {
            match self.expiries.first() {
                Some((at, _)) if *at <= now => {}
                _ => return false,
            }
            if let Some((_, key)) = self.expiries.pop_first() {
                let freed = self.put(&key, None);
                charge.replace(Amount::of(&key, freed), Amount::default());
            }
        }
        true
    }

    /// Puts or removes; the answer is the length of what was there.
    fn put(&mut self, key: &str, record: Option<Record>) -> Option<u64> {
        self.bytes -= self.size_of(key);
        self.bytes += record.as_ref().map_or(0, |record| size(key, record));
        let expires = record.as_ref().and_then(|record| record.version.expires);
        let old = match (record, self.entries.get_mut(key)) {
            (Some(record), Some(place)) => Some(std::mem::replace(place, record)),
            (Some(record), None) => self.entries.insert(key.to_owned(), record),
            (None, _) => self.entries.remove(key),
        };
        let length = old.as_ref().map(Record::length);
        if let Some(at) = old.and_then(|record| record.version.expires) {
            self.expiries.remove(&(at, key.to_owned()));
        }
        if let Some(at) = expires {
            self.expiries.insert((at, key.to_owned()));
        }
        length
    }
}

impl Table for Tree {
    fn version(&self, key: &str) -> Result<Option<Version>> {
        Ok(self.entries.get(key).map(|record| record.version))
    }

    fn get(&self, key: &str) -> Result<Option<Record>> {
        Ok(self.entries.get(key).cloned())
    }

    fn admit(&mut self, changes: &BTreeMap<String, Option<Record>>) -> Result<()> {
        let new = changes.iter();
        let new: u64 = new
            .filter_map(|(key, record)| Some(size(key, record.as_ref()?)))
            .sum();
        let old: u64 = changes.keys().map(|key| self.size_of(key)).sum();
        if new <= old || self.bytes - old + new <= self.limit {
            return Ok(());
        }
        Err(Error::exhausted(format!(
            "the store holds {} bytes and would hold {}; it takes at most {}; delete some, or see `maxBytes`",
            self.bytes,
            self.bytes - old + new,
            self.limit
        )))
    }

    fn length(&self, key: &str) -> Result<Option<u64>> {
        Ok(self.entries.get(key).map(Record::length))
    }

    fn set(&mut self, key: &str, record: Option<Record>) -> Result<Option<u64>> {
        Ok(self.put(key, record))
    }
}

struct Memory {
    tree: Arc<RwLock<Tree>>,
    stored: Option<Arc<Stored>>,
    sweeper: AbortHandle,
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.sweeper.abort();
    }
}

impl Memory {
    fn write(&self, write: Write) -> Result<Answer> {
        let mut charge = Charge::new(self.stored.as_deref());
        let mut tree = self.tree.write();
        let mut table = Counted::new(&mut *tree, &mut charge);
        let answer = apply::apply(&mut table, write, clock::now());
        charge.settle();
        answer
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
            counted: true,
            max_value_bytes: u64::MAX,
            max_operations: MAX_OPERATIONS,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let tree = self.tree.read();
        let record = tree
            .entries
            .get(key.whole())
            .filter(|record| !record.version.is_over(clock::now));
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
        let mut page = page::Builder::new(prefix, limit, clock::now())?;
        let tree = self.tree.read();
        let range = (page::start(prefix, cursor), Bound::Unbounded);
        for (key, record) in tree.entries.range::<str, _>(range) {
            if page.offer(key, record).is_break() {
                break;
            }
        }
        Ok(page.finish())
    }

    async fn increment(&self, key: &Key, delta: i64) -> Result<i64> {
        match self.write(Write::Increment {
            key: key.clone(),
            delta,
        })? {
            Answer::Sum(sum) => Ok(sum),
            other => Err(mixed_up(&other)),
        }
    }

    async fn close(&self) -> Result<()> {
        self.sweeper.abort();
        if let Some(stored) = &self.stored {
            stored.close();
        }
        Ok(())
    }
}

fn mixed_up(answer: &Answer) -> Error {
    Error::internal(format!("a write was answered as another: {answer:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::state::Condition;

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
        let mut tree = Tree::new(MAX_BYTES);
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
        assert!(tree.sweep(10, &mut Charge::new(None)));
        assert!(!tree.sweep(10, &mut Charge::new(None)));
        assert_eq!(
            tree.entries.keys().collect::<Vec<_>>(),
            ["kept", "later", "renewed"]
        );
        assert_eq!(tree.expiries.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    async fn the_sweep_ends_with_the_store() {
        let tree = Arc::new(RwLock::new(Tree::new(MAX_BYTES)));
        let sweeper = tokio::spawn(sweep(Arc::downgrade(&tree), None));
        drop(tree);
        sweeper.await.unwrap();
    }

    fn put(tree: &mut Tree, key: &str, length: usize) -> Result<Answer> {
        let put = Put::new(key, vec![0; length]);
        apply::apply(tree, Write::Put(put), clock::now())
    }

    #[test]
    fn the_store_holds_so_many_bytes_and_no_more() {
        let mut tree = Tree::new(3 * (OF_ENTRY + 1 + 100));
        for key in ["a", "b", "c"] {
            put(&mut tree, key, 100).unwrap();
        }
        let reported = put(&mut tree, "d", 1).unwrap_err();
        assert_eq!(
            reported.message(),
            "the store holds 879 bytes and would hold 1073; it takes at most 879; delete some, or see `maxBytes`"
        );
        // In place of another, and smaller, is well.
        put(&mut tree, "a", 100).unwrap();
        put(&mut tree, "a", 99).unwrap();
        put(&mut tree, "a", 101).unwrap_err();
        let delete = |key: &str| {
            Operation::Delete(Delete {
                key: key.into(),
                condition: Condition::Always,
            })
        };
        let change = vec![Operation::Put(Put::new("d", vec![0; 100])), delete("a")];
        apply::apply(&mut tree, Write::Transact(change), clock::now()).unwrap();
        let grown = vec![Operation::Put(Put::new("d", vec![0; 101])), delete("x")];
        apply::apply(&mut tree, Write::Transact(grown), clock::now()).unwrap_err();
        for key in ["b", "c", "d"] {
            apply::apply(&mut tree, Write::Transact(vec![delete(key)]), clock::now()).unwrap();
        }
        assert_eq!(tree.bytes, 0);
    }

    #[test]
    fn what_the_sweep_removes_is_not_held_any_more() {
        let mut tree = Tree::new(MAX_BYTES);
        tree.set("a", record(Some(1))).unwrap();
        tree.set("b", record(Some(3))).unwrap();
        tree.set("b", record(Some(2))).unwrap();
        tree.sweep(2, &mut Charge::new(None));
        assert_eq!(tree.bytes, 0);
    }
}
