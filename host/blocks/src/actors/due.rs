//! A host's knowledge of the reminders that have come due.
//!
//! Each app has a line: the rows that wait for a place, those that failed and wait for their time, and how far its rows
//! are known. So a row is read once, whatever becomes of it, and no app's rows stand before those of another. A walk over
//! all rows, at growing distances, finds those that came where everything was known already: another host's, or those of
//! an app that was not there.

mod line;

pub(super) use line::Outcome;

use super::rows;
use crate::{
    Backoff,
    time::{self, Clock as _},
};
use line::Line;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use wythe_manifest::Name;

/// The longest time without a look, so that rows of other hosts and a clock that was set are noticed.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Time until the second walk over all rows; it doubles with each.
const WALKS: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
/// Age above which a row is left, at the start, to the walk over all rows, so that it does not hold up what is new.
const RECENT: u64 = 60_000;

/// The key after which rows are not known yet; none is before all of them.
type Cursor = Option<String>;

/// Rows that are due, of one tenant.
pub(super) struct Due(Mutex<Board>);

struct Board {
    lines: BTreeMap<Name, Line>,
    all: Walk,
    /// Time when the board was last asked.
    now: Instant,
    /// Time when all lines look for new rows.
    look: Instant,
    /// The app whose rows were read last: each has its turn.
    last: Option<Name>,
    /// Number of times that apps came: a page that was read before is not believed.
    epoch: u64,
    /// Pause after the first failure of a row.
    pause: Duration,
}

/// The walk over all rows.
struct Walk {
    cursor: Cursor,
    is_on: bool,
    again: Instant,
    pause: Backoff,
}

/// A page that is to be read.
pub(super) struct Reading {
    /// The app whose rows are read; absent for the walk over all rows.
    app: Option<Name>,
    pub from: Cursor,
    epoch: u64,
}

impl Due {
    /// `pause` is after the first failure of a row; it doubles with each other one, up to 60 times as long.
    pub fn new(pause: Duration) -> Self {
        Due(Mutex::new(Board {
            lines: BTreeMap::new(),
            all: Walk::new(),
            now: Instant::now(),
            look: Instant::now(),
            last: None,
            epoch: 0,
            pause,
        }))
    }

    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The apps of the tenant are now these: what waits is looked at anew, and all rows are.
    pub fn attach(&self, apps: &BTreeSet<Name>, now: u64) {
        let mut board = self.board();
        board.epoch += 1;
        board.all = Walk::new();
        board
            .lines
            .retain(|app, line| apps.contains(app) || !line.known.is_empty());
        for line in board.lines.values_mut() {
            line.forget_waiting();
        }
        for app in apps {
            let line = || Line::new(before(now.saturating_sub(RECENT)));
            board.lines.entry(app.clone()).or_insert_with(line);
        }
    }

    /// A row of this app was written, or may have been.
    pub fn set(&self, app: &Name, due: u64, now: u64) {
        let mut board = self.board();
        let left = Duration::from_millis(due.saturating_sub(now));
        board.look = board.look.min(time::deadline(left));
        if let Some(line) = board.lines.get_mut(app) {
            line.go_back(before(due));
        }
    }

    /// Rows that begin now, each with its place.
    pub fn begin<P>(
        &self,
        now: Instant,
        place: impl Fn(&Name) -> Option<P>,
    ) -> Vec<(Name, Arc<str>, P)> {
        let mut begun = Vec::new();
        for (app, line) in &mut self.board().lines {
            line.wake(now);
            while !line.waiting.is_empty()
                && let Some(place) = place(app)
            {
                let key = line.waiting.pop_front();
                begun.extend(key.map(|key| (app.clone(), key, place)));
            }
        }
        begun
    }

    /// Tells how many attempts of a row failed so far.
    pub fn attempts(&self, app: &Name, key: &str) -> u32 {
        let board = self.board();
        let line = board.lines.get(app);
        line.and_then(|line| line.failed.get(key))
            .map_or(0, |failed| failed.attempts)
    }

    pub fn end(&self, app: &Name, key: &Arc<str>, outcome: Outcome, now: Instant) {
        let mut board = self.board();
        let first = board.pause;
        if let Some(line) = board.lines.get_mut(app) {
            line.end(key, outcome, first, now);
        }
    }

    /// Says whether a failure of this app may be told, with how many were not.
    pub fn may_warn(&self, app: &Name) -> Option<u64> {
        self.board().lines.get(app)?.warnings.allows()
    }

    /// Says whether an end of attempts of this app may be told, with how many were not.
    pub fn may_tell(&self, app: &Name) -> Option<u64> {
        self.board().lines.get(app)?.errors.allows()
    }

    /// The page that is read next, if one has to be.
    pub fn pick(&self, now: Instant) -> Option<Reading> {
        let mut board = self.board();
        board.wake(now);
        let app = board.next()?;
        for line in board.lines.values_mut() {
            line.settle();
        }
        let from = match &app {
            Some(app) => board.lines.get(app)?.cursor.clone(),
            None => board.all.cursor.clone(),
        };
        board.last.clone_from(&app);
        Some(Reading {
            app,
            from,
            epoch: board.epoch,
        })
    }

    /// Takes up a page: its keys in order, and where the next begins. Answers how many of its keys cannot be read.
    pub fn file(
        &self,
        reading: &Reading,
        keys: &[String],
        next: Cursor,
        owner: impl Fn(&str) -> Option<Name>,
        now: u64,
    ) -> usize {
        let mut board = self.board();
        if board.epoch != reading.epoch {
            return 0;
        }
        let mut page = Page {
            last: reading.from.clone(),
            is_over: next.is_none(),
            left: LOOK,
            unreadable: 0,
        };
        for key in keys {
            match rows::parse_due(key) {
                None => page.unreadable += 1,
                Some((due, ..)) if due > now => {
                    page.left = LOOK.min(Duration::from_millis(due - now));
                    page.is_over = true;
                    break;
                }
                Some((_, kind, ..)) => {
                    let line = owner(kind).and_then(|app| board.lines.get_mut(&app));
                    if let Some(line) = line {
                        line.file(key, &page.last);
                    }
                }
            }
            page.last = Some(key.clone());
        }
        if !page.is_over {
            page.last = page.last.max(next);
        }
        board.end(reading, &page);
        page.unreadable
    }

    /// Tells how long nothing has to be done, unless a turn ends or a reminder is set.
    pub fn pause(&self, now: Instant) -> Duration {
        let mut board = self.board();
        board.wake(now);
        if board.next().is_some() {
            return Duration::ZERO;
        }
        let later = board.lines.values().filter_map(|line| line.later.first());
        let later = later.map(|(at, _)| *at).min().unwrap_or(board.look);
        later
            .min(board.look)
            .min(board.all.again)
            .saturating_duration_since(now)
    }
}

/// Outcome of a page.
struct Page {
    last: Cursor,
    is_over: bool,
    /// Time until the next row is due, as far as is known.
    left: Duration,
    unreadable: usize,
}

impl Board {
    fn wake(&mut self, now: Instant) {
        self.now = now;
        if now >= self.look {
            self.look = now + LOOK;
            for line in self.lines.values_mut() {
                line.is_behind = true;
            }
        }
        if !self.all.is_on && now >= self.all.again {
            self.all.is_on = true;
        }
    }

    /// Chooses whose rows are read next: apps in turn, then the walk over all rows.
    fn next(&self) -> Option<Option<Name>> {
        let wants = |app: &&Name| self.lines.get(*app).is_some_and(Line::wants);
        let is_later = |app: &&Name| self.last.as_ref().is_none_or(|last| *app > last);
        let later = self.lines.keys().filter(is_later).find(wants);
        // After the last app it is the walk's turn, and then the first app's.
        match later {
            Some(app) => Some(Some(app.clone())),
            None if self.all.is_on && self.last.is_some() => Some(None),
            None => match self.lines.keys().find(wants) {
                Some(app) => Some(Some(app.clone())),
                None => self.all.is_on.then_some(None),
            },
        }
    }

    fn end(&mut self, reading: &Reading, page: &Page) {
        for line in self.lines.values_mut() {
            line.advance(&reading.from, page);
        }
        if page.is_over {
            self.look = self.look.min(self.now.after(page.left));
        }
        if reading.app.is_none() {
            self.all.advance(page, self.now);
        }
    }
}

impl Walk {
    fn new() -> Self {
        Walk {
            cursor: None,
            is_on: true,
            again: Instant::now(),
            pause: WALKS,
        }
    }

    fn advance(&mut self, page: &Page, now: Instant) {
        self.cursor.clone_from(&page.last);
        if page.is_over {
            self.cursor = None;
            self.is_on = false;
            self.again = now.after(self.pause.fail());
        }
    }
}

/// Returns the cursor before every row that is due at this time.
fn before(due: u64) -> Cursor {
    Some(format!("{}{due:020}", rows::sort("due")))
}

#[cfg(test)]
mod tests;
