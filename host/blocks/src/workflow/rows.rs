//! The rows that entries cause: work to do, timers to keep. They are written with the entries, all or nothing.

use super::{
    engine::Engine,
    entry::{Entry, Kind},
    keys,
    replay::State,
    work,
};
use crate::state::{Condition, Delete, Operation, Put};
use bytes::Bytes;

pub(super) fn put(key: String, value: Bytes) -> Operation {
    Operation::Put(Put::new(key, value))
}

pub(super) fn put_if(key: String, value: Bytes, condition: Condition) -> Operation {
    let mut put = Put::new(key, value);
    put.options.condition = condition;
    Operation::Put(put)
}

pub(super) fn delete(key: String) -> Operation {
    let condition = Condition::Always;
    Operation::Delete(Delete { key, condition })
}

/// The operations that go with an entry of this journal.
pub(super) fn of_entry(id: &str, run: u32, entry: &Entry, state: &State) -> Vec<Operation> {
    let task = entry.kind.task().unwrap_or_default();
    match &entry.kind {
        Kind::ActivityCompleted { .. } | Kind::ActivityFailed { .. } => {
            vec![delete(keys::work(id, run, task))]
        }
        Kind::ChildCompleted { .. } | Kind::ChildFailed { .. } => vec![
            delete(keys::work(id, run, task)),
            delete(keys::ended(id, run, task)),
        ],
        Kind::TimerFired { .. } => state
            .asked(task)
            .map_or(vec![], |asked| ending(id, run, asked)),
        Kind::Cancelled { of, .. } => state
            .asked(*of)
            .map_or(vec![], |asked| ending(id, run, asked)),
        _ => beginning(id, run, entry),
    }
}

/// The row of a task that has been asked for.
pub(super) fn beginning(id: &str, run: u32, asked: &Entry) -> Vec<Operation> {
    match asked.kind {
        Kind::ActivityScheduled { task, .. } | Kind::ChildStarted { task, .. } => {
            let row = work::Row {
                entry: asked.index,
                ..work::Row::default()
            };
            vec![put(keys::work(id, run, task), row.encode())]
        }
        Kind::TimerCreated { task, due, .. }
        | Kind::EventWaited {
            task,
            due: Some(due),
            ..
        } => vec![put(keys::wake(due, id, run, Some(task)), Bytes::new())],
        _ => Vec::new(),
    }
}

/// The end of a task before anything completed it.
fn ending(id: &str, run: u32, asked: &Entry) -> Vec<Operation> {
    let key = |operation| match operation {
        Operation::Put(put) => delete(put.key),
        deleted => deleted,
    };
    beginning(id, run, asked).into_iter().map(key).collect()
}

impl Engine {
    /// Takes up tasks whose rows are kept: their work begins, their timers are waited for.
    pub(super) fn take_up<'a>(
        self: &std::sync::Arc<Self>,
        origin: &work::Origin,
        run: u32,
        asked: impl Iterator<Item = &'a Entry>,
    ) {
        for entry in asked {
            match entry.kind {
                Kind::ActivityScheduled { task, .. } | Kind::ChildStarted { task, .. } => {
                    let row = work::Row {
                        entry: entry.index,
                        ..work::Row::default()
                    };
                    let order = work::Order::new(row, entry, origin.clone());
                    self.dispatch(work::Work::new(keys::work(&origin.id, run, task), order));
                }
                Kind::TimerCreated { due, .. } | Kind::EventWaited { due: Some(due), .. } => {
                    self.expect(&origin.id, due);
                }
                _ => {}
            }
        }
    }
}
