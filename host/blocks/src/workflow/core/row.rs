//! The rows by which work is found: what entries cause, written with them, all or nothing.

use super::{
    entry::{Entry, Kind, Parent},
    replay::State,
};
use crate::workflow::Timestamp;
use bytes::Bytes;

#[cfg(test)]
use crate::workflow::tests::bugs::{self, Bug};

/// A row of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::workflow) enum Row {
    /// Entries wait that the code has not been run past.
    Ready,
    /// An activity or a child that is to be started.
    Work { run: u32, task: u32 },
    /// The end of a child, on its way to this instance.
    Ended { run: u32, task: u32 },
    /// A timer; with no task, the beginning of the instance.
    Wake {
        due: Timestamp,
        run: u32,
        task: Option<u32>,
    },
}

/// A change of rows, beside the record and the entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::workflow) enum Change {
    /// Work that an entry asks for.
    Ask {
        run: u32,
        task: u32,
        entry: u32,
    },
    /// A row that says nothing but its key.
    Put(Row),
    Delete(Row),
    /// The end of this instance, for its parent.
    End(Parent, Bytes),
    /// The last entry of a run before this one.
    Last {
        run: u32,
        index: u32,
        entry: Bytes,
    },
}

/// The changes that go with an entry of this journal.
pub(in crate::workflow) fn of_entry(run: u32, entry: &Entry, state: &State) -> Vec<Change> {
    let task = entry.kind.task().unwrap_or_default();
    match &entry.kind {
        Kind::ActivityCompleted { .. } | Kind::ActivityFailed { .. } => {
            vec![Change::Delete(Row::Work { run, task })]
        }
        Kind::ChildCompleted { .. } | Kind::ChildFailed { .. } => vec![
            Change::Delete(Row::Work { run, task }),
            Change::Delete(Row::Ended { run, task }),
        ],
        Kind::TimerFired { .. } => ending(run, state.asked(task)),
        Kind::Cancelled { of, .. } => ending(run, state.asked(*of)),
        #[cfg(test)]
        Kind::TimerCreated { .. } if bugs::has(Bug::TimerForgotten) => vec![],
        _ => beginning(run, entry).into_iter().collect(),
    }
}

/// The row of a task that has been asked for.
pub(in crate::workflow) fn beginning(run: u32, asked: &Entry) -> Option<Change> {
    match asked.kind {
        Kind::ActivityScheduled { task, .. } | Kind::ChildStarted { task, .. } => {
            let entry = asked.index;
            Some(Change::Ask { run, task, entry })
        }
        Kind::TimerCreated { task, due, .. }
        | Kind::EventWaited {
            task,
            due: Some(due),
            ..
        } => {
            let task = Some(task);
            Some(Change::Put(Row::Wake { due, run, task }))
        }
        _ => None,
    }
}

/// The end of a task before anything completed it.
fn ending(run: u32, asked: Option<&Entry>) -> Vec<Change> {
    let begun = asked.and_then(|asked| beginning(run, asked));
    let ended = begun.and_then(|begun| match begun {
        Change::Ask { run, task, .. } => Some(Change::Delete(Row::Work { run, task })),
        Change::Put(row) => Some(Change::Delete(row)),
        _ => None,
    });
    ended.into_iter().collect()
}
