//! A simulated host: it does what the engine does with instances, in the order that the schedule says.

use super::{code, jobs::Job, world::World};
use crate::{
    Error, Kind, Result,
    state::{Condition, Delete, Operation},
    time::milliseconds,
    workflow::{
        Limits, Timestamp,
        core::{
            entry::{Entry, origin},
            item::{Effect, Item},
            machine::{
                Machine,
                commit::Next,
                step::{AfterStep, Answer, Step},
            },
            meta::Meta,
            peers::HostId,
            row::Row,
        },
        store::{commit, keys, rows},
    },
};
use futures::{FutureExt, future::BoxFuture};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const TENANT: &str = "default";

/// An instance in memory.
pub(super) struct Hot {
    machine: Machine,
    code: Option<BoxFuture<'static, Answer>>,
}

/// The one who hears what became of a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum From {
    Nudge,
    Event(u64),
    Order,
    /// A job whose result it is.
    Job(String),
    /// The end of a child.
    Ended,
    Timer(String),
}

#[derive(Clone)]
pub(super) struct Message {
    pub item: Item,
    pub from: From,
}

pub(super) struct Host {
    pub id: HostId,
    pub is_up: bool,
    /// It has taken up what it found, and no other host has gone since.
    pub is_recovered: bool,
    hot: BTreeMap<String, Hot>,
    pub inbox: BTreeMap<String, Vec<Message>>,
    /// Messages that are told again at their time.
    later: Vec<(Timestamp, String, Message)>,
    pub jobs: BTreeMap<String, Job>,
    timers: BTreeSet<String>,
    /// Instances of which a commit may be kept or not.
    doubtful: BTreeSet<String>,
}

impl Host {
    pub fn down(id: HostId) -> Self {
        Host {
            id,
            is_up: false,
            is_recovered: false,
            hot: BTreeMap::new(),
            inbox: BTreeMap::new(),
            later: Vec::new(),
            jobs: BTreeMap::new(),
            timers: BTreeSet::new(),
            doubtful: BTreeSet::new(),
        }
    }

    pub fn is_quiet(&self) -> bool {
        !self.is_up || self.is_recovered && self.inbox.is_empty() && self.jobs.is_empty()
    }

    pub fn post(&mut self, id: &str, item: Item, from: From) {
        let inbox = self.inbox.entry(id.to_owned()).or_default();
        inbox.push(Message { item, from });
    }
}

impl World {
    pub fn deliver_end(
        &mut self,
        host: usize,
        id: &str,
        (run, task): (u32, u32),
        value: bytes::Bytes,
    ) {
        let (kind, payload) = crate::workflow::core::item::end_of_child(task, &value);
        let item = Item::Completed {
            row: Row::Ended { run, task },
            run,
            kind,
            payload,
        };
        self.hosts[host].post(id, item, From::Ended);
    }

    /// Tells every timer that is due, unless it is being told.
    pub fn fire_timers(&mut self, host: usize) {
        if self.read_fails() {
            return;
        }
        let now = self.now();
        for (key, _) in self.store.list(&keys::all(keys::WAKE)) {
            let wake = keys::parse_wake(&key).expect("a key");
            if wake.due <= now && self.hosts[host].timers.insert(key.clone()) {
                let item = Item::Fired {
                    due: wake.due,
                    run: wake.run,
                    task: wake.task,
                };
                self.hosts[host].post(wake.id, item, From::Timer(key.clone()));
            }
        }
    }

    /// An instance leaves memory.
    pub fn forget(&mut self, host: usize) {
        let ids: Vec<_> = self.hosts[host].hot.keys().cloned().collect();
        if let Some(id) = self.random.pick(&ids) {
            self.hosts[host].hot.remove(id);
        }
    }

    /// An instance takes some of what it was told.
    pub fn work(&mut self, host: usize) {
        let now = self.now();
        let at = &mut self.hosts[host];
        let (due, later) = std::mem::take(&mut at.later)
            .into_iter()
            .partition(|(at, ..)| *at <= now);
        at.later = later;
        let due: Vec<(Timestamp, String, Message)> = due;
        for (_, id, message) in due {
            at.post(&id, message.item, message.from);
        }
        let ids: Vec<_> = at.inbox.keys().cloned().collect();
        let Some(id) = self.random.pick(&ids).cloned() else {
            return;
        };
        let inbox = self.hosts[host].inbox.remove(&id).unwrap_or_default();
        let limit = 1 + self.random.below(inbox.len() as u64) as usize;
        let (batch, rest) = inbox.split_at(limit.min(inbox.len()));
        if !rest.is_empty() {
            self.hosts[host].inbox.insert(id.clone(), rest.to_vec());
        }
        self.step(host, &id, batch.to_vec());
    }

    fn step(&mut self, host: usize, id: &str, batch: Vec<Message>) {
        let hot = match self.hosts[host].hot.remove(id) {
            Some(hot) => hot,
            None if self.read_fails() => {
                let away = Error::unavailable("the store is away");
                return self.answer(host, id, batch, &Err(away));
            }
            None => match self.load(host, id) {
                Some(hot) => hot,
                None => return self.rest(host, id, batch),
            },
        };
        self.advance(host, id, hot, batch);
    }

    /// Reads an instance; none where it is not there or has ended.
    fn load(&mut self, host: usize, id: &str) -> Option<Hot> {
        let (meta, version) = self.store.meta(id)?;
        if meta.status.has_ended() {
            if self.hosts[host].doubtful.remove(id)
                && let Some(parent) = meta.parent
                && let Some((value, _)) = self.store.get(&keys::end_of(&parent))
            {
                self.deliver_end(host, &parent.instance, (parent.run, parent.task), value);
            }
            return None;
        }
        let entries = self.journal(&meta);
        let limits = Limits::default();
        let machine = Machine::new((meta, version), entries, limits, self.clock());
        if self.hosts[host].doubtful.remove(id) {
            let effects = machine.open();
            self.run_effects(host, &machine.meta.clone(), effects);
        }
        Some(Hot {
            machine,
            code: None,
        })
    }

    /// The entries of the record's run, each of which has to fit the one before.
    pub fn journal(&mut self, meta: &Meta) -> Vec<Entry> {
        let (mut entries, mut hash) = (Vec::new(), origin(TENANT, &meta.id, meta.run));
        for index in 0..meta.next {
            let persisted = self.store.get(&keys::entry(&meta.id, meta.run, index));
            match persisted.and_then(|(persisted, _)| Entry::decode(&persisted, &hash, index)) {
                Some((entry, next)) => {
                    entries.push(entry);
                    hash = next;
                }
                None => {
                    self.faults
                        .push(format!("entry {index} of `{}` does not fit", meta.id));
                    break;
                }
            }
        }
        entries
    }

    fn advance(&mut self, host: usize, id: &str, mut hot: Hot, batch: Vec<Message>) {
        let mut waiting = Vec::new();
        for message in batch {
            if hot.machine.meta.status.has_ended() {
                self.hosts[host].post(id, message.item, message.from);
                continue;
            }
            let from = message.from.clone();
            match hot.machine.accept(message.item.clone()) {
                Ok(()) => waiting.push(message),
                Err(error) => self.answer(host, id, vec![Message { from, ..message }], &Err(error)),
            }
        }
        let Some(persisted) = self.run_code(host, &mut hot) else {
            return;
        };
        let persisted = match persisted {
            Ok(()) => match self.flush(host, &mut hot) {
                Some(persisted) => persisted,
                None => return,
            },
            failed => failed,
        };
        if persisted.is_err() {
            self.hosts[host].doubtful.insert(id.to_owned());
            let again = self.now() + 1_000;
            let nudge = Message {
                item: Item::Run,
                from: From::Nudge,
            };
            self.hosts[host].later.push((again, id.to_owned(), nudge));
        } else if hot.code.is_some() && hot.machine.may_wait() {
            self.hosts[host].hot.insert(id.to_owned(), hot);
        }
        self.answer(host, id, waiting, &persisted);
    }

    /// Runs the code to its next wait. None where the host died.
    fn run_code(&mut self, host: usize, hot: &mut Hot) -> Option<Result<()>> {
        if !hot.machine.may_wait() {
            hot.code = None;
        }
        if !hot.machine.wants_to_run(None) {
            return Some(Ok(()));
        }
        let persisted = hot.machine.context.lock().entries.len();
        let mut running = match hot.code.take() {
            Some(code) => {
                hot.machine.context.go_on();
                code
            }
            None => {
                let (context, input) = hot.machine.begin_code();
                code::begin(&hot.machine.meta.name, context, input)
            }
        };
        let step = match (&mut running).now_or_never() {
            Some(answer) => Step::Returned(answer),
            None => Step::Waits,
        };
        let waits = matches!(step, Step::Waits);
        let after = hot.machine.stepped(persisted, step, None);
        hot.code = (waits && hot.machine.may_wait()).then_some(running);
        let AfterStep::Anew(input) = after else {
            return Some(Ok(()));
        };
        let flushed = self.flush(host, hot)?;
        if flushed.is_err() {
            return Some(flushed);
        }
        let seed = self.random.next().into();
        Some(hot.machine.begin_anew(TENANT, input, seed, None))
    }

    fn flush(&mut self, host: usize, hot: &mut Hot) -> Option<Result<()>> {
        loop {
            let commit = match hot.machine.next() {
                Ok(None) => return Some(Ok(())),
                Ok(Some(Next::Run(effects))) => {
                    self.run_effects(host, &hot.machine.meta.clone(), effects);
                    continue;
                }
                Ok(Some(Next::Write(commit))) => commit,
                Err(error) => return Some(Err(error)),
            };
            let operations = commit::operations(&commit, Some(self.hosts[host].id))
                .expect("a commit is encoded");
            match self.write(host, &operations)? {
                Ok(version) => hot.machine.committed(commit, version),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    fn run_effects(&mut self, host: usize, meta: &Meta, effects: Vec<Effect>) {
        let id = &meta.id;
        for effect in effects {
            match effect {
                Effect::Start { run, asked } => self.start(host, meta, run, &asked),
                Effect::Expect(_) | Effect::Ring | Effect::Leave => {}
                Effect::AnswerParent(parent, value) => {
                    let place = (parent.run, parent.task);
                    self.deliver_end(host, &parent.instance, place, value);
                }
                Effect::Clear { run, with_journal } => self.clear(host, id, run, with_journal),
                Effect::Again(pause) => {
                    let at = self.now() + milliseconds(pause);
                    let nudge = Message {
                        item: Item::Run,
                        from: From::Nudge,
                    };
                    self.hosts[host].later.push((at, id.clone(), nudge));
                }
            }
        }
    }

    fn clear(&mut self, host: usize, id: &str, run: u32, with_journal: bool) {
        let mut prefixes = vec![keys::works(id, run)];
        prefixes.extend(with_journal.then(|| keys::history(id, run)));
        for prefix in prefixes {
            let rows = self.store.list(&prefix).into_iter();
            let deletes: Vec<Operation> = rows.map(|(key, _)| rows::delete(key)).collect();
            if self.write(host, &deletes).is_none() {
                return;
            }
        }
    }

    /// Answers for an instance whose code cannot run any more.
    fn rest(&mut self, host: usize, id: &str, batch: Vec<Message>) {
        for message in batch {
            let row = match message.item {
                Item::Run => Some(Row::Ready),
                ref item => item.row(),
            };
            let answer = match row {
                Some(Row::Ready) => self.forget_ready(host, id),
                Some(row) => {
                    let delete = rows::delete(keys::of(id, &row));
                    self.write(host, &[delete])
                }
                None => Some(Err(Error::conflict("it has ended"))),
            };
            let Some(answer) = answer else {
                return;
            };
            self.answer(host, id, vec![message], &answer.map(drop));
        }
    }

    fn forget_ready(&mut self, host: usize, id: &str) -> Option<Result<String>> {
        let key = keys::ready(id);
        let Some((_, version)) = self.store.get(&key) else {
            return Some(Ok(String::new()));
        };
        let condition = Condition::Matches(version);
        let key = key.into();
        let written = self.write(host, &[Operation::Delete(Delete { key, condition })])?;
        Some(written.or_else(|error| match error.kind() {
            Kind::Conflict => Ok(String::new()),
            _ => Err(error),
        }))
    }

    /// Tells what became of messages. Those that have to be told until they are kept come again.
    fn answer(&mut self, host: usize, id: &str, batch: Vec<Message>, persisted: &Result<()>) {
        for message in batch {
            let is_persisted = persisted.is_ok();
            match &message.from {
                From::Event(number) if is_persisted => self.event_is_persisted(id, *number),
                From::Job(key) if is_persisted => {
                    self.hosts[host].jobs.remove(key);
                }
                From::Timer(key) => {
                    self.hosts[host].timers.remove(key);
                }
                From::Nudge | From::Job(_) | From::Ended if !is_persisted => {
                    let at = self.now() + 1_000;
                    self.hosts[host].later.push((at, id.to_owned(), message));
                }
                _ => {}
            }
        }
    }
}
