//! State in one tree: every group commit is one atomic batch over it.

use super::{
    keys,
    open::{Opened, open as open_tree},
    view::{Before, Reader, View},
};
use crate::{
    durable::{
        codec::entry,
        committer::ends_batch,
        disk,
        state::{Local, Store},
    },
    shared::state::{
        apply::{self, Answer, Write},
        counted::Counted,
        page,
        record::{Record, Version},
    },
};
use serde::Deserialize;
use sled::{Batch, IVec, Tree};
use std::{collections::BTreeMap, ops::Bound, path::PathBuf, sync::Arc};
use wythe_blocks::{
    Error, Result, Site,
    blocking::blocking,
    state::{Amount, Charge, Driver, Stored},
};
use wythe_manifest::ByteSize;

/// A leaf has up to 17 items, so its page stays far below the 2 MiB from which it would go to an unsynced file.
const PIECE: usize = 8 << 10;
/// Bytes in front of an entry, with the number of its further pieces.
const COUNT: usize = 4;
/// Entries swept in one batch, so that no writer waits for long.
const SWEEP_BATCH: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The directory; default `state.sled` in the component's own.
    path: Option<PathBuf>,
    /// Memory for pages; default 64 MiB.
    cache_size: Option<ByteSize>,
}

/// Refuses to open a store again: what sled had in memory when it failed is not proved to be on disk.
fn stays_shut() -> Result<Sled> {
    Err(Error::unsupported(
        "a sled store is opened again at the next start of the host",
    ))
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    blocking(move || {
        let path = disk::path(config.path, &site.directory, "state.sled");
        let opened = open_tree(&path, config.cache_size)?;
        let view = View::new(opened.tree.clone());
        let stored = site.stored();
        let store = Sled {
            opened,
            view,
            stored: stored.clone(),
        };
        if let Some(stored) = &stored {
            stored.count(store.count()?);
        }
        let driver: Arc<dyn Driver> =
            Arc::new(Local::new(store, stored, &path, Box::new(stays_shut))?);
        Ok(driver)
    })
    .await
}

struct Sled {
    opened: Opened,
    view: View,
    stored: Option<Arc<Stored>>,
}

impl Store for Sled {
    fn get(&self, key: &str) -> Result<Option<Record>> {
        let reader = self.view.read();
        let head = reader.get(&keys::entry(key)).map_err(unavailable)?;
        head.map(|head| assemble(&head, |piece| reader.get(piece)))
            .transpose()
    }

    fn list(&self, prefix: &str, cursor: Option<&str>, page: &mut page::Builder) -> Result<()> {
        let reader = self.view.read();
        let start = match page::start(prefix, cursor) {
            // The smallest key after another one is that key and a zero byte.
            Bound::Excluded(key) => [keys::entry(key), vec![0]].concat(),
            Bound::Included(key) => keys::entry(key),
            Bound::Unbounded => keys::entry(""),
        };
        offer_all(&reader, &start, page)
    }

    fn commit(&self, writes: Vec<Write>, now: u64) -> Result<Vec<Result<Answer>>> {
        let mut staged = Staged {
            tree: &self.opened.tree,
            changes: BTreeMap::new(),
        };
        let mut answers = Vec::with_capacity(writes.len());
        let mut charge = Charge::new(self.stored.as_deref());
        let mut table = Counted::new(&mut staged, &mut charge);
        for write in writes {
            let answer = apply::apply(&mut table, write, now);
            if ends_batch(&answer) {
                answer?;
            } else {
                answers.push(answer);
            }
        }
        self.settle(staged.changes)?;
        charge.settle();
        Ok(answers)
    }

    fn sweep(&self, now: u64) -> Result<bool> {
        let mut staged = Staged {
            tree: &self.opened.tree,
            changes: BTreeMap::new(),
        };
        let mut charge = Charge::new(self.stored.as_deref());
        let mut table = Counted::new(&mut staged, &mut charge);
        let mut count = 0;
        for item in self
            .opened
            .tree
            .range(keys::expiries_until(now))
            .take(SWEEP_BATCH)
        {
            let (raw, _) = item.map_err(unavailable)?;
            apply::Table::set(&mut table, keys::key_of_expiry(&raw)?, None)?;
            count += 1;
        }
        self.settle(staged.changes)?;
        charge.settle();
        Ok(count == SWEEP_BATCH)
    }
}

impl Sled {
    /// The amount of all of its entries.
    fn count(&self) -> Result<Amount> {
        let tree = &self.opened.tree;
        let mut found = Amount::default();
        for item in tree.range(keys::entry("").as_slice()..keys::AFTER_ENTRIES) {
            let (raw, head) = item.map_err(unavailable)?;
            let length = length(&head, |piece| tree.get(piece))?;
            found += Amount::of(keys::key_of_entry(&raw)?, Some(length));
        }
        Ok(found)
    }

    /// Writes the changes as one batch and makes them durable. While that runs, and for ever if it fails, readers
    /// see the values of before.
    fn settle(&self, changes: BTreeMap<Vec<u8>, Option<IVec>>) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let tree = &self.opened.tree;
        let mut before = Before::new();
        let mut batch = Batch::default();
        for (key, change) in changes {
            before.insert(key.clone(), tree.get(&key).map_err(unavailable)?);
            match change {
                Some(value) => batch.insert(key, value),
                None => batch.remove(key),
            }
        }
        self.view.show(before);
        tree.apply_batch(batch).map_err(unknown)?;
        tree.flush().map_err(unknown)?;
        self.opened.file.sync_data().map_err(unknown)?;
        self.view.show(Before::new());
        Ok(())
    }
}

fn offer_all(reader: &Reader, start: &[u8], page: &mut page::Builder) -> Result<()> {
    for item in reader.range(start, keys::AFTER_ENTRIES) {
        let (raw, head) = item.map_err(unavailable)?;
        let record = assemble(&head, |piece| reader.get(piece))?;
        if page.offer(keys::key_of_entry(&raw)?, &record).is_break() {
            break;
        }
    }
    Ok(())
}

/// Changes of a batch over the tree.
struct Staged<'a> {
    tree: &'a Tree,
    changes: BTreeMap<Vec<u8>, Option<IVec>>,
}

impl Staged<'_> {
    fn raw(&self, key: &[u8]) -> sled::Result<Option<IVec>> {
        match self.changes.get(key) {
            Some(change) => Ok(change.clone()),
            None => self.tree.get(key),
        }
    }

    /// The length of the entry that was there.
    fn remove(&mut self, key: &str) -> Result<Option<u64>> {
        let raw = keys::entry(key);
        let Some(head) = self.raw(&raw).map_err(unavailable)? else {
            return Ok(None);
        };
        let length = length(&head, |piece| self.raw(piece))?;
        self.changes.insert(raw, None);
        // A damaged head names no pieces; replacing it is the way to be rid of it.
        let Ok((count, first)) = split(&head) else {
            return Ok(Some(length));
        };
        let Ok(version) = entry::version(first) else {
            return Ok(Some(length));
        };
        for index in 0..count {
            self.changes.insert(keys::piece(version.etag, index), None);
        }
        if let Some(at) = version.expires {
            self.changes.insert(keys::expiry(at, key), None);
        }
        Ok(Some(length))
    }

    fn insert(&mut self, key: &str, record: &Record) {
        let bytes = entry::encode(record);
        let (first, rest) = bytes.split_at(bytes.len().min(PIECE));
        let mut count = 0u32;
        for piece in rest.chunks(PIECE) {
            self.changes
                .insert(keys::piece(record.version.etag, count), Some(piece.into()));
            count += 1;
        }
        let head = [&count.to_be_bytes(), first].concat();
        self.changes.insert(keys::entry(key), Some(head.into()));
        if let Some(at) = record.version.expires {
            self.changes
                .insert(keys::expiry(at, key), Some(IVec::default()));
        }
    }
}

impl apply::Table for Staged<'_> {
    fn version(&self, key: &str) -> Result<Option<Version>> {
        let head = self.raw(&keys::entry(key)).map_err(unavailable)?;
        head.map(|head| entry::version(split(&head)?.1)).transpose()
    }

    fn get(&self, key: &str) -> Result<Option<Record>> {
        let head = self.raw(&keys::entry(key)).map_err(unavailable)?;
        head.map(|head| assemble(&head, |piece| self.raw(piece)))
            .transpose()
    }

    fn length(&self, key: &str) -> Result<Option<u64>> {
        let head = self.raw(&keys::entry(key)).map_err(unavailable)?;
        head.map(|head| length(&head, |piece| self.raw(piece)))
            .transpose()
    }

    fn set(&mut self, key: &str, record: Option<Record>) -> Result<Option<u64>> {
        let old = self.remove(key)?;
        if let Some(record) = record {
            self.insert(key, &record);
        }
        Ok(old)
    }
}

/// The number of further pieces, and the first one.
fn split(head: &[u8]) -> Result<(u32, &[u8])> {
    let (count, first) = head.split_first_chunk::<COUNT>().ok_or_else(damaged)?;
    Ok((u32::from_be_bytes(*count), first))
}

/// The length of an entry. All of its pieces but the last are whole; a damaged one is taken for what its head has.
fn length(head: &[u8], get: impl Fn(&[u8]) -> sled::Result<Option<IVec>>) -> Result<u64> {
    let Ok((count, first)) = split(head) else {
        return Ok(head.len() as u64);
    };
    let mut bytes = first.len();
    if let (Some(last), Ok(version)) = (count.checked_sub(1), entry::version(first)) {
        let piece = get(&keys::piece(version.etag, last)).map_err(unavailable)?;
        bytes += last as usize * PIECE + piece.map_or(0, |piece| piece.len());
    }
    Ok(entry::length_of(first, bytes))
}

fn assemble(head: &[u8], get: impl Fn(&[u8]) -> sled::Result<Option<IVec>>) -> Result<Record> {
    let (count, first) = split(head)?;
    if count == 0 {
        return entry::decode(first);
    }
    let etag = entry::version(first)?.etag;
    let mut bytes = Vec::with_capacity(first.len() + count as usize * PIECE);
    bytes.extend(first);
    for index in 0..count {
        let piece = get(&keys::piece(etag, index)).map_err(unavailable)?;
        bytes.extend_from_slice(&piece.ok_or_else(damaged)?);
    }
    entry::decode(&bytes)
}

fn damaged() -> Error {
    Error::internal("a stored entry is damaged: expected all of its pieces")
}

/// The tree's own failure, before anything was written.
fn unavailable(error: sled::Error) -> Error {
    Error::unavailable("the database cannot be read or written; the log has the cause")
        .with_source(error)
}

fn unknown(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::unknown_outcome("it is not known whether the write is kept: its commit failed")
        .with_source(error)
}

#[cfg(test)]
mod tests;
