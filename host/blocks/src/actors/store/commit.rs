//! A commit as one transaction of the store.

use super::rows;
#[cfg(test)]
use crate::actors::tests::{self, Bug};
use crate::{
    Key,
    actors::core::{
        commit::Commit,
        names::Actor,
        record::{Binary, Reminder},
        staged::{Reset, Value},
    },
    state::{Condition, Delete, Operation, Put},
};
use bytes::Bytes;
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

/// The operations of a commit, of which the record is the first. Before all rows have their keys of today, some may have
/// their old ones.
pub(in crate::actors) fn operations(
    actor: &Actor,
    commit: &Commit<'_>,
    have_moved: bool,
    now: SystemTime,
) -> Vec<Operation> {
    let mut claim = Put::new(rows::meta(actor), rows::write(&commit.meta));
    claim.options.condition = commit
        .over
        .clone()
        .map_or(Condition::Absent, Condition::Matches);
    #[cfg(test)]
    if tests::has(Bug::NoCondition) {
        claim.options.condition = Condition::Always;
    }
    let mut operations = vec![Operation::Put(claim)];
    operations.extend(entries(actor, commit.entries, now));
    operations.extend(reminders(actor, commit.reminders, have_moved));
    for (number, event) in commit.events.iter().enumerate() {
        #[cfg(test)]
        if tests::has(Bug::EventsNotWritten) {
            continue;
        }
        let key = rows::outbox(actor, commit.meta.turns, number);
        operations.push(put(key, rows::write(event)));
    }
    operations
}

fn entries(
    actor: &Actor,
    entries: &BTreeMap<String, Option<Value>>,
    now: SystemTime,
) -> Vec<Operation> {
    let operation = |(key, value): (&String, &Option<Value>)| {
        let key = Key::new(rows::entry(actor, ""), key);
        let Some(value) = value else {
            return delete(key);
        };
        let left = value
            .expires
            .map(|at| at.duration_since(now).unwrap_or_default());
        match left {
            // Its time was over before the turn was.
            Some(left) if left < Duration::from_millis(1) => delete(key),
            ttl => {
                let mut put = Put::new(key, value.bytes.clone());
                put.options.ttl = ttl;
                Operation::Put(put)
            }
        }
    };
    entries.iter().map(operation).collect()
}

/// The index of times changes with the rows, so that neither is ever without the other. Before all rows have their keys of
/// today, one of them may have its old key.
fn reminders(actor: &Actor, resets: &BTreeMap<String, Reset>, have_moved: bool) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (name, reset) in resets {
        #[cfg(test)]
        if tests::has(Bug::TimeStays) {
            operations.extend(
                reset
                    .reminder
                    .iter()
                    .flat_map(|one| write(actor, name, one)),
            );
            continue;
        }
        if let Some(due) = reset.stored {
            operations.push(delete(rows::due(actor, name, due)));
            operations.extend((!have_moved).then(|| delete(rows::old_due(actor, name, due))));
        }
        match &reset.reminder {
            Some(reminder) => operations.extend(write(actor, name, reminder)),
            None => operations.push(delete(rows::reminder(actor, name))),
        }
    }
    operations
}

fn write(actor: &Actor, name: &str, reminder: &Reminder) -> [Operation; 2] {
    let row = rows::write(reminder);
    [
        put(rows::reminder(actor, name), row),
        put(
            rows::due(actor, name, reminder.due),
            rows::write(&Binary::default()),
        ),
    ]
}

fn put(key: impl Into<Key>, value: Bytes) -> Operation {
    Operation::Put(Put::new(key, value))
}

fn delete(key: impl Into<Key>) -> Operation {
    Operation::Delete(Delete {
        key: key.into(),
        condition: Condition::Always,
    })
}
