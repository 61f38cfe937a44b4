//! The queue of one app: its rows that are due, from when they are read until their turns are over.

use super::{Scope, page::Segment, walk::Rest};
use crate::{Backoff, Rate, Shard, actors::store::rows, shard::Shards, time::Clock as _};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

/// Rows of an app that wait for a permit; more are read when half of them are gone.
const WAITING: usize = 400;
/// Rows of an app that failed and are remembered; one that is not comes again with the walk over all rows.
pub(super) const FAILED: usize = 10_000;
/// Rows of an app that this host has written itself and remembers until they are due, if that is soon; others are read
/// when it is their time.
pub(super) const EXPECTED: usize = 1_000;
const SOON: Duration = Duration::from_secs(60);
/// The longest pause after a turn that failed, in first pauses.
const LAST_PAUSE: u32 = 60;

pub(super) struct Queue {
    /// The key after which rows are not known yet, by shard.
    cursors: Vec<String>,
    /// The points where a row came meanwhile.
    back: BTreeMap<Shard, String>,
    /// Shards in which there are due rows after the cursor, or were a moment ago.
    behind: Shards,
    /// Shards in which a row of the app's own will be due that is not remembered: they go before others then.
    own: BTreeMap<Shard, Instant>,
    /// Shards of which that has to be found out.
    pub(super) unsure: Shards,
    /// The shard whose turn it is.
    turn: Shard,
    pub(super) waiting: VecDeque<Arc<str>>,
    pub(super) failed: HashMap<Arc<str>, Failed>,
    pub(super) later: BTreeSet<(Instant, Arc<str>)>,
    /// Rows that were not read, and when each is due: they may be gone by then.
    expected: HashMap<Arc<str>, Instant>,
    /// Rows that wait, those that run, those that failed, and those that are expected.
    pub(super) known: HashSet<Arc<str>>,
    pub(super) warnings: Rate,
    pub(super) errors: Rate,
    pub(super) rest: Rest,
}

#[derive(Clone, Copy, Default)]
pub(super) struct Failed {
    pub(super) attempts: u32,
    pauses: u32,
}

/// The way in which the turn of a row ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::actors) enum Outcome {
    /// The row is gone.
    Done,
    Failed,
    /// The host or the store was not able to, which is no attempt.
    Hindered,
}

impl Queue {
    /// Rows that were due before this time are known already.
    pub(super) fn new(known: u64) -> Self {
        Queue {
            cursors: Shard::all()
                .map(|shard| rows::before(shard, known))
                .collect(),
            back: BTreeMap::new(),
            behind: Shards::default(),
            own: BTreeMap::new(),
            unsure: Shards::all(),
            turn: Shard::FIRST,
            waiting: VecDeque::new(),
            failed: HashMap::new(),
            later: BTreeSet::new(),
            expected: HashMap::new(),
            known: HashSet::new(),
            warnings: Rate::per_minute(10),
            errors: Rate::per_minute(60),
            rest: Rest::new(),
        }
    }

    fn cursor(&mut self, shard: Shard) -> &mut String {
        &mut self.cursors[shard.index()]
    }

    pub(super) fn wants(&self) -> bool {
        let is_back = |(shard, back): (&Shard, &String)| *back < self.cursors[shard.index()];
        let is_behind = !self.behind.is_empty() || !self.unsure.is_empty();
        (is_behind || self.back.iter().any(is_back)) && self.waiting.len() <= WAITING / 2
    }

    /// The page to read next: its shard, where it begins, and what it is for. Shards have their turns, and those with a
    /// row of the app's own come first.
    pub(super) fn pick(&mut self, filled: &Shards, now: Instant) -> Option<(Shard, String, Scope)> {
        let is_open = |shard: &Shard| self.behind.has(*shard) || self.unsure.has(*shard);
        let mut own = self.own.iter().filter(|(_, at)| **at <= now);
        let own = own
            .find(|(shard, _)| is_open(shard))
            .map(|(shard, _)| *shard);
        let set = match self.behind.is_empty() {
            false => &self.behind,
            true => &self.unsure,
        };
        let shard = own.or_else(|| set.from(self.turn))?;
        let is_behind = self.behind.has(shard);
        let scope = match filled.has(shard) {
            _ if is_behind => Scope::Shard,
            true => Scope::Glance,
            false => Scope::Around,
        };
        self.turn = shard.next().unwrap_or(Shard::FIRST);
        Some((shard, self.cursor(shard).clone(), scope))
    }

    /// A page that is being read now may not have the rows after this, and yet end behind them.
    pub(super) fn go_back(&mut self, shard: Shard, to: String) {
        let back = self.back.entry(shard).or_insert_with(|| to.clone());
        if to < *back {
            *back = to;
        }
    }

    /// A row after `previous`. Without room for it, the queue's rows are known up to there and no further.
    pub(super) fn file(&mut self, key: &str, shard: Shard, previous: &str) {
        if let Some((key, at)) = self.expected.remove_entry(key) {
            // It waits already, or the clock was set forward.
            if self.later.remove(&(at, key.clone())) {
                self.waiting.push_back(key);
            }
            return;
        }
        if self.known.contains(key) {
            return;
        }
        if self.waiting.len() >= WAITING {
            self.go_back(shard, previous.to_owned());
            return;
        }
        let key: Arc<str> = key.into();
        self.known.insert(key.clone());
        self.waiting.push_back(key);
    }

    pub(super) fn wake(&mut self, now: Instant) {
        while let Some((at, _)) = self.later.first()
            && *at <= now
        {
            let key = self.later.pop_first();
            self.waiting.extend(key.map(|(_, key)| key));
        }
    }

    /// Takes the first row that waits, with whether it was read.
    pub(super) fn take(&mut self) -> Option<(Arc<str>, bool)> {
        let key = self.waiting.pop_front()?;
        let was_read = self.expected.remove(&key).is_none();
        Some((key, was_read))
    }

    /// Remembers a row until it is due, if that is soon and there is room, and returns whether it is known. The clock of
    /// the wall may be set meanwhile: a walk that finds the row due then has it go at once.
    pub(super) fn expect(
        &mut self,
        key: String,
        shard: Shard,
        left: Duration,
        at: Instant,
    ) -> bool {
        if self.known.contains(key.as_str()) {
            return true;
        }
        if left > SOON || self.expected.len() >= EXPECTED {
            let own = self.own.entry(shard).or_insert(at);
            *own = at.min(*own);
            return false;
        }
        let key: Arc<str> = key.into();
        self.known.insert(key.clone());
        self.expected.insert(key.clone(), at);
        self.later.insert((at, key));
        true
    }

    /// Forgets a row that is gone before it is due. One that waits already is found to be gone when it is taken.
    pub(super) fn forget(&mut self, key: &str) {
        let expected = self.expected.get_key_value(key);
        let later = expected.map(|(key, at)| (*at, key.clone()));
        if let Some(later) = later
            && self.later.remove(&later)
        {
            self.expected.remove(key);
            self.known.remove(key);
        }
    }

    pub(super) fn end(&mut self, key: &Arc<str>, outcome: Outcome, first: Duration, now: Instant) {
        let is_kept = self.failed.contains_key(key) || self.failed.len() < FAILED;
        if outcome == Outcome::Done || !is_kept {
            self.failed.remove(key);
            self.known.remove(key);
            return;
        }
        let failed = self.failed.entry(key.clone()).or_default();
        failed.pauses = failed.pauses.saturating_add(1);
        let pause = Backoff::new(first, first * LAST_PAUSE).after(failed.pauses);
        if outcome == Outcome::Failed {
            failed.attempts = failed.attempts.saturating_add(1);
        }
        self.later.insert((now.after(pause), key.clone()));
    }

    pub(super) fn forget_waiting(&mut self) {
        for key in self.waiting.drain(..) {
            self.known.remove(&key);
            self.failed.remove(&key);
            self.expected.remove(&key);
        }
    }

    /// Advances after a part of a page. What came back meanwhile is settled after its last part.
    pub(super) fn advance(&mut self, segment: &Segment, now: Instant) {
        let shard = segment.shard;
        let cursor = self.cursor(shard);
        let (is_known, is_news) = (*cursor >= segment.from, *cursor < segment.last);
        if is_known && is_news {
            cursor.clone_from(&segment.last);
        }
        if is_known && segment.is_over {
            if self.own.get(&shard).is_some_and(|at| *at <= now) {
                self.own.remove(&shard);
            }
            self.unsure.remove(shard);
            self.behind.remove(shard);
        } else if is_known && is_news {
            self.unsure.remove(shard);
            self.behind.insert(shard);
        }
    }

    pub(super) fn settle(&mut self) {
        for (shard, back) in std::mem::take(&mut self.back) {
            let cursor = self.cursor(shard);
            if back < *cursor {
                *cursor = back;
                self.behind.insert(shard);
            }
        }
    }
}
