//! The place of a run of a workflow's code in its journal: what it has asked for, what it has seen, and whether it
//! still is the code that the journal is from.

use super::{
    Clock,
    context::Task,
    entry::{Entry, Kind},
    task_table::TaskTable,
};
use crate::workflow::{Limits, Timestamp};
use crate::{Error, Result};
use bytes::Bytes;
use std::{collections::HashMap, fmt::Display};

pub(in crate::workflow) struct State {
    clock: Clock,
    pub entries: Vec<Entry>,
    pub task_table: TaskTable,
    /// Bytes of the entries, and of those that the code added in this step.
    pub bytes: usize,
    pub step_bytes: usize,
    pub seed: u128,
    /// The reason why the code cannot go on.
    pub stop: Option<String>,
    pub custom: Option<String>,
    pub next_input: Option<Bytes>,
    /// The latest command or completion that was there when the run began.
    known: u32,
    /// The index of the entry of each command of the journal.
    commands: Vec<u32>,
    /// Commands of the code so far.
    given: usize,
    /// The latest entry that the code knows of.
    position: u32,
    /// The latest entry whose time the code has seen.
    seen: u32,
    numbers: u64,
    patches: HashMap<String, bool>,
}

impl State {
    pub fn new(entries: Vec<Entry>, clock: Clock) -> Self {
        let mut task_table = TaskTable::default();
        let mut commands = Vec::new();
        for entry in &entries {
            task_table.apply(entry);
            if entry.kind.command().is_some() {
                commands.push(entry.index);
            }
        }
        let seed = match entries.first().map(|entry| &entry.kind) {
            Some(Kind::Started { seed, .. }) => *seed,
            _ => 0,
        };
        let begun = entries.iter().find(|entry| entry.kind == Kind::Begun);
        let seen = begun.map_or(0, |entry| entry.index);
        let last = commands.last().copied().unwrap_or_default();
        State {
            clock,
            bytes: entries.iter().map(Entry::weight).sum(),
            step_bytes: 0,
            known: last.max(task_table.last_completion()),
            entries,
            task_table,
            seed,
            stop: None,
            custom: None,
            next_input: None,
            commands,
            given: 0,
            position: seen,
            seen,
            numbers: 0,
            patches: HashMap::new(),
        }
    }

    /// Stops the code: from now on it gets nothing but errors.
    pub fn stop(&mut self, reason: String) -> Error {
        let reason = self.stop.get_or_insert(reason);
        Error::internal(reason.clone())
    }

    pub fn check(&mut self, result: Result<()>) -> Result<()> {
        result.map_err(|error| self.stop(error.message().to_owned()))
    }

    pub fn check_size(&mut self, limits: &Limits, what: &dyn Display, length: usize) -> Result<()> {
        if length <= limits.payload {
            return Ok(());
        }
        let limit = limits.payload;
        Err(self.stop(format!(
            "{what} has {length} bytes; at most {limit} are kept in a journal: keep it elsewhere and hand on its name"
        )))
    }

    /// The entry by which the code asked for a task.
    pub fn asked(&self, task: u32) -> Option<&Entry> {
        let index = *self.commands.get(task as usize)?;
        self.entries.get(index as usize)
    }

    pub fn next_task(&self) -> u32 {
        self.given as u32
    }

    pub fn now(&self) -> Timestamp {
        let entry = self.entries.get(self.seen as usize);
        entry.map_or(0, |entry| entry.time)
    }

    pub fn next_number(&mut self) -> (u128, u64) {
        self.numbers += 1;
        (self.seed, self.numbers)
    }

    pub fn is_replaying(&self) -> bool {
        self.position < self.known
    }

    /// The code's next command: what the journal has at this place, or a new entry.
    pub fn command(
        &mut self,
        limits: &Limits,
        kind: impl FnOnce(u32) -> Kind,
        payload: Bytes,
    ) -> Result<Task> {
        if let Some(reason) = &self.stop {
            return Err(Error::internal(reason.clone()));
        }
        let task = self.next_task();
        let kind = kind(task);
        let index = match self.commands.get(self.given) {
            Some(index) => {
                let index = *index;
                self.compare(index, &kind, &payload)?;
                index
            }
            None => self.add_command(limits, kind, payload)?,
        };
        self.given += 1;
        self.position = self.position.max(index);
        Ok(Task(task))
    }

    fn add_command(&mut self, limits: &Limits, kind: Kind, payload: Bytes) -> Result<u32> {
        let words = kind.command().unwrap_or_default();
        self.check_size(limits, &format_args!("the input of {words}"), payload.len())?;
        if self.entries.len() >= limits.entries {
            let limit = limits.entries;
            return Err(self.stop(format!(
                "the journal has {limit} entries, which is the most; use continue-as-new before that"
            )));
        }
        self.check_room(limits, &words, payload.len())?;
        let index = self.push(kind, payload);
        let added = self.entries.last().map_or(0, Entry::weight);
        self.step_bytes += added;
        self.commands.push(index);
        Ok(index)
    }

    fn check_room(&mut self, limits: &Limits, words: &str, more: usize) -> Result<()> {
        let (step, journal) = (limits.step_bytes, limits.journal_bytes);
        if self.step_bytes + more > step {
            return Err(self.stop(format!(
                "with {words} the code asks for more than {step} bytes in one step; wait for some of it before it asks for more"
            )));
        }
        if self.bytes + more > journal {
            return Err(self.stop(format!(
                "with {words} the journal has more than {journal} bytes; use continue-as-new before that"
            )));
        }
        Ok(())
    }

    fn compare(&mut self, index: u32, kind: &Kind, payload: &Bytes) -> Result<()> {
        let words = kind.command().unwrap_or_default();
        let Some(stored) = self.entries.get(index as usize) else {
            return Err(self.stop(format!("entry {index} is missing")));
        };
        let had = stored.kind.command().unwrap_or_default();
        let differs = if had != words {
            format!("the code now calls {words}")
        } else if !kind.is_same_command(&stored.kind) {
            "the code now calls it with other settings".to_owned()
        } else if stored.payload != payload {
            "the code now gives it another input".to_owned()
        } else {
            return Ok(());
        };
        Err(self.stop(format!("entry {index}: the journal has {had}, {differs}")))
    }

    /// Takes back what was added after the first `length` entries.
    pub fn truncate(&mut self, length: usize) {
        self.entries.truncate(length);
        self.bytes = self.entries.iter().map(Entry::weight).sum();
    }

    /// Adds an entry and returns its index.
    pub fn push(&mut self, kind: Kind, payload: Bytes) -> u32 {
        let index = self.entries.len() as u32;
        // A clock that was set back does not show in a journal.
        let last = self.entries.last().map_or(0, |entry| entry.time);
        let entry = Entry {
            index,
            time: (self.clock)().max(last),
            kind,
            payload,
        };
        self.task_table.apply(&entry);
        self.bytes += entry.weight();
        self.entries.push(entry);
        index
    }

    /// Finds which of these completed first, if any has, and whether the code once waited for that: the journal has it
    /// as news.
    pub fn first(&mut self, tasks: &[Task]) -> Result<Option<(usize, bool)>> {
        if let Some(reason) = &self.stop {
            return Err(Error::internal(reason.clone()));
        }
        if tasks.is_empty() {
            return Err(self.stop("select of no tasks; expected at least one".to_owned()));
        }
        let completed = tasks.iter().enumerate().filter_map(|(place, task)| {
            let (index, _) = self.task_table.completion(task.0)?;
            Some((*index, place))
        });
        let Some((index, place)) = completed.min() else {
            return Ok(None);
        };
        let is_news = index > self.seen && index <= self.known;
        self.position = self.position.max(index);
        self.seen = self.seen.max(index);
        Ok(Some((place, is_news)))
    }

    pub fn patched(&mut self, limits: &Limits, change: &str) -> Result<bool> {
        if let Some(known) = self.patches.get(change) {
            return Ok(*known);
        }
        let next = self.asked(self.next_task()).map(|entry| &entry.kind);
        let is_patched = match next {
            Some(Kind::Patched { change: stored, .. }) => stored == change,
            Some(_) => false,
            // The journal has no command after this place, so that it contradicts none.
            None => true,
        };
        if is_patched {
            let change = change.to_owned();
            let kind = |task| Kind::Patched { task, change };
            self.command(limits, kind, Bytes::new())?;
        }
        self.patches.insert(change.to_owned(), is_patched);
        Ok(is_patched)
    }

    /// The code has returned; why that is not what the journal has, if it is not.
    pub fn left(&self) -> Option<String> {
        let index = *self.commands.get(self.given)?;
        let had = self.entries.get(index as usize)?.kind.command()?;
        Some(format!(
            "entry {index}: the journal has {had}, the code now ends"
        ))
    }
}
