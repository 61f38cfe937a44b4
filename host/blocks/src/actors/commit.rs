//! The one write of a turn: the actor's record by compare-and-set, and with it everything that the turn did.

use super::{
    activation::{Activation, superseded},
    engine::{Hosted, Space},
    memory::Staged,
    rows::{self, Binary, Outgoing, Reminder},
    wakes::now,
};
use crate::{
    Error, Kind, Result,
    actors::Actor,
    state::{Condition, Delete, Operation, Put},
};
use bytes::Bytes;
use std::time::{Duration, SystemTime};

/// Writes what the turn staged in one transaction; after an error nobody may believe the activation any more.
pub(super) async fn commit(
    space: &Space,
    hosted: &Hosted,
    activation: &mut Activation,
    mut staged: Staged,
) -> Result<()> {
    let mut meta = activation.meta.clone();
    meta.turns += 1;
    let actor = &activation.actor;
    let mut claim = Put::new(rows::meta(actor), rows::write(&meta));
    claim.options.condition = activation
        .etag
        .clone()
        .map_or(Condition::Absent, Condition::Matches);
    let mut operations = vec![Operation::Put(claim)];
    operations.extend(entries(actor, &staged));
    operations.extend(reminders(actor, &staged, space.moved.is_over()));
    let sent = !staged.events.is_empty();
    for (number, event) in staged.events.drain(..).enumerate() {
        let id = event.id.clone().unwrap_or_else(|| meta.event_id(number));
        let row = rows::write(&Outgoing {
            id: Some(id),
            ..event
        });
        operations.push(put(rows::outbox(actor, meta.turns, number), row));
    }
    let first = first_due(&staged);
    let caller = space.caller(hosted.app.id(), activation.trace);
    let kept = space.keeper.transact(&caller, operations).await;
    // Where nobody knows whether it is kept, it is looked for as well.
    if let Some(due) = first {
        (space.due).set(hosted.app.id(), actor.shard(), due, now());
        space.reminded.notify_one();
    }
    let etags = kept.map_err(|error| told(actor, error))?;
    let etag = etags.into_iter().next().flatten();
    let none = || Error::internal("the driver gave no etag for an actor's record");
    activation.etag = Some(etag.ok_or_else(none)?);
    activation.meta = meta;
    activation.memory.apply(staged);
    if sent {
        space.sent.notify_one();
    }
    Ok(())
}

/// Returns when the first of the reminders that are set comes.
fn first_due(staged: &Staged) -> Option<u64> {
    let set = staged.reminders.values();
    let set = set.filter_map(|reset| reset.reminder.as_ref());
    set.map(|reminder| reminder.due).min()
}

fn entries<'a>(actor: &'a Actor, staged: &'a Staged) -> impl Iterator<Item = Operation> + 'a {
    let now = SystemTime::now();
    staged.entries.iter().map(move |(key, value)| {
        let key = rows::entry(actor, key);
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
    })
}

/// The index of times changes with the rows, so that neither is ever without the other. Before all rows have their keys of
/// today, one of them may have its old key.
fn reminders(actor: &Actor, staged: &Staged, have_moved: bool) -> Vec<Operation> {
    let mut operations = Vec::new();
    for (name, reset) in &staged.reminders {
        if let Some(due) = reset.kept {
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

fn put(key: String, value: Bytes) -> Operation {
    Operation::Put(Put::new(key, value))
}

fn delete(key: String) -> Operation {
    Operation::Delete(Delete {
        key,
        condition: Condition::Always,
    })
}

/// The store speaks of the host's own keys, and a lost condition has one meaning here.
fn told(actor: &Actor, error: Error) -> Error {
    match error.kind() {
        Kind::Conflict => superseded(actor),
        Kind::UnknownOutcome => Error::unknown_outcome(format!(
            "nobody can say whether the turn of actor `{actor}` is kept; read back before trying again"
        ))
        .with_source(error),
        kind => Error::new(kind, format!("the turn of actor `{actor}` cannot be kept")).with_source(error),
    }
}
