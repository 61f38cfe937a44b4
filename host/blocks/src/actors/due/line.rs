//! The line of one app: its rows that are due, from when they are read until their turns are over.

use super::{Cursor, Page};
use crate::{Backoff, Rate, time::Clock as _};
use std::{
    collections::{BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

/// Rows of an app that wait for a place; more are read when half of them are gone.
const WAITING: usize = 400;
/// Rows of an app that failed and are remembered; one that is not comes again with the walk over all rows.
pub(super) const FAILED: usize = 10_000;
/// The longest pause after a turn that failed, in first pauses.
const LAST_PAUSE: u32 = 60;

pub(super) struct Line {
    pub(super) cursor: Cursor,
    /// The point where a row came meanwhile.
    back: Option<Cursor>,
    /// Says whether there may be due rows after the cursor.
    pub(super) is_behind: bool,
    pub(super) waiting: VecDeque<Arc<str>>,
    pub(super) failed: HashMap<Arc<str>, Failed>,
    pub(super) later: BTreeSet<(Instant, Arc<str>)>,
    /// Rows that wait, those that run, and those that failed.
    pub(super) known: HashSet<Arc<str>>,
    pub(super) warnings: Rate,
    pub(super) errors: Rate,
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

impl Line {
    pub(super) fn new(cursor: Cursor) -> Self {
        Line {
            cursor,
            back: None,
            is_behind: true,
            waiting: VecDeque::new(),
            failed: HashMap::new(),
            later: BTreeSet::new(),
            known: HashSet::new(),
            warnings: Rate::per_minute(10),
            errors: Rate::per_minute(60),
        }
    }

    pub(super) fn wants(&self) -> bool {
        let is_back = self.back.as_ref().is_some_and(|back| *back < self.cursor);
        (self.is_behind || is_back) && self.waiting.len() <= WAITING / 2
    }

    /// A page that is being read now may not have the rows after this, and yet end behind them.
    pub(super) fn go_back(&mut self, to: Cursor) {
        if self.back.as_ref().is_none_or(|back| to < *back) {
            self.back = Some(to);
        }
    }

    /// A row after `previous`. Without room for it, the line's rows are known up to there and no further.
    pub(super) fn file(&mut self, key: &str, previous: &Cursor) {
        if self.known.contains(key) {
            return;
        }
        if self.waiting.len() >= WAITING {
            self.go_back(previous.clone());
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
        }
    }

    /// Advances after a page from `from` on. What came back meanwhile holds.
    pub(super) fn advance(&mut self, from: &Cursor, page: &Page) {
        if self.cursor >= *from {
            self.cursor = self.cursor.take().max(page.last.clone());
            self.is_behind &= !page.is_over;
        }
        self.settle();
    }

    pub(super) fn settle(&mut self) {
        if let Some(back) = self.back.take()
            && back < self.cursor
        {
            self.cursor = back;
            self.is_behind = true;
        }
    }
}
