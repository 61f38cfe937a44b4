//! The clients of the simulated hosts, what was acknowledged to them, and the judgement at the end.

use super::{code, host::From, world::World};
use crate::workflow::{
    core::{
        entry::{Entry, Kind},
        item::Item,
        meta::{Meta, Status},
    },
    store::keys,
};
use std::collections::{BTreeMap, BTreeSet};

/// Instances that clients start.
const INSTANCES: u64 = 5;

#[derive(Default)]
pub(super) struct Clients {
    wanted: BTreeMap<String, Wanted>,
    events: u64,
}

/// An instance that a client wants.
struct Wanted {
    name: &'static str,
    input: u32,
    /// The start was acknowledged.
    is_begun: bool,
    raised: BTreeSet<u64>,
    acknowledged: BTreeSet<u64>,
}

impl Wanted {
    /// Looks at the events that an instance took, and at those of its journal.
    fn judge(&self, id: &str, taken: &[u64], journal: &[u64]) -> Result<(), String> {
        let unique = |events: &[u64]| events.iter().copied().collect::<BTreeSet<_>>();
        let known = unique(&[taken, journal].concat());
        if code::wanted(self.name, self.input) as usize != taken.len() {
            return Err(format!("`{id}` took {taken:?}"));
        }
        if unique(taken).len() < taken.len() || unique(journal).len() < journal.len() {
            return Err(format!("`{id}` has an event twice: {taken:?}, {journal:?}"));
        }
        if let Some(strange) = known.difference(&self.raised).next() {
            return Err(format!("`{id}` has event {strange}, which nobody sent"));
        }
        match self.acknowledged.difference(&known).next() {
            Some(lost) => Err(format!(
                "event {lost} of `{id}` was acknowledged and is lost"
            )),
            None => Ok(()),
        }
    }
}

impl World {
    /// A client starts an instance, or one whose start failed once more.
    pub fn client_starts(&mut self, host: usize) {
        let id = format!("w{}", self.random.below(INSTANCES));
        let names = code::ALL;
        let name = names[self.random.below(names.len() as u64) as usize];
        let input = 1 + self.random.below(4) as u32;
        let wanted = self.clients.wanted.entry(id.clone()).or_insert(Wanted {
            name,
            input,
            is_begun: false,
            raised: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
        });
        let (name, input) = (wanted.name, wanted.input.to_string());
        if wanted.is_begun || self.store.meta(&id).is_some() {
            return self.client_starts_again(host, &id, name, input);
        }
        let begun = self.begin(host, &id, name, input.into(), None);
        let is_there = self.store.meta(&id).is_some();
        if let Some(Ok(())) = begun {
            if !is_there {
                self.faults
                    .push(format!("`{id}` is acknowledged and not there"));
            }
            let wanted = self.clients.wanted.get_mut(&id).expect("it is wanted");
            wanted.is_begun = true;
        }
    }

    /// An instance that is there, whatever its start was told. One that has ended is started once more under its id.
    fn client_starts_again(&mut self, host: usize, id: &str, name: &str, input: String) {
        if code::wanted(name, 1) == 0 && self.has_ended(id) && self.random.one_in(3) {
            // Whether that begins is the store's business; what begins must end.
            let _ = self.begin(host, id, name, input.into(), None);
        }
    }

    pub fn client_raises(&mut self, host: usize) {
        let wanted = self.clients.wanted.iter();
        let hearing = wanted.filter(|(_, wanted)| code::wanted(wanted.name, wanted.input) > 0);
        let ids: Vec<_> = hearing.map(|(id, _)| id.clone()).collect();
        if let Some(id) = self.random.pick(&ids).cloned() {
            self.raise(host, &id);
        }
    }

    fn raise(&mut self, host: usize, id: &str) {
        self.clients.events += 1;
        let number = self.clients.events;
        if let Some(wanted) = self.clients.wanted.get_mut(id) {
            wanted.raised.insert(number);
        }
        let item = Item::Event {
            name: "more".to_owned(),
            data: format!("{number},").into(),
        };
        self.hosts[host].post(id, item, From::Event(number));
    }

    /// An operator suspends or resumes.
    pub fn client_holds(&mut self, host: usize) {
        let id = format!("w{}", self.random.below(INSTANCES));
        let reason = String::new();
        let item = match self.random.one_in(2) {
            true => Item::Suspend { reason },
            false => Item::Resume { reason },
        };
        self.hosts[host].post(&id, item, From::Order);
    }

    pub fn client_resumes(&mut self) {
        let held = self.metas().filter(|meta| meta.status == Status::Suspended);
        for id in held.map(|meta| meta.id).collect::<Vec<_>>() {
            let reason = String::new();
            let host = self.living();
            self.hosts[host].post(&id, Item::Resume { reason }, From::Order);
        }
    }

    /// Gives events to those that wait for more.
    pub fn client_feeds(&mut self) {
        for meta in self.metas().collect::<Vec<_>>() {
            let wanted = self.clients.wanted.get(&meta.id);
            let hears = wanted.is_some_and(|one| code::wanted(one.name, one.input) > 0);
            if hears && meta.status == Status::Running && self.waits_for_event(&meta) {
                let host = self.living();
                self.raise(host, &meta.id);
            }
        }
    }

    /// Returns whether the code has asked for more events than there are.
    fn waits_for_event(&mut self, meta: &Meta) -> bool {
        let journal = self.journal(meta);
        let asked = |entry: &&Entry| matches!(&entry.kind, Kind::EventWaited { name, .. } if name == "more");
        let had = |entry: &&Entry| matches!(entry.kind, Kind::EventReceived { .. });
        journal.iter().filter(asked).count() > journal.iter().filter(had).count()
    }

    /// An event is acknowledged, and has to be in the journal.
    pub fn event_is_persisted(&mut self, id: &str, number: u64) {
        let events = self.events_of(id);
        let is_taken =
            self.has_ended(id) || self.store.meta(id).is_some_and(|(meta, _)| meta.run > 1);
        if !events.contains(&number) && !is_taken {
            self.faults.push(format!(
                "event {number} of `{id}` is acknowledged and not there"
            ));
        }
        if let Some(wanted) = self.clients.wanted.get_mut(id) {
            wanted.acknowledged.insert(number);
        }
    }

    /// Events of the journal of an instance, in order.
    fn events_of(&mut self, id: &str) -> Vec<u64> {
        let Some((meta, _)) = self.store.meta(id) else {
            return Vec::new();
        };
        let entries = self.journal(&meta).into_iter();
        let events = entries.filter(|entry| matches!(entry.kind, Kind::EventReceived { .. }));
        events.flat_map(|entry| numbers(&entry.payload)).collect()
    }

    /// Looks whether everything came to what it must.
    pub fn judge(&mut self) -> Result<(), String> {
        for meta in self.metas().collect::<Vec<_>>() {
            let journal = self.journal(&meta);
            check_tasks(&meta, &journal)?;
            self.judge_one(&meta, &journal)?;
        }
        let begun = self
            .clients
            .wanted
            .iter()
            .filter(|(_, wanted)| wanted.is_begun);
        match begun
            .map(|(id, _)| id)
            .find(|id| self.store.meta(id).is_none())
        {
            Some(id) => Err(format!("`{id}` was acknowledged and is gone")),
            None => self.rows_are_gone(),
        }
    }

    fn judge_one(&mut self, meta: &Meta, journal: &[Entry]) -> Result<(), String> {
        let id = &meta.id;
        let text = |entry: Option<&Entry>| {
            let payload = entry.map(|entry| entry.payload.clone()).unwrap_or_default();
            String::from_utf8_lossy(&payload).into_owned()
        };
        if meta.status != Status::Completed {
            let (name, status, failure) = (&meta.name, meta.status, &meta.failure);
            return Err(format!("`{id}` of {name} is {status}: {failure:?}"));
        }
        let output = text(journal.last());
        let events = self.events_of(id);
        let Some(wanted) = self.clients.wanted.get(id) else {
            let input = text(journal.first()).parse().unwrap_or_default();
            return is(id, &output, &code::model(&meta.name, input, ""));
        };
        let taken = match wanted.name {
            "events" | "anew" => output.clone(),
            _ => events
                .first()
                .map_or(String::new(), |first| format!("{first},")),
        };
        is(id, &output, &code::model(wanted.name, wanted.input, &taken))?;
        wanted.judge(id, &numbers(taken.as_bytes()), &events)
    }

    /// Looks for rows that are left of instances that have ended.
    fn rows_are_gone(&self) -> Result<(), String> {
        let sorts = [keys::ENDED, keys::WAKE];
        let rows = sorts
            .iter()
            .flat_map(|sort| self.store.list(&keys::all(sort)));
        match rows.map(|(key, _)| key).next() {
            Some(key) => Err(format!("`{key}` is left")),
            None => Ok(()),
        }
    }
}

/// Each task completes once.
fn check_tasks(meta: &Meta, journal: &[Entry]) -> Result<(), String> {
    let mut completed = BTreeSet::new();
    for entry in journal {
        let is_end = matches!(
            entry.kind,
            Kind::ActivityCompleted { .. }
                | Kind::ActivityFailed { .. }
                | Kind::ChildCompleted { .. }
                | Kind::ChildFailed { .. }
                | Kind::TimerFired { .. }
        );
        if is_end && !completed.insert(entry.kind.task()) {
            let task = entry.kind.task();
            return Err(format!("task {task:?} of `{}` completed twice", meta.id));
        }
    }
    Ok(())
}

fn numbers(data: &[u8]) -> Vec<u64> {
    let text = String::from_utf8_lossy(data);
    text.split(',')
        .filter_map(|number| number.parse().ok())
        .collect()
}

fn is(id: &str, output: &str, model: &str) -> Result<(), String> {
    match output == model {
        true => Ok(()),
        false => Err(format!("`{id}` ended with {output}, and not with {model}")),
    }
}
