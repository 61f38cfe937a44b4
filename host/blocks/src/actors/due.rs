//! A host's knowledge of the reminders that have come due.
//!
//! Each app has a queue: the rows that wait for a permit, those that failed and wait for their time, and how far its rows
//! are known in each shard. So a row is read once, whatever becomes of it, and no app's rows stand before those of
//! another; the shards have their turns, so that none waits for all rows of another. A walk over all rows, at growing
//! distances, finds those that came where everything was known already: another host's, or those of an app that was not
//! there. Rows that this host writes, and that are due soon, are remembered and not read at all.

mod page;
mod queue;
mod walk;

pub(super) use queue::Outcome;

use super::{core::names::Actor, store::rows};
use crate::{SHARDS, Shard, shard::Shards, time};
use page::Segment;
use parking_lot::{Mutex, MutexGuard};
use queue::Queue;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::{Duration, Instant},
};
use walk::Walk;
use wythe_manifest::Name;

/// The longest time without a look, so that rows of other hosts and a clock that was set are noticed. Where many shards
/// have rows, it is as much longer as it takes to look at no more than so many of them in each.
pub(super) const LOOK: Duration = Duration::from_secs(1);
const SHARDS_A_LOOK: u32 = 32;
/// Age above which a row is left, at the start, to the walk over all rows, so that it does not hold up what is new.
const RECENT: u64 = 60_000;
/// Rows of a page, and of one that only looks whether there are any.
const PAGE: u32 = 200;
const GLANCE: u32 = 2;

/// Rows that are due, of one tenant.
pub(super) struct Due(Mutex<Schedule>);

struct Schedule {
    queues: BTreeMap<Name, Queue>,
    all: Walk,
    /// Time when the schedule was last asked.
    now: Instant,
    /// Time when all queues look for new rows, by shard.
    looks: Vec<Instant>,
    /// Shards that have rows, due or not, as far as is known.
    filled: Shards,
    /// The app whose rows were read last: each has its turn.
    last: Option<Name>,
    /// Number of times that apps came: a page that was read before is not believed.
    epoch: u64,
    /// Pause after the first failure of a row.
    pause: Duration,
}

/// A row whose turn begins.
pub(super) struct Begun<P> {
    pub app: Name,
    pub key: Arc<str>,
    /// False where the row was remembered: it may be gone, or another host's replacement may be in its place.
    pub was_read: bool,
    pub permit: P,
}

/// A page that is to be read.
pub(super) struct Reading {
    /// The app whose rows are read; absent for the walk over all rows.
    app: Option<Name>,
    shard: Shard,
    /// The key after which the page begins.
    pub from: String,
    scope: Scope,
    epoch: u64,
}

/// The rows that a page may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Those of one shard.
    Shard,
    /// A few of one shard, to see whether there are any.
    Glance,
    /// A few of a shard that had none, and of those after it.
    Around,
    /// Those of all shards.
    All,
}

impl Reading {
    pub fn prefix(&self) -> String {
        match self.scope {
            Scope::Shard | Scope::Glance => rows::shard_of("due", self.shard),
            Scope::Around | Scope::All => rows::shards("due"),
        }
    }

    pub fn limit(&self) -> u32 {
        match self.scope {
            Scope::Shard | Scope::All => PAGE,
            Scope::Glance | Scope::Around => GLANCE,
        }
    }

    /// Returns whether the page goes on behind its shard.
    fn is_wide(&self) -> bool {
        matches!(self.scope, Scope::Around | Scope::All)
    }
}

impl Due {
    /// `pause` is after the first failure of a row; it doubles with each other one, up to 60 times as long.
    pub fn new(pause: Duration) -> Self {
        Due(Mutex::new(Schedule {
            queues: BTreeMap::new(),
            all: Walk::new(),
            now: Instant::now(),
            looks: vec![Instant::now(); SHARDS],
            filled: Shards::default(),
            last: None,
            epoch: 0,
            pause,
        }))
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.0.lock()
    }

    /// The apps of the tenant are now these: what waits is looked at anew, and all rows are.
    pub fn attach(&self, apps: &BTreeSet<Name>, now: u64) {
        let mut schedule = self.schedule();
        schedule.epoch += 1;
        schedule.all = Walk::new();
        schedule
            .queues
            .retain(|app, queue| apps.contains(app) || !queue.known.is_empty());
        for queue in schedule.queues.values_mut() {
            queue.forget_waiting();
        }
        for app in apps {
            let queue = || Queue::new(now.saturating_sub(RECENT));
            schedule.queues.entry(app.clone()).or_insert_with(queue);
        }
    }

    /// Counts by app: the rows that are due and wait for a permit, those that failed and come again, and all that are known.
    pub fn counts(&self) -> Vec<(Name, [usize; 3])> {
        let schedule = self.schedule();
        let queues = schedule.queues.iter();
        let counts = queues.map(|(app, queue)| {
            let counts = [queue.waiting.len(), queue.failed.len(), queue.known.len()];
            (app.clone(), counts)
        });
        counts.collect()
    }

    /// A row of this app was written, or may have been.
    pub fn set(&self, app: &Name, actor: &Actor, name: &str, due: u64, now: u64) {
        let mut schedule = self.schedule();
        let left = Duration::from_millis(due.saturating_sub(now));
        let (shard, at) = (actor.shard(), time::deadline(left));
        let queue = schedule.queues.get_mut(app);
        let is_known = queue.is_some_and(|queue| {
            queue.go_back(shard, rows::before(shard, due));
            queue.expect(rows::due(actor, name, due), shard, left, at)
        });
        if !is_known {
            schedule.look_after(shard, at);
        }
    }

    /// A row of this app is gone.
    pub fn forget(&self, app: &Name, actor: &Actor, name: &str, due: u64) {
        if let Some(queue) = self.schedule().queues.get_mut(app) {
            queue.forget(&rows::due(actor, name, due));
        }
    }

    /// Rows that begin now, each with its permit.
    pub fn begin<P>(&self, now: Instant, permit: impl Fn(&Name) -> Option<P>) -> Vec<Begun<P>> {
        let mut begun = Vec::new();
        for (app, queue) in &mut self.schedule().queues {
            queue.wake(now);
            while !queue.waiting.is_empty()
                && let Some(permit) = permit(app)
            {
                begun.extend(queue.take().map(|(key, was_read)| Begun {
                    app: app.clone(),
                    key,
                    was_read,
                    permit,
                }));
            }
        }
        begun
    }

    /// Tells how many attempts of a row failed so far.
    pub fn attempts(&self, app: &Name, key: &str) -> u32 {
        let schedule = self.schedule();
        let queue = schedule.queues.get(app);
        queue
            .and_then(|queue| queue.failed.get(key))
            .map_or(0, |failed| failed.attempts)
    }

    pub fn end(&self, app: &Name, key: &Arc<str>, outcome: Outcome, now: Instant) {
        let mut schedule = self.schedule();
        let first = schedule.pause;
        if let Some(queue) = schedule.queues.get_mut(app) {
            queue.end(key, outcome, first, now);
        }
    }

    /// Returns whether a failure of this app may be logged, with the number that was left out.
    pub fn may_warn(&self, app: &Name) -> Option<u64> {
        self.schedule().queues.get(app)?.warnings.allows()
    }

    /// Returns whether an end of attempts of this app may be logged, with the number that was left out.
    pub fn may_report(&self, app: &Name) -> Option<u64> {
        self.schedule().queues.get(app)?.errors.allows()
    }

    /// The page that is read next, if one has to be.
    pub fn pick(&self, now: Instant) -> Option<Reading> {
        let mut schedule = self.schedule();
        schedule.wake(now);
        let app = schedule.next(now)?;
        for queue in schedule.queues.values_mut() {
            queue.settle();
        }
        schedule.last.clone_from(&app);
        let (epoch, filled) = (schedule.epoch, schedule.filled);
        let (shard, from, scope) = match &app {
            Some(app) => schedule.queues.get_mut(app)?.pick(&filled, now)?,
            None => (schedule.all.shard, schedule.all.cursor.clone(), Scope::All),
        };
        Some(Reading {
            app,
            shard,
            from,
            scope,
            epoch,
        })
    }

    /// A page was read for whom it was picked, which took so long.
    pub fn took(&self, reading: &Reading, took: Duration, now: Instant) {
        let mut schedule = self.schedule();
        let rest = match &reading.app {
            Some(app) => schedule.queues.get_mut(app).map(|queue| &mut queue.rest),
            None => Some(&mut schedule.all.rest),
        };
        if let Some(rest) = rest {
            rest.add(took, now);
        }
    }

    /// Takes up a page: its keys in order, and where the next begins. Answers how many of its keys cannot be read.
    pub fn file(
        &self,
        reading: &Reading,
        keys: &[String],
        next: Option<&str>,
        owner: impl Fn(&str) -> Option<Name>,
        now: u64,
    ) -> usize {
        let mut schedule = self.schedule();
        if schedule.epoch != reading.epoch {
            return 0;
        }
        let file = |app: &str, key: &str, shard, previous: &str| {
            let queue = owner(app).and_then(|app| schedule.queues.get_mut(&app));
            if let Some(queue) = queue {
                queue.file(key, shard, previous);
            }
        };
        let page = page::read(reading, keys, next, now, file);
        for segment in &page.segments {
            schedule.end(segment);
        }
        for queue in schedule.queues.values_mut() {
            queue.settle();
        }
        if reading.app.is_none() {
            let now = schedule.now;
            schedule.all.advance(&page.segments, next, now);
        }
        page.unreadable
    }

    /// Tells how long nothing has to be done, unless a turn ends or a reminder is set.
    pub fn pause(&self, now: Instant) -> Duration {
        let mut schedule = self.schedule();
        schedule.wake(now);
        if schedule.next(now).is_some() {
            return Duration::ZERO;
        }
        let queues = schedule.queues.values();
        let later = queues.clone().filter_map(|queue| queue.later.first());
        let rests = queues.filter(|queue| queue.wants());
        let times = later.map(|(at, _)| *at);
        let times = times.chain(rests.map(|queue| queue.rest.until(now)));
        let first = times.chain(schedule.looks.iter().copied()).min();
        let walk = match schedule.all.is_on {
            true => schedule.all.rest.until(now),
            false => schedule.all.again,
        };
        let first = first.unwrap_or(now + LOOK).min(walk);
        first.saturating_duration_since(now)
    }
}

impl Schedule {
    fn wake(&mut self, now: Instant) {
        self.now = now;
        let far = self.far();
        for (shard, look) in Shard::all().zip(&mut self.looks) {
            if now >= *look {
                *look = now + far;
                for queue in self.queues.values_mut() {
                    queue.unsure.insert(shard);
                }
            }
        }
        if !self.all.is_on && now >= self.all.again {
            self.all.is_on = true;
        }
    }

    /// The time until a shard is looked at again.
    fn far(&self) -> Duration {
        LOOK * (1 + self.filled.len() / SHARDS_A_LOOK)
    }

    fn look_after(&mut self, shard: Shard, at: Instant) {
        let look = &mut self.looks[shard.index()];
        *look = at.min(*look);
    }

    /// Chooses whose rows are read next: apps in turn, then the walk over all rows.
    fn next(&self, now: Instant) -> Option<Option<Name>> {
        let may = |queue: &Queue| queue.rest.is_over(now) && queue.wants();
        let wants = |app: &&Name| self.queues.get(*app).is_some_and(may);
        let walks = self.all.is_on && self.all.rest.is_over(now);
        let is_later = |app: &&Name| self.last.as_ref().is_none_or(|last| *app > last);
        let later = self.queues.keys().filter(is_later).find(wants);
        // After the last app it is the walk's turn, and then the first app's.
        match later {
            Some(app) => Some(Some(app.clone())),
            None if walks && self.last.is_some() => Some(None),
            None => match self.queues.keys().find(wants) {
                Some(app) => Some(Some(app.clone())),
                None => walks.then_some(None),
            },
        }
    }

    fn end(&mut self, segment: &Segment) {
        for queue in self.queues.values_mut() {
            queue.advance(segment, self.now);
            if !queue.wants() {
                queue.rest.pace.end();
            }
        }
        match segment.is_filled() {
            Some(true) => self.filled.insert(segment.shard),
            Some(false) => self.filled.remove(segment.shard),
            None => {}
        }
        if segment.is_over {
            let left = segment.left.unwrap_or(Duration::MAX).min(self.far());
            self.look_after(segment.shard, self.now + left);
        }
    }
}

#[cfg(test)]
mod tests;
