//! The inputs of an instance, and the effects that follow once an input is persisted.

use super::{
    entry::{Entry, Kind, Parent},
    row::Row,
};
use crate::workflow::Timestamp;
use bytes::Bytes;
use std::time::Duration;

/// A message to an instance.
#[derive(Clone, Debug)]
pub(in crate::workflow) enum Item {
    /// Looks whether there is something to do.
    Run,
    /// The end of a task; the row goes with it.
    Completed {
        row: Row,
        run: u32,
        kind: Kind,
        payload: Bytes,
    },
    /// A timer that fired; with no task, the instance is to begin.
    Fired {
        due: Timestamp,
        run: u32,
        task: Option<u32>,
    },
    Event {
        name: String,
        data: Bytes,
    },
    Suspend {
        reason: String,
    },
    Resume {
        reason: String,
    },
    Terminate {
        output: Bytes,
    },
}

impl Item {
    /// The row that is there until the item is taken.
    pub fn row(&self) -> Option<Row> {
        match self {
            Item::Completed { row, .. } => Some(row.clone()),
            Item::Fired { due, run, task } => Some(Row::Wake {
                due: *due,
                run: *run,
                task: *task,
            }),
            _ => None,
        }
    }
}

/// Something that a host does because of a commit, after it.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::workflow) enum Effect {
    /// An activity or a child is started, as this entry asks.
    Start { run: u32, asked: Entry },
    /// A timer is waited for.
    Expect(Timestamp),
    /// The instance ended or stalled: whoever waits for that hears it.
    Ring,
    /// The instance counts no more.
    Leave,
    /// The parent hears of the end.
    AnswerParent(Parent, Bytes),
    /// Rows of work of a run that is over go, and its journal where another one began.
    Clear { run: u32, with_journal: bool },
    /// The instance looks again whether there is something to do.
    Again(Duration),
}

/// The entry that the end of a child becomes in its parent: `value` is as [`Effect::AnswerParent`] has it.
pub(in crate::workflow) fn end_of_child(task: u32, value: &Bytes) -> (Kind, Bytes) {
    let failed = value.first() != Some(&0);
    let rest = value.slice(value.len().min(1)..);
    let failure = String::from_utf8_lossy(&rest).into_owned();
    match failed {
        true => (Kind::ChildFailed { task, failure }, Bytes::new()),
        false => (Kind::ChildCompleted { task }, rest),
    }
}
