//! The changes that a turn stages, and what an activation remembers of the store; both within bounds.

use super::record::{Outgoing, Reminder};
use crate::{Error, Permit, Result, Trace};
use bytes::Bytes;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

/// Bytes that one turn may change.
pub(in crate::actors) const MAX_STAGED: usize = 16 << 20;
/// Bytes that an activation remembers of what it has read.
const OF_ACTOR: usize = 1 << 20;
/// Bytes that the activations of a tenant remember in all. Whoever comes too late reads again, and that is all.
const OF_TENANT: usize = 64 << 20;

/// A value and when it ends.
#[derive(Clone, Debug)]
pub(in crate::actors) struct Value {
    pub bytes: Bytes,
    pub expires: Option<SystemTime>,
}

impl Value {
    pub(in crate::actors) fn live(&self, now: SystemTime) -> Option<Bytes> {
        let is_over = self.expires.is_some_and(|at| at <= now);
        (!is_over).then(|| self.bytes.clone())
    }
}

#[derive(Clone, Debug)]
pub(in crate::actors) struct Timer {
    pub due: Duration,
    pub period: Option<Duration>,
    pub data: Bytes,
    /// Span of the turn that set it.
    pub trace: Trace,
    /// A share of the app's account, for as long as the timer is there.
    pub _held: Option<Arc<Permit>>,
}

/// A reminder that is set anew or, with none, removed.
#[derive(Clone, Debug)]
pub(in crate::actors) struct Reset {
    pub reminder: Option<Reminder>,
    /// The time of the reminder that is stored now, whose row in the order of times is removed.
    pub stored: Option<u64>,
}

/// The changes that are persisted when the turn ends well. None is a removal.
#[derive(Clone, Default)]
pub(in crate::actors) struct Staged {
    pub entries: BTreeMap<String, Option<Value>>,
    pub reminders: BTreeMap<String, Reset>,
    pub events: Vec<Outgoing>,
    pub timers: BTreeMap<String, Option<Timer>>,
    /// Bytes of all of them, with their names.
    bytes: usize,
}

impl Staged {
    /// Returns whether there is something to write.
    pub(in crate::actors) fn is_durable(&self) -> bool {
        !(self.entries.is_empty() && self.reminders.is_empty() && self.events.is_empty())
    }

    pub(in crate::actors) fn put(&mut self, key: &str, value: Option<Value>) {
        let length = |value: &Option<Value>| value.as_ref().map_or(0, |value| value.bytes.len());
        self.bytes += key.len() + length(&value);
        if let Some(old) = self.entries.insert(key.to_owned(), value) {
            self.bytes -= key.len() + length(&old);
        }
    }

    pub(in crate::actors) fn time(&mut self, name: &str, timer: Option<Timer>) {
        let length = |timer: &Option<Timer>| timer.as_ref().map_or(0, |timer| timer.data.len());
        self.bytes += name.len() + length(&timer);
        if let Some(old) = self.timers.insert(name.to_owned(), timer) {
            self.bytes -= name.len() + length(&old);
        }
    }

    pub(in crate::actors) fn remind(&mut self, name: &str, reset: Reset) {
        let length = |reset: &Reset| reset.reminder.as_ref().map_or(0, |one| one.data.0.len());
        self.bytes += name.len() + length(&reset);
        if let Some(old) = self.reminders.insert(name.to_owned(), reset) {
            self.bytes -= name.len() + length(&old);
        }
    }

    /// Forgets the staged change of a reminder, as if it was never touched.
    pub(in crate::actors) fn leave(&mut self, name: &str) {
        if let Some(old) = self.reminders.remove(name) {
            self.bytes -= name.len() + old.reminder.map_or(0, |one| one.data.0.len());
        }
    }

    pub(in crate::actors) fn send(&mut self, event: Outgoing) {
        self.bytes += event.data.0.len();
        self.events.push(event);
    }

    pub(in crate::actors) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Checks that one more change, of so many bytes, still fits into one transaction of so many operations. A reminder
    /// is three of them: its row, its old time and its new one.
    pub(in crate::actors) fn check(&self, more: usize, limit: usize) -> Result<()> {
        let operations = 1 + self.entries.len() + 3 * self.reminders.len() + self.events.len();
        if operations + 3 > limit {
            return Err(Error::exhausted(format!(
                "the turn changes too much at once; a transaction of its store has at most {limit} operations"
            )));
        }
        if self.bytes + more > MAX_STAGED {
            return Err(Error::exhausted(format!(
                "the turn changes more than {MAX_STAGED} bytes at once"
            )));
        }
        Ok(())
    }
}

/// The rows that an activation has read or written, with none for a row that is absent. Forgetting any of it is always
/// right.
#[derive(Default)]
pub(in crate::actors) struct Memory {
    /// The entries by key, boxed, as a table has room for more than it holds, and most have one or two.
    entries: HashMap<Box<str>, Option<Box<Value>>>,
    reminders: BTreeMap<String, Option<Reminder>>,
    bytes: usize,
    /// The bytes that all activations of the tenant remember.
    all: Arc<AtomicUsize>,
}

impl Memory {
    pub(in crate::actors) fn new(all: Arc<AtomicUsize>) -> Self {
        let mut memory = Memory::default();
        memory.all = all;
        memory
    }

    pub(in crate::actors) fn entry(&self, key: &str) -> Option<Option<&Value>> {
        self.entries.get(key).map(Option::as_deref)
    }

    pub(in crate::actors) fn reminder(&self, name: &str) -> Option<&Option<Reminder>> {
        self.reminders.get(name)
    }

    pub(in crate::actors) fn cache(&mut self, key: &str, value: Option<Value>) {
        self.entries.remove(key);
        let length = value.as_ref().map_or(0, |value| value.bytes.len());
        if self.has_room(key.len() + length) {
            self.entries.insert(key.into(), value.map(Box::new));
        }
    }

    pub(in crate::actors) fn cache_reminder(&mut self, name: &str, reminder: Option<Reminder>) {
        self.reminders.remove(name);
        let length = reminder
            .as_ref()
            .map_or(0, |reminder| reminder.data.0.len());
        if self.has_room(name.len() + length) {
            self.reminders.insert(name.to_owned(), reminder);
        }
    }

    /// Takes the changes of a turn that was persisted into the cache.
    pub(in crate::actors) fn apply(&mut self, staged: Staged) {
        for (key, value) in staged.entries {
            self.cache(&key, value);
        }
        for (name, reset) in staged.reminders {
            self.cache_reminder(&name, reset.reminder);
        }
    }

    /// Counts `more` bytes if there is room for them; what was replaced stays counted until there is none, then all
    /// goes, and counting begins anew.
    fn has_room(&mut self, more: usize) -> bool {
        if self.bytes + more > OF_ACTOR {
            self.clear();
        }
        if more > OF_ACTOR || self.all.load(Relaxed) + more > OF_TENANT {
            return false;
        }
        self.bytes += more;
        self.all.fetch_add(more, Relaxed);
        true
    }

    fn clear(&mut self) {
        self.entries.clear();
        self.reminders.clear();
        self.all.fetch_sub(self.bytes, Relaxed);
        self.bytes = 0;
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{super::record::Binary, *};

    fn value(length: usize) -> Option<Value> {
        Some(Value {
            bytes: vec![0; length].into(),
            expires: None,
        })
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let all = Arc::new(AtomicUsize::new(0));
        let mut memory = Memory::new(all.clone());
        memory.cache("a", value(OF_ACTOR / 2));
        memory.cache("b", value(OF_ACTOR / 4));
        assert!(memory.entry("a").is_some() && memory.entry("b").is_some());
        memory.cache("c", value(OF_ACTOR / 2));
        assert!(memory.entry("a").is_none() && memory.entry("c").is_some());
        memory.cache("c", value(OF_ACTOR + 1));
        assert!(
            memory.entry("c").is_none(),
            "what is too long is read each time"
        );
        memory.cache("d", None);
        assert!(
            matches!(memory.entry("d"), Some(None)),
            "what is absent is known"
        );
        drop(memory);
        assert_eq!(all.load(Relaxed), 0);
    }

    #[test]
    fn a_full_tenant_remembers_nothing_more() {
        let all = Arc::new(AtomicUsize::new(OF_TENANT));
        let mut memory = Memory::new(all.clone());
        memory.cache("a", value(1));
        assert!(memory.entry("a").is_none());
        drop(memory);
        assert_eq!(all.load(Relaxed), OF_TENANT);
    }

    #[test]
    fn timers_and_reminders_count_as_entries_do() {
        let mut staged = Staged::default();
        let timer = |length: usize| Timer {
            due: Duration::ZERO,
            period: None,
            data: vec![0; length].into(),
            trace: Trace::start(),
            _held: None,
        };
        let reset = |length: Option<usize>| Reset {
            reminder: length.map(|length| Reminder {
                due: 0,
                period: None,
                data: Binary(vec![0; length].into()),
                trace: None,
            }),
            stored: None,
        };
        staged.time("t", Some(timer(100)));
        staged.time("t", Some(timer(50)));
        staged.remind("r", reset(Some(200)));
        staged.remind("s", reset(Some(30)));
        assert_eq!(staged.bytes(), 51 + 201 + 31);
        staged.remind("r", reset(None));
        staged.leave("s");
        staged.time("t", None);
        assert_eq!(staged.bytes(), 2);
        for number in 0..300 {
            staged.remind(&format!("r{number}"), reset(Some(64 << 10)));
        }
        staged.check(0, 10_000).unwrap_err();
    }

    #[test]
    fn a_turn_is_bounded_in_bytes_and_in_number() {
        let mut staged = Staged::default();
        for _ in 0..100 {
            staged.put("a", value(1 << 20));
        }
        staged.check(1, 5).unwrap();
        staged.put("b", None);
        let reported = staged.check(1, 5).unwrap_err();
        assert_eq!(
            reported.message(),
            "the turn changes too much at once; a transaction of its store has at most 5 operations"
        );
        let reported = staged.check(MAX_STAGED, 10).unwrap_err();
        assert_eq!(
            reported.message(),
            "the turn changes more than 16777216 bytes at once"
        );
    }
}
