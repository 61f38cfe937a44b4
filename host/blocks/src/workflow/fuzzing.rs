//! The records, the journals and the keys of workflows as targets of the fuzzer.

use super::{
    core::{
        attempt::{Outcome, Row},
        entry::{Entry, Kind, Retry, origin},
        item,
        meta::Meta,
        names,
        replay::State,
        row,
    },
    store::{commit, keys},
};
use bytes::Bytes;
use std::sync::Arc;

/// Entries of the journal that the fuzzer writes.
const ENTRIES: usize = 256;

/// A sort of record, and a record of it or a key.
pub fn workflow(data: &[u8]) {
    let Some((sort, rest)) = data.split_first() else {
        return;
    };
    match sort % 4 {
        0 => {
            let stored = Bytes::copy_from_slice(rest);
            item::end_of_child(0, &stored);
            if let Some(entry) = Entry::read(&stored) {
                let start = origin("default", "a", 1);
                let (stored, hash) = entry.encode(&start).expect("an entry is written");
                let index = entry.index;
                assert_eq!(Entry::decode(&stored, &start, index), Some((entry, hash)));
            }
        }
        1 => {
            if let Ok(meta) = Meta::decode(rest) {
                let stored = meta.encode().expect("a record is written");
                assert_eq!(Meta::decode(&stored).ok(), Some(meta));
            }
        }
        2 => {
            if let Ok(row) = Row::decode(rest) {
                assert_eq!(Row::decode(&row.encode()).ok(), Some(row));
                attempts(row);
            }
        }
        _ => std::str::from_utf8(rest).map(key).unwrap_or_default(),
    }
}

fn attempts(row: Row) {
    let retry = Retry {
        attempts: u32::MAX,
        ..Retry::default()
    };
    let failed = Outcome::Failed {
        message: String::new(),
        again: true,
        timeout: false,
    };
    for outcome in [Outcome::Busy, failed, Outcome::Done(Bytes::new())] {
        row.after(0, &retry, outcome, 1 << 42);
    }
}

fn key(key: &str) {
    for old in keys::old() {
        (old.key)(key);
    }
    keys::parse_ready(key);
    for sort in [keys::WORK, keys::ENDED] {
        keys::parse_row(key, sort);
    }
    if let Some(wake) = keys::parse_wake(key)
        && names::check_id(wake.id).is_ok()
    {
        let written = keys::wake(wake.due, wake.id, wake.run, wake.task);
        let again = keys::parse_wake(&written).expect("a key that was written is read");
        let shard = crate::Shard::of(wake.id);
        assert_eq!(again, keys::Wake { shard, ..wake });
    }
}

/// A journal of entries, whose kinds are lines of JSON: written, read and replayed.
pub fn journal(data: &[u8]) {
    let kinds = data.split(|byte| *byte == b'\n').take(ENTRIES);
    let kinds = kinds.filter_map(|line| serde_json::from_slice::<Kind>(line).ok());
    let mut tip = origin("default", "a", 1);
    let mut entries = Vec::new();
    for (index, mut kind) in (0..).zip(kinds) {
        if let Kind::ActivityScheduled { retry, .. } = &mut kind {
            // One that code has computed, and no text was.
            retry.factor = 1.0 + retry.factor / 997.0;
        }
        let entry = Entry {
            index,
            time: index.into(),
            payload: Bytes::copy_from_slice(kind.detail().as_bytes()),
            kind,
        };
        let (stored, hash) = entry.encode(&tip).expect("an entry is written");
        let read = Entry::decode(&stored, &tip, index);
        assert_eq!(read, Some((entry.clone(), hash)));
        entries.push(entry);
        tip = hash;
    }
    let state = State::new(entries.clone(), Arc::new(|| 7));
    let (count, bytes) = state.task_table.buffered();
    let events = state.task_table.unprocessed();
    let sizes = events.iter().map(|(_, event)| event.len());
    assert_eq!((count, bytes), (events.len(), sizes.sum()));
    let changes = entries
        .iter()
        .flat_map(|entry| row::of_entry(1, entry, &state));
    changes.for_each(|change| drop(commit::change("a", &change, None)));
    state.left();
    state.now();
}
