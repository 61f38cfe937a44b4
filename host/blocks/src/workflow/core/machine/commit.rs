//! The transactions of an instance: its new entries, the rows that they cause, and its record over the one that was read.

use super::{Machine, is_over};
use crate::{
    Result,
    workflow::core::{
        entry::{Entry, Parent},
        item::Effect,
        meta::{Meta, Status},
        row::{self, Change, Row},
    },
};
use bytes::Bytes;

#[cfg(test)]
use crate::workflow::tests::bugs::{self, Bug};

/// Operations, and bytes of payloads, of the entries of one transaction. The first entries of a run fit into one, with
/// the events that the run before hands on.
const OPERATIONS: usize = 700;
const BYTES: usize = 16 << 20;

/// The condition that has to hold of the record that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::workflow) enum Over {
    Nothing,
    Version(String),
}

/// One transaction.
#[derive(Clone, Debug)]
pub(in crate::workflow) struct Commit {
    /// Index and content of each new entry of the record's run.
    pub entries: Vec<(u32, Bytes)>,
    pub changes: Vec<Change>,
    /// The record as it is to be, and what it replaces.
    pub meta: Meta,
    pub over: Over,
    /// Entries that are new with it.
    count: usize,
    ready: bool,
    is_last: bool,
}

impl Commit {
    /// A commit of nothing but the record and some rows.
    pub fn plain(meta: Meta, over: Over, changes: Vec<Change>) -> Self {
        Commit {
            entries: Vec::new(),
            changes,
            meta,
            over,
            count: 0,
            ready: false,
            is_last: true,
        }
    }
}

/// The next thing to do for an instance.
#[derive(Debug)]
pub(in crate::workflow) enum Next {
    Write(Box<Commit>),
    Run(Vec<Effect>),
}

impl Machine {
    /// The next thing to do until all that is new is kept: a transaction, or effects of one that was; none at the end.
    pub fn next(&mut self) -> Result<Option<Next>> {
        if !self.due.is_empty() {
            return Ok(Some(Next::Run(std::mem::take(&mut self.due))));
        }
        #[cfg(test)]
        if let Some(effects) = self.early() {
            return Ok(Some(Next::Run(effects)));
        }
        if let Some(commit) = self.next_commit()? {
            return Ok(Some(Next::Write(Box::new(commit))));
        }
        let later = std::mem::take(&mut self.later);
        Ok((!later.is_empty()).then_some(Next::Run(later)))
    }

    /// Effects of what is not kept yet, where that fault is planted.
    #[cfg(test)]
    fn early(&mut self) -> Option<Vec<Effect>> {
        let (run, all) = (self.meta.run, self.context.lock().entries.len());
        let known = if self.early.0 == run { self.early.1 } else { 0 };
        if !bugs::has(Bug::EffectBeforeCommit) || known.max(self.flushed) >= all {
            return None;
        }
        self.early = (run, all);
        Some(self.taken_up(known.max(self.flushed), all))
    }

    /// The next transaction, if there is something to keep.
    fn next_commit(&mut self) -> Result<Option<Commit>> {
        self.meta.bytes = self.context.lock().bytes;
        let wants_ready = self.is_behind && self.meta.status == Status::Running;
        #[cfg(test)]
        let wants_ready = wants_ready && !bugs::has(Bug::RowDeletedEarly);
        let is_same =
            self.meta == self.stored && wants_ready == self.has_ready && !self.is_unproven;
        let (new, is_last) = self.chunk();
        if new.is_empty() && self.changes.is_empty() && is_same {
            return Ok(None);
        }
        self.commit(new, is_last, wants_ready || !is_last).map(Some)
    }

    /// The first new entries that fit into a transaction, with what they cause, and whether they are all.
    fn chunk(&self) -> (Vec<(Entry, Vec<Change>)>, bool) {
        let state = self.context.lock();
        let all = &state.entries[self.flushed..];
        let (mut new, mut operations, mut bytes) = (Vec::new(), 0, 0);
        for entry in all {
            let caused = row::of_entry(self.meta.run, entry, &state);
            operations += 1 + caused.len();
            bytes += entry.payload.len();
            if (operations > OPERATIONS || bytes > BYTES) && !new.is_empty() {
                return (new, false);
            }
            new.push((entry.clone(), caused));
        }
        (new, true)
    }

    fn commit(
        &mut self,
        new: Vec<(Entry, Vec<Change>)>,
        is_last: bool,
        ready: bool,
    ) -> Result<Commit> {
        let mut meta = if is_last {
            self.meta.clone()
        } else {
            self.stored.clone()
        };
        meta.bytes = self.meta.bytes;
        (meta.next, meta.hash, meta.run) = (self.meta.next, self.meta.hash, self.meta.run);
        meta.updated = (self.clock)().max(meta.updated);
        let (count, mut entries, mut changes) = (new.len(), Vec::new(), Vec::new());
        for (entry, caused) in new {
            let (value, hash) = entry.encode(&meta.hash)?;
            entries.push((entry.index, value));
            changes.extend(caused);
            (meta.next, meta.hash) = (entry.index + 1, hash);
        }
        if is_last {
            changes.append(&mut self.changes);
            changes.extend(self.end().map(|(parent, value)| Change::End(parent, value)));
            #[cfg(test)]
            if bugs::has(Bug::EndNotPersisted) {
                changes.retain(|change| !matches!(change, Change::End(..)));
            }
        }
        match (ready, self.has_ready) {
            (true, _) => changes.push(Change::Put(Row::Ready)),
            (false, true) => changes.push(Change::Delete(Row::Ready)),
            (false, false) => {}
        }
        Ok(Commit {
            entries,
            changes,
            meta,
            over: Over::Version(self.version.clone()),
            count,
            ready,
            is_last,
        })
    }

    /// Takes up what was kept, and the record's version now.
    pub fn committed(&mut self, commit: Box<Commit>, version: String) {
        let mut effects = self.take(*commit, version);
        self.due.append(&mut effects);
    }

    /// Returns what is to be done because of a commit.
    fn take(&mut self, commit: Commit, version: String) -> Vec<Effect> {
        let first = self.flushed;
        self.version = version;
        self.is_unproven = false;
        self.flushed += commit.count;
        self.has_ready = commit.ready;
        let meta = &commit.meta;
        (self.meta.next, self.meta.hash, self.meta.updated) = (meta.next, meta.hash, meta.updated);
        self.stored = commit.meta;
        let mut effects = Vec::new();
        if commit.is_last && is_over(self.meta.status) {
            effects.push(Effect::Ring);
        }
        if commit.is_last && self.meta.status.has_ended() {
            effects.extend(self.ended());
            return effects;
        }
        let run = self.meta.run;
        #[cfg(test)]
        if bugs::has(Bug::EffectBeforeCommit) {
            return effects;
        }
        if first == 0 && commit.count > 0 && run > 1 {
            effects.push(Effect::Clear {
                run: run - 1,
                with_journal: true,
            });
        }
        effects.extend(self.taken_up(first, first + commit.count));
        effects
    }

    fn ended(&self) -> Vec<Effect> {
        let mut effects = vec![Effect::Leave];
        effects.extend(
            self.end()
                .map(|(parent, value)| Effect::AnswerParent(parent, value)),
        );
        effects.push(Effect::Clear {
            run: self.meta.run,
            with_journal: false,
        });
        effects
    }

    /// The effects of all tasks that are open: after a commit whose outcome is not known, nobody may have begun them.
    pub fn open(&self) -> Vec<Effect> {
        self.taken_up(0, self.flushed)
    }

    /// The tasks among these entries that are open: their work begins, their timers are waited for.
    fn taken_up(&self, from: usize, until: usize) -> Vec<Effect> {
        let state = self.context.lock();
        let is_open = |entry: &&Entry| {
            let task = entry.kind.task();
            task.is_some_and(|task| state.task_table.is_open(task))
        };
        let entries = state.entries[from..until].iter().filter(is_open);
        entries
            .filter_map(|entry| take_up(self.meta.run, entry))
            .collect()
    }

    /// The end of this instance, for its parent.
    fn end(&self) -> Option<(Parent, Bytes)> {
        let parent = self.meta.parent.clone()?;
        if !self.meta.status.has_ended() {
            return None;
        }
        let failure = match self.meta.status {
            Status::Terminated => Some("the child was terminated"),
            _ => self.meta.failure.as_deref(),
        };
        let mut value = vec![u8::from(failure.is_some())];
        match failure {
            Some(failure) => value.extend_from_slice(failure.as_bytes()),
            None => {
                let state = self.context.lock();
                let output = state.entries.last().map(|entry| entry.payload.clone());
                value.extend_from_slice(&output.unwrap_or_default());
            }
        }
        Some((parent, value.into()))
    }
}

/// The effect of a task that is open.
pub(in crate::workflow) fn take_up(run: u32, asked: &Entry) -> Option<Effect> {
    match row::beginning(run, asked)? {
        Change::Ask { .. } => {
            let asked = asked.clone();
            Some(Effect::Start { run, asked })
        }
        Change::Put(Row::Wake { due, .. }) => Some(Effect::Expect(due)),
        _ => None,
    }
}
