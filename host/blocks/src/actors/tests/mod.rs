//! A simulation of two hosts that both believe to have an actor: what is kept is decided by the core and written by the
//! store's module, as production does it; the store fails, answers late or not at all, and hosts die, as a seed says.

use super::{
    core::{
        commit::Commit,
        names::Actor,
        record::{Binary, Meta, Outgoing, Reminder},
        staged::{Reset, Staged, Value},
    },
    store::{commit, rows},
};
use crate::{
    pubsub::Event,
    state::{Condition, Operation},
};
use std::{
    cell::Cell,
    collections::{BTreeMap, BTreeSet},
    time::SystemTime,
};

/// Schedules of one run of the test, and things that happen in each.
const SCHEDULES: u64 = 1_000;
const ACTIONS: u64 = 120;

/// Faults that are planted in the store's module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::actors) enum Bug {
    /// A commit replaces whatever record is there.
    NoCondition,
    /// The old time of a reminder stays.
    TimeStays,
    /// Events of a turn are not kept with it.
    EventsNotWritten,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

pub(in crate::actors) fn has(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// The actor as a host believes it to be.
#[derive(Clone)]
struct Activation {
    meta: Meta,
    version: Option<String>,
    turns: Vec<u64>,
    due: Option<u64>,
}

struct World {
    random: Random,
    actor: Actor,
    rows: BTreeMap<String, (Vec<u8>, u64)>,
    versions: u64,
    hosts: [Option<Activation>; 2],
    late: Vec<Vec<Operation>>,
    turns: u64,
    acknowledged: BTreeSet<u64>,
    published: Vec<u64>,
    is_wild: bool,
}

impl World {
    fn new(seed: u64) -> Self {
        let tenant = "default".parse().expect("a name");
        World {
            random: Random(seed),
            actor: Actor::new(&tenant, "plain", "a").expect("a name"),
            rows: BTreeMap::new(),
            versions: 0,
            hosts: [None, None],
            late: Vec::new(),
            turns: 0,
            acknowledged: BTreeSet::new(),
            published: Vec::new(),
            is_wild: true,
        }
    }

    fn run(mut self) -> Result<(), String> {
        for _ in 0..ACTIONS {
            let host = self.random.below(2) as usize;
            match self.random.below(10) {
                0..6 => self.turn(host),
                6 | 7 => self.send(),
                8 => self.hosts[host] = None,
                _ => self.arrive(),
            }
        }
        while !self.late.is_empty() {
            self.arrive();
        }
        self.is_wild = false;
        self.send();
        self.judge()
    }

    fn arrive(&mut self) {
        if let Some(operations) = self.late.pop() {
            // Whoever wrote it is dead.
            let _ = self.transact(&operations);
        }
    }

    fn transact(&mut self, operations: &[Operation]) -> Option<u64> {
        let holds = |operation: &Operation| {
            let (key, condition) = match operation {
                Operation::Put(put) => (&put.key, &put.options.condition),
                Operation::Delete(delete) => (&delete.key, &delete.condition),
            };
            let found = self
                .rows
                .get(key.whole())
                .map(|(_, version)| version.to_string());
            match condition {
                Condition::Always => true,
                Condition::Absent => found.is_none(),
                Condition::Matches(version) => found.as_ref() == Some(version),
            }
        };
        if !operations.iter().all(holds) {
            return None;
        }
        self.versions += 1;
        for operation in operations {
            match operation {
                Operation::Put(put) => {
                    let row = (put.value.to_vec(), self.versions);
                    self.rows.insert(put.key.to_string(), row);
                }
                Operation::Delete(delete) => {
                    self.rows.remove(delete.key.whole());
                }
            }
        }
        Some(self.versions)
    }

    fn read<T: serde::de::DeserializeOwned>(&self, key: &str) -> Option<(T, String)> {
        let (value, version) = self.rows.get(key)?;
        let row = serde_json::from_slice(value).expect("a row");
        Some((row, version.to_string()))
    }

    fn activate(&mut self) -> Activation {
        let record = self.read(&rows::meta(&self.actor));
        let turns = self.read(&rows::entry(&self.actor, "turns"));
        let reminder = self.read(&rows::reminder(&self.actor, "r"));
        let (meta, version) = record.unzip();
        Activation {
            meta: meta.unwrap_or_else(|| Meta::new(1)),
            version,
            turns: turns.map_or(Vec::new(), |(turns, _)| turns),
            due: reminder.map(|(reminder, _): (Reminder, _)| reminder.due),
        }
    }

    /// A turn that adds its number to a list, sets a reminder anew and sends an event.
    fn turn(&mut self, host: usize) {
        let mut held = match self.hosts[host].take() {
            Some(held) => held,
            None => self.activate(),
        };
        self.turns += 1;
        let turn = self.turns;
        held.turns.push(turn);
        let staged = self.staged(&held, turn);
        let commit = Commit::of(&held.meta, held.version.as_deref(), &staged);
        let operations = commit::operations(&self.actor, &commit, true, SystemTime::UNIX_EPOCH);
        let written = match self.random.below(20) {
            0 => None,
            1 => {
                // The answer is lost.
                self.transact(&operations);
                None
            }
            2 => {
                self.late.push(operations);
                None
            }
            _ => self.transact(&operations),
        };
        let Some(version) = written else {
            return;
        };
        self.acknowledged.insert(turn);
        (held.meta, held.due) = (commit.meta.clone(), Some(turn));
        held.version = Some(version.to_string());
        self.hosts[host] = Some(held);
    }

    fn staged(&self, held: &Activation, turn: u64) -> Staged {
        let mut staged = Staged::default();
        let bytes = serde_json::to_vec(&held.turns).expect("numbers").into();
        let value = Value {
            bytes,
            expires: None,
        };
        staged.put("turns", Some(value));
        let reminder = Reminder {
            due: turn,
            period: None,
            data: Binary::default(),
            trace: None,
        };
        let reset = Reset {
            reminder: Some(reminder),
            stored: held.due,
        };
        staged.remind("r", reset);
        let event = Event {
            data: turn.to_string().into(),
            ..Event::default()
        };
        staged.send(Outgoing::new("app", "pubsub", "turns", event));
        staged
    }

    /// Publishes the events that wait, and removes each that the broker took.
    fn send(&mut self) {
        let prefix = rows::shards("outbox");
        let waiting: Vec<_> = self
            .rows
            .keys()
            .filter(|key| key.starts_with(&prefix))
            .cloned()
            .collect();
        for key in waiting {
            if self.is_wild && self.random.below(6) == 0 {
                return;
            }
            let Some((row, _)) = self.read::<Outgoing>(&key) else {
                continue;
            };
            let data = String::from_utf8_lossy(&row.data.0).into_owned();
            self.published.push(data.parse().expect("a number"));
            if self.is_wild && self.random.below(6) == 0 {
                return;
            }
            self.rows.remove(&key);
        }
    }

    fn judge(&mut self) -> Result<(), String> {
        let stored = self.activate();
        let known: BTreeSet<_> = stored.turns.iter().copied().collect();
        if known.len() < stored.turns.len() || stored.meta.turns != stored.turns.len() as u64 {
            return Err(format!(
                "{} turns were kept as {:?}",
                stored.meta.turns, stored.turns
            ));
        }
        if let Some(lost) = self.acknowledged.difference(&known).next() {
            return Err(format!("turn {lost} was acknowledged and is lost"));
        }
        let mut first = BTreeSet::new();
        let sent = self
            .published
            .iter()
            .copied()
            .filter(|one| first.insert(*one));
        let sent: Vec<_> = sent.collect();
        if sent != stored.turns {
            return Err(format!(
                "the events of {:?} were sent as {sent:?}",
                stored.turns
            ));
        }
        let prefix = rows::shards("due");
        let times = self.rows.keys().filter(|key| key.starts_with(&prefix));
        let times: Vec<_> = times
            .filter_map(|key| Some(rows::parse_due(key)?.due))
            .collect();
        match times == stored.due.into_iter().collect::<Vec<_>>() {
            true => Ok(()),
            false => Err(format!(
                "the reminder of {:?} has the times {times:?}",
                stored.due
            )),
        }
    }
}

fn run(seed: u64) -> Result<(), String> {
    World::new(seed)
        .run()
        .map_err(|fault| format!("seed {seed}: {fault}"))
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "who runs the tests says how long"
)]
fn of_two_owners_one_keeps_in_every_schedule() {
    let count = std::env::var("WYTHE_SCHEDULES")
        .ok()
        .and_then(|text| text.parse().ok());
    let faults = (0..count.unwrap_or(SCHEDULES)).filter_map(|seed| run(seed).err());
    let faults: Vec<_> = faults.take(5).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_planted_fault_is_found() {
    for bug in [Bug::NoCondition, Bug::TimeStays, Bug::EventsNotWritten] {
        PLANTED.set(Some(bug));
        let found = (0..SCHEDULES).find_map(|seed| run(seed).err());
        PLANTED.set(None);
        assert!(found.is_some(), "{bug:?} is not found");
    }
}
