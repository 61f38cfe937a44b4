//! The tables of the queue, and how groups and their backlog come back from them.

use super::super::{commit, read, unavailable, write};
use crate::shared::{
    clock,
    pubsub::{
        queue::{Lane, Waiting},
        topics::{Group, Topics},
    },
};
use redb::{Database, ReadableTable, Table, TableDefinition, WriteTransaction};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::Instant;
use wythe_blocks::Result;

/// Topic and group: the group's number.
pub(super) const GROUPS: TableDefinition<(&str, &str), u64> = TableDefinition::new("groups");
/// Sequence: the message.
pub(super) const MESSAGES: TableDefinition<u64, &[u8]> = TableDefinition::new("messages");
/// Group and sequence of what is not acknowledged: due time, deliveries so far, lane or 0. The lane is here so that
/// opening need not read the messages.
pub(super) const PENDING: TableDefinition<(u64, u64), (u64, u32, Lane)> =
    TableDefinition::new("pending");

pub(super) struct Tables<'a> {
    pub groups: Table<'a, (&'static str, &'static str), u64>,
    pub messages: Table<'a, u64, &'static [u8]>,
    pub pending: Table<'a, (u64, u64), (u64, u32, Lane)>,
}

impl<'a> Tables<'a> {
    pub(super) fn open(transaction: &'a WriteTransaction) -> Result<Self> {
        Ok(Tables {
            groups: transaction.open_table(GROUPS).map_err(unavailable)?,
            messages: transaction.open_table(MESSAGES).map_err(unavailable)?,
            pending: transaction.open_table(PENDING).map_err(unavailable)?,
        })
    }
}

/// Makes the tables where they are missing, and brings `topics` to what they hold. Groups that are there keep their
/// members and what those have.
pub(super) fn load(database: &Database, topics: &mut Topics) -> Result<()> {
    let transaction = write(database)?;
    Tables::open(&transaction)?;
    commit(transaction, true)?;
    topics.recount();
    let transaction = read(database)?;
    let groups = transaction.open_table(GROUPS).map_err(unavailable)?;
    let mut by_number = HashMap::new();
    for item in groups.iter().map_err(unavailable)? {
        let (names, number) = item.map_err(unavailable)?;
        let ((topic, name), number) = (names.value(), number.value());
        by_number.insert(number, topics.restore(topic, name, number, false));
    }
    let pending = transaction.open_table(PENDING).map_err(unavailable)?;
    let mut waiting = load_pending(&pending, &by_number, topics)?;
    let messages = transaction.open_table(MESSAGES).map_err(unavailable)?;
    for item in messages.iter().map_err(unavailable)? {
        let (sequence, message) = item.map_err(unavailable)?;
        topics.restore_bytes(sequence.value(), message.value().len() as u64);
    }
    for (number, group) in &by_number {
        let mut stored = waiting.remove(number).unwrap_or_default();
        for one in &mut stored {
            one.bytes = topics.bytes_of(one.sequence);
        }
        bring(group, stored);
    }
    Ok(())
}

/// The messages that wait, by the number of their group, whose bytes are not known yet.
fn load_pending(
    pending: &impl ReadableTable<(u64, u64), (u64, u32, Lane)>,
    groups: &HashMap<u64, Arc<Group>>,
    topics: &mut Topics,
) -> Result<HashMap<u64, Vec<Waiting>>> {
    let (now, clock) = (Instant::now(), clock::now());
    let mut waiting: HashMap<u64, Vec<Waiting>> = HashMap::new();
    for item in pending.iter().map_err(unavailable)? {
        let (place, state) = item.map_err(unavailable)?;
        let ((group, sequence), (due, attempts, lane)) = (place.value(), state.value());
        if !groups.contains_key(&group) {
            // Nobody can ever take it, so it needs no room.
            continue;
        }
        let due = now + Duration::from_nanos(due.saturating_sub(clock));
        let lane = Some(lane).filter(|lane| *lane != 0);
        waiting.entry(group).or_default().push(Waiting {
            sequence,
            due,
            attempts,
            lane,
            bytes: 0,
            message: None,
        });
        topics.restore_message(sequence);
    }
    Ok(waiting)
}

/// Adds what the queue lacks of what is stored, and takes out what is not stored any more.
fn bring(group: &Group, stored: Vec<Waiting>) {
    let mut gone: HashSet<u64> = group.queue.sequences().into_iter().collect();
    let new = stored.into_iter();
    let new: Vec<_> = new
        .filter(|waiting| !gone.remove(&waiting.sequence))
        .collect();
    gone.iter()
        .for_each(|sequence| group.queue.finish(*sequence));
    group.queue.add(new);
}
