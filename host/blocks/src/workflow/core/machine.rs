//! An instance: its record, its journal, and how it handles its inputs.

pub(in crate::workflow) mod commit;
pub(in crate::workflow) mod step;

use super::{
    Clock,
    context::Context,
    entry::{Entry, Kind},
    item::{Effect, Item},
    meta::{Meta, Status},
    row::{Change, Row},
};
use crate::{Error, Result, workflow::Limits};
use bytes::Bytes;
use commit::{Commit, Over};

#[cfg(test)]
use crate::workflow::tests::bugs::{self, Bug};

pub(in crate::workflow) struct Machine {
    pub meta: Meta,
    pub context: Context,
    limits: Limits,
    clock: Clock,
    /// The record as it is kept, and its version.
    stored: Meta,
    version: String,
    /// Entries that are persisted.
    flushed: usize,
    /// Changes that go with the next entries.
    changes: Vec<Change>,
    /// True if there may be a row that says that the code is behind; `is_behind` says whether it is.
    has_ready: bool,
    is_behind: bool,
    /// Somebody was told what the record is, which has to be so.
    is_unproven: bool,
    /// It is not to be used any more.
    is_spent: bool,
    /// The reason why it has no room for what it is told.
    overfull: Option<String>,
    /// Effects of what is kept, and those that wait for all that is new.
    due: Vec<Effect>,
    later: Vec<Effect>,
    /// Run and number of entries whose effects were done before their commit.
    #[cfg(test)]
    early: (u32, usize),
}

impl Machine {
    /// An instance with the record and the journal that were read.
    pub fn new(
        (meta, version): (Meta, String),
        entries: Vec<Entry>,
        limits: Limits,
        clock: Clock,
    ) -> Self {
        Machine {
            flushed: entries.len(),
            context: Context::new(&meta.id, meta.run, limits.clone(), entries, clock.clone()),
            limits,
            clock,
            stored: meta.clone(),
            meta,
            version,
            changes: Vec::new(),
            // Nobody knows whether the code was run past the last entry.
            has_ready: true,
            is_behind: true,
            is_unproven: false,
            is_spent: false,
            overfull: None,
            due: Vec::new(),
            later: Vec::new(),
            #[cfg(test)]
            early: (0, 0),
        }
    }

    /// Returns whether code that has come to a wait can stay there.
    pub fn may_wait(&self) -> bool {
        !self.is_spent && self.meta.status == Status::Running
    }

    fn push(&mut self, kind: Kind, payload: Bytes) {
        self.context.lock().push(kind, payload);
        self.is_behind = true;
    }

    /// Takes an input into the journal, for the next commit. An error is for the sender of the input.
    pub fn accept(&mut self, item: Item) -> Result<()> {
        let row = item.row();
        match item {
            // There may be another run by now, which only a write over the record can tell.
            Item::Run => (self.is_behind, self.is_unproven) = (true, true),
            Item::Completed {
                run, kind, payload, ..
            } => {
                let task = kind.task().unwrap_or_default();
                // What is completed already, or of an earlier run, is known: only its row is left.
                if self.waits_for(run, task) {
                    let (kind, payload) = self.fitting(kind, payload);
                    self.push(kind, payload);
                } else {
                    self.changes.extend(row.map(Change::Delete));
                }
            }
            Item::Fired { run, task, .. } => self.fire(row, run, task),
            Item::Event { name, data } => self.receive(name, data)?,
            Item::Suspend { reason } => self.suspend(reason)?,
            Item::Resume { reason } => self.resume(reason)?,
            Item::Terminate { output } => {
                self.push(Kind::Terminated, output);
                self.end_as(Status::Terminated);
            }
        }
        Ok(())
    }

    fn waits_for(&self, run: u32, task: u32) -> bool {
        #[cfg(test)]
        if bugs::has(Bug::ResultTakenTwice) {
            return run == self.meta.run;
        }
        run == self.meta.run && self.context.lock().task_table.is_open(task)
    }

    /// An answer that the journal has no room for is none: its task fails, and the instance stalls, so that somebody sees
    /// it before the code goes on.
    fn fitting(&mut self, kind: Kind, payload: Bytes) -> (Kind, Bytes) {
        let limit = self.limits.journal_bytes;
        let more = payload.len();
        if more == 0 || self.context.lock().bytes + more <= limit {
            return (kind, payload);
        }
        let failure = format!(
            "an answer of {more} bytes has no room in the journal, which has at most {limit}; use continue-as-new before that"
        );
        self.overfull = Some(failure.clone());
        let kind = match kind {
            Kind::ActivityCompleted { task, attempts } => Kind::ActivityFailed {
                task,
                attempts,
                failure,
                timeout: false,
            },
            Kind::ChildCompleted { task } => Kind::ChildFailed { task, failure },
            other => other,
        };
        (kind, Bytes::new())
    }

    fn fire(&mut self, row: Option<Row>, run: u32, task: Option<u32>) {
        match task {
            Some(task) if self.waits_for(run, task) => {
                return self.push(Kind::TimerFired { task }, Bytes::new());
            }
            None if run == self.meta.run && self.meta.status == Status::Pending => {
                self.push(Kind::Begun, Bytes::new());
                self.meta.status = Status::Running;
            }
            _ => {}
        }
        self.changes.extend(row.map(Change::Delete));
    }

    fn receive(&mut self, name: String, data: Bytes) -> Result<()> {
        let limits = &self.limits;
        let ((waiting, bytes), length, stored) = {
            let state = self.context.lock();
            (
                state.task_table.buffered(),
                state.entries.len(),
                state.bytes,
            )
        };
        let id = &self.meta.id;
        if waiting >= limits.events || bytes + data.len() > limits.event_bytes {
            return Err(Error::exhausted(format!(
                "instance `{id}` has {waiting} events of {bytes} bytes that it has not waited for; at most {} of {} bytes are kept",
                limits.events, limits.event_bytes
            )));
        }
        if stored + data.len() > limits.journal_bytes {
            return Err(Error::exhausted(format!(
                "the journal of instance `{id}` has {stored} bytes; at most {} are kept",
                limits.journal_bytes
            )));
        }
        if length >= limits.entries {
            return Err(Error::exhausted(format!(
                "the journal of instance `{id}` has {length} entries, which is the most"
            )));
        }
        self.push(Kind::EventReceived { name }, data);
        Ok(())
    }

    fn suspend(&mut self, reason: String) -> Result<()> {
        match self.meta.status {
            Status::Suspended => {
                self.is_unproven = true;
                return Ok(());
            }
            Status::Running => {}
            status => {
                return Err(misfit(
                    &self.meta.id,
                    status,
                    "a running one can be suspended",
                ));
            }
        }
        let kind = Kind::Suspended {
            reason: reason.clone(),
        };
        self.push(kind, Bytes::new());
        self.meta.status = Status::Suspended;
        self.meta.suspended = Some(reason);
        Ok(())
    }

    fn resume(&mut self, reason: String) -> Result<()> {
        match self.meta.status {
            Status::Running => {
                self.is_unproven = true;
                return Ok(());
            }
            Status::Suspended | Status::Stalled => {}
            status => {
                let wanted = "a suspended or stalled one can be resumed";
                return Err(misfit(&self.meta.id, status, wanted));
            }
        }
        self.push(Kind::Resumed { reason }, Bytes::new());
        self.meta.status = Status::Running;
        (self.meta.suspended, self.meta.failure) = (None, None);
        self.meta.tries = 0;
        Ok(())
    }

    fn end_as(&mut self, status: Status) {
        self.meta.status = status;
        self.meta.suspended = None;
        let last = self.context.lock().entries.len() - 1;
        self.meta.output = (status != Status::Failed).then_some(last as u32);
        if status != Status::Failed {
            self.meta.failure = None;
        }
    }

    /// The commit that says of a step that it takes long. If the host ends in it, the next start knows.
    pub fn note_long(&self) -> Commit {
        let mut stored = self.stored.clone();
        stored.tries += 1;
        Commit::plain(stored, Over::Version(self.version.clone()), Vec::new())
    }

    /// Takes up that this commit is persisted.
    pub fn noted(&mut self, commit: Commit, version: String) {
        self.meta.tries = commit.meta.tries;
        (self.stored, self.version) = (commit.meta, version);
    }
}

/// Returns whether nothing more comes by itself.
pub(in crate::workflow) fn is_over(status: Status) -> bool {
    status.has_ended() || status == Status::Stalled
}

pub(in crate::workflow) fn misfit(id: &str, status: Status, wanted: &str) -> Error {
    Error::conflict(format!("instance `{id}` is {status}; only {wanted}"))
}

/// The commit that says of a broken instance what it is; its journal stays as it was found. None where it says so
/// already.
pub(in crate::workflow) fn broken(
    meta: &Meta,
    version: &str,
    status: Status,
    reason: &str,
    clock: &Clock,
) -> Option<Commit> {
    if meta.status == status && meta.failure.as_deref() == Some(reason) {
        return None;
    }
    let mut meta = meta.clone();
    meta.status = status;
    meta.failure = Some(reason.to_owned());
    meta.updated = clock();
    let changes = vec![Change::Delete(Row::Ready)];
    let over = Over::Version(version.to_owned());
    Some(Commit::plain(meta, over, changes))
}
