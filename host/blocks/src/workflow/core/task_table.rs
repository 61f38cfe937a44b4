//! The tasks of an instance by its journal: those that are open, those that have completed, and at which entry.

use super::entry::{Entry, Kind};
use bytes::Bytes;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// The outcome of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done(Bytes),
    Failed(String),
    Cancelled,
    Timeout,
}

/// The tasks of a run, built from the entries in their order, so that a replay comes to the same.
#[derive(Default)]
pub(in crate::workflow) struct TaskTable {
    /// Tasks that are open, each with the entry that asked for it.
    open: BTreeMap<u32, Entry>,
    /// Tasks that have completed, each with the index of the entry that completed it.
    completed: HashMap<u32, (u32, Outcome)>,
    waiters: HashMap<String, VecDeque<u32>>,
    /// Events that nobody has waited for yet.
    events: BTreeMap<String, VecDeque<Bytes>>,
    buffered: usize,
    buffered_bytes: usize,
}

impl TaskTable {
    pub fn apply(&mut self, entry: &Entry) {
        let index = entry.index;
        let payload = || entry.payload.clone();
        match &entry.kind {
            Kind::ActivityScheduled { task, .. }
            | Kind::ChildStarted { task, .. }
            | Kind::TimerCreated { task, .. } => {
                self.open.insert(*task, entry.clone());
            }
            Kind::EventWaited { task, name, .. } => self.wait(*task, name, entry),
            Kind::EventReceived { name } => self.receive(name, index, payload()),
            Kind::ActivityCompleted { task, .. } | Kind::ChildCompleted { task } => {
                self.complete(*task, index, Outcome::Done(payload()));
            }
            Kind::ActivityFailed {
                task,
                failure,
                timeout,
                ..
            } => {
                let failed = Outcome::Failed(failure.clone());
                let outcome = if *timeout { Outcome::Timeout } else { failed };
                self.complete(*task, index, outcome);
            }
            Kind::ChildFailed { task, failure } => {
                self.complete(*task, index, Outcome::Failed(failure.clone()));
            }
            Kind::TimerFired { task } => self.fire(*task, index),
            Kind::Cancelled { of, .. } => self.complete(*of, index, Outcome::Cancelled),
            _ => {}
        }
    }

    fn wait(&mut self, task: u32, name: &str, entry: &Entry) {
        self.open.insert(task, entry.clone());
        match self.events.get_mut(name).and_then(VecDeque::pop_front) {
            Some(data) => {
                self.buffered -= 1;
                self.buffered_bytes -= data.len();
                self.complete(task, entry.index, Outcome::Done(data));
            }
            None => {
                let waiters = self.waiters.entry(name.to_owned()).or_default();
                waiters.push_back(task);
            }
        }
    }

    fn receive(&mut self, name: &str, index: u32, data: Bytes) {
        // Waiters that timed out or were cancelled stand in the queue still.
        while let Some(task) = self.waiters.get_mut(name).and_then(VecDeque::pop_front) {
            if self.is_open(task) {
                return self.complete(task, index, Outcome::Done(data));
            }
        }
        self.buffered += 1;
        self.buffered_bytes += data.len();
        let events = self.events.entry(name.to_owned()).or_default();
        events.push_back(data);
    }

    fn fire(&mut self, task: u32, index: u32) {
        let outcome = match self.open.get(&task).map(|entry| &entry.kind) {
            Some(Kind::EventWaited { .. }) => Outcome::Timeout,
            _ => Outcome::Done(Bytes::new()),
        };
        self.complete(task, index, outcome);
    }

    fn complete(&mut self, task: u32, index: u32, outcome: Outcome) {
        if self.open.remove(&task).is_some() {
            self.completed.insert(task, (index, outcome));
        }
    }

    pub fn is_open(&self, task: u32) -> bool {
        self.open.contains_key(&task)
    }

    /// The entries that asked for what has not completed, in order.
    pub fn open(&self) -> impl Iterator<Item = &Entry> {
        self.open.values()
    }

    pub fn completion(&self, task: u32) -> Option<&(u32, Outcome)> {
        self.completed.get(&task)
    }

    /// Returns whether nothing has completed in this run.
    pub fn is_idle(&self) -> bool {
        self.completed.is_empty()
    }

    /// The index of the latest entry that completed a task.
    pub fn last_completion(&self) -> u32 {
        let indices = self.completed.values().map(|(index, _)| *index);
        indices.max().unwrap_or_default()
    }

    /// The number of events that nobody has waited for yet, and their bytes.
    pub fn buffered(&self) -> (usize, usize) {
        (self.buffered, self.buffered_bytes)
    }

    /// Those events: by name, and each name's in the order of their arrival.
    pub fn unprocessed(&self) -> Vec<(String, Bytes)> {
        let mut all = Vec::with_capacity(self.buffered);
        for (name, events) in &self.events {
            all.extend(events.iter().map(|data| (name.clone(), data.clone())));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task_table(kinds: Vec<(Kind, &'static str)>) -> TaskTable {
        let mut task_table = TaskTable::default();
        for (index, (kind, payload)) in kinds.into_iter().enumerate() {
            task_table.apply(&Entry {
                index: index as u32,
                time: 0,
                kind,
                payload: payload.into(),
            });
        }
        task_table
    }

    fn wait(task: u32) -> (Kind, &'static str) {
        let kind = Kind::EventWaited {
            task,
            name: "paid".to_owned(),
            timeout: None,
            due: None,
        };
        (kind, "")
    }

    fn event(payload: &'static str) -> (Kind, &'static str) {
        let name = "paid".into();
        (Kind::EventReceived { name }, payload)
    }

    fn done(text: &'static str) -> Outcome {
        Outcome::Done(text.into())
    }

    #[test]
    fn events_meet_waits_first_to_first_whichever_came_earlier() {
        let task_table = task_table(vec![event("a"), wait(0), wait(1), event("b"), event("c")]);
        assert_eq!(task_table.completion(0), Some(&(1, done("a"))));
        assert_eq!(task_table.completion(1), Some(&(3, done("b"))));
        assert_eq!(task_table.unprocessed(), [("paid".to_owned(), "c".into())]);
        assert_eq!(task_table.buffered(), (1, 1));
    }

    #[test]
    fn a_wait_that_timed_out_takes_no_event() {
        let fired = (Kind::TimerFired { task: 0 }, "");
        let task_table = task_table(vec![wait(0), wait(1), fired, event("a")]);
        assert_eq!(task_table.completion(0), Some(&(2, Outcome::Timeout)));
        assert_eq!(task_table.completion(1), Some(&(3, done("a"))));
    }

    #[test]
    fn the_first_completion_stands() {
        let asked = Kind::TimerCreated {
            task: 0,
            duration: 1,
            due: 1,
        };
        let cancelled = Kind::Cancelled { task: 1, of: 0 };
        let fired = Kind::TimerFired { task: 0 };
        let task_table = task_table(vec![(asked, ""), (cancelled, ""), (fired, "")]);
        assert_eq!(task_table.completion(0), Some(&(1, Outcome::Cancelled)));
        assert!(!task_table.is_open(0));
    }
}
