//! Durable timers: rows by shard, and there in the order of their time, and one task that waits for the first of them.

use super::Engine;
use crate::workflow::{Timestamp, core::item::Item, now, store::keys};
use crate::{Result, SHARDS, Shard, state::Page};
use futures::{StreamExt, stream};
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

/// The interval of looks, however far the next timer is: another host may have set one, and clocks are set.
const LOOK: Duration = Duration::from_secs(30);
/// The pause before a timer whose instance could not take it is tried again.
const AGAIN: u64 = 10_000;
/// Timers that are delivered at once.
const AT_ONCE: usize = 64;
/// Rows of one page.
const PAGE: u32 = 100;

type Skipped = HashMap<String, Timestamp>;

/// The time before which a shard has no timer, for each of them.
pub(super) struct Heads(Vec<Timestamp>);

impl Heads {
    /// Makes heads of which no shard has a timer.
    pub fn none() -> Self {
        Heads(vec![Timestamp::MAX; SHARDS])
    }

    /// Makes heads of which nothing is known.
    pub fn unknown() -> Self {
        Heads(vec![0; SHARDS])
    }

    pub fn lower(&mut self, shard: Shard, to: Timestamp) {
        let head = &mut self.0[shard.index()];
        *head = to.min(*head);
    }

    fn set(&mut self, shard: Shard, to: Timestamp) {
        self.0[shard.index()] = to;
    }

    fn lower_all(&mut self, to: &Heads) {
        for (shard, head) in Shard::all().zip(&to.0) {
            self.lower(shard, *head);
        }
    }

    fn first(&self) -> Timestamp {
        self.0.iter().copied().min().unwrap_or(Timestamp::MAX)
    }

    /// Shards from `from` on and before `until` have no timers; without an end, all from there on.
    fn clear(&mut self, from: Option<Shard>, until: Option<Shard>) {
        let is_meant = |shard: &Shard| {
            from.is_some_and(|from| *shard >= from) && until.is_none_or(|until| *shard < until)
        };
        for shard in Shard::all().filter(is_meant) {
            self.set(shard, Timestamp::MAX);
        }
    }

    /// The first shard from `from` on that may have a timer whose time has come.
    fn due(&self, from: Option<Shard>, now: Timestamp) -> Option<Shard> {
        let from = from?;
        Shard::all().find(|shard| *shard >= from && self.0[shard.index()] <= now)
    }
}

/// The timers of one host.
struct Timers {
    heads: Heads,
    /// Timers whose instances could not take them, and when they are delivered again.
    skipped: Skipped,
    /// The time of the next look at all shards.
    look: Instant,
}

/// The cursor of a walk over the shards whose timers are due.
struct Cursor {
    shard: Shard,
    cursor: String,
    /// The first timer of the shard that is still to come was seen.
    is_over: bool,
}

impl Cursor {
    fn begin(shard: Shard) -> Self {
        Cursor {
            shard,
            cursor: keys::all_of(keys::WAKE, shard),
            is_over: false,
        }
    }
}

impl Engine {
    pub(super) async fn run_timers(self: Arc<Self>) {
        let mut may_run = self.may_run.subscribe();
        tokio::select! {
            _ = may_run.wait_for(|may_run| *may_run) => {}
            () = async { self.stopping().cancelled().await } => return,
        }
        let mut timers = Timers {
            heads: Heads::unknown(),
            skipped: Skipped::new(),
            look: Instant::now() + LOOK,
        };
        loop {
            let earlier = self.earlier.notified();
            tokio::pin!(earlier);
            earlier.as_mut().enable();
            // Whatever is set while the rows are read rings the bell.
            self.next_wake.store(u64::MAX, Ordering::SeqCst);
            let next = match timers.fire(&self).await {
                Ok(()) => timers.heads.first(),
                Err(error) => {
                    tracing::warn!(tenant = %self.tenant, "timers: {}", error.chain());
                    timers.heads = Heads::unknown();
                    now().saturating_add(1_000)
                }
            };
            self.next_wake.store(next, Ordering::SeqCst);
            let look = timers.look.saturating_duration_since(Instant::now());
            let wait = Duration::from_millis(next.saturating_sub(now())).min(look);
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = earlier => {}
                () = async { self.stopping().cancelled().await } => return,
            }
        }
    }

    /// Delivers these timers, and returns the keys of those that could not be delivered.
    async fn fire_each(self: &Arc<Self>, due: Vec<String>) -> Vec<String> {
        let deliver_item = |key: String| async move {
            let Some(wake) = keys::parse_wake(&key) else {
                return Some(key);
            };
            let item = Item::Fired {
                due: wake.due,
                run: wake.run,
                task: wake.task,
            };
            self.deliver_item(wake.id, item)
                .await
                .is_err()
                .then_some(key)
        };
        let delivered = stream::iter(due)
            .map(deliver_item)
            .buffer_unordered(AT_ONCE);
        delivered
            .filter_map(|failed| async move { failed })
            .collect()
            .await
    }
}

impl Timers {
    /// Tells every timer whose time has come, shard by shard.
    async fn fire(&mut self, engine: &Arc<Engine>) -> Result<()> {
        if Instant::now() >= self.look {
            (self.heads, self.look) = (Heads::unknown(), Instant::now() + LOOK);
        }
        let expected = {
            let mut expected = engine.expected.lock();
            std::mem::replace(&mut *expected, Heads::none())
        };
        self.heads.lower_all(&expected);
        let mut next = self.heads.due(Some(Shard::FIRST), now()).map(Cursor::begin);
        while let Some(cursor) = next.take()
            && !engine.stopping().is_cancelled()
        {
            let (caller, prefix) = (engine.caller(), keys::all(keys::WAKE));
            let page = engine
                .internal_store
                .list(&caller, &prefix, Some(&cursor.cursor), PAGE);
            let page = page.await?;
            let mut due = Vec::new();
            next = self.read(cursor, &page, &mut due);
            for key in engine.fire_each(due).await {
                self.skipped.insert(key, now() + AGAIN);
            }
        }
        self.skipped.retain(|_, until| *until > now());
        for (key, until) in &self.skipped {
            let shard = keys::parse_wake(key).map(|wake| wake.shard);
            self.heads.lower(shard.unwrap_or(Shard::FIRST), *until);
        }
        Ok(())
    }

    /// Finds the timers of a page that are due, and where the next page begins. The page may go on behind its shard.
    fn read(&mut self, mut at: Cursor, page: &Page, due: &mut Vec<String>) -> Option<Cursor> {
        for (key, _) in &page.entries {
            let Some(wake) = keys::parse_wake(key) else {
                continue;
            };
            if wake.shard != at.shard {
                self.close(&at);
                self.heads.clear(at.shard.next(), Some(wake.shard));
                at = Cursor::begin(wake.shard);
            }
            if at.is_over {
                continue;
            }
            if wake.due > now() {
                self.heads.set(wake.shard, wake.due);
                at.is_over = true;
            } else if self.skipped.get(key).is_none_or(|until| *until <= now()) {
                due.push(key.clone());
            }
        }
        let Some(next) = &page.next else {
            self.close(&at);
            self.heads.clear(at.shard.next(), None);
            return None;
        };
        if !at.is_over && next.starts_with(&keys::all_of(keys::WAKE, at.shard)) {
            at.cursor.clone_from(next);
            return Some(at);
        }
        self.close(&at);
        self.heads.due(at.shard.next(), now()).map(Cursor::begin)
    }

    /// All rows of the shard were read.
    fn close(&mut self, at: &Cursor) {
        if !at.is_over {
            self.heads.set(at.shard, Timestamp::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Entry;

    const PAST: Timestamp = 1_000;
    const FUTURE: Timestamp = Timestamp::MAX / 2;

    /// Reads all that has to be read, in pages of so many rows; the timers that are due, and the number of pages.
    fn all(timers: &mut Timers, rows: &[String], limit: usize) -> (Vec<String>, usize) {
        let (mut due, mut pages) = (Vec::new(), 0);
        let mut next = timers
            .heads
            .due(Some(Shard::FIRST), now())
            .map(Cursor::begin);
        while let Some(cursor) = next {
            let rows: Vec<_> = rows.iter().filter(|key| **key > cursor.cursor).collect();
            let entry = |key: &&String| {
                let entry = Entry {
                    value: Default::default(),
                    etag: String::new(),
                    content_type: None,
                    expires: None,
                };
                ((*key).clone(), entry)
            };
            let entries: Vec<_> = rows.iter().take(limit).map(entry).collect();
            let last = entries.last().map(|(key, _)| key.clone());
            let page = Page {
                next: last.filter(|_| rows.len() > limit),
                entries,
            };
            next = timers.read(cursor, &page, &mut due);
            pages += 1;
        }
        (due, pages)
    }

    fn timers() -> Timers {
        Timers {
            heads: Heads::unknown(),
            skipped: Skipped::new(),
            look: Instant::now(),
        }
    }

    fn rows(due: Timestamp, count: usize) -> Vec<String> {
        let row = |n| keys::wake(due, &format!("i{n}"), 1, Some(0));
        let mut rows: Vec<_> = (0..count).map(row).collect();
        rows.sort();
        rows
    }

    #[test]
    fn every_timer_that_is_due_is_found_however_long_the_pages_are() {
        let mut both = [rows(PAST, 700), rows(FUTURE, 900)].concat();
        both.sort();
        for limit in [1, 3, 100, 10_000] {
            let mut timers = timers();
            let (due, _) = all(&mut timers, &both, limit);
            assert_eq!(due, rows(PAST, 700), "{limit}");
            assert_eq!(timers.heads.first(), FUTURE);
        }
    }

    #[test]
    fn shards_without_a_timer_that_is_due_are_not_read_again() {
        let (mut timers, mut rows) = (timers(), rows(FUTURE, 1_000));
        let (_, pages) = all(&mut timers, &[], 100);
        assert_eq!((pages, timers.heads.first()), (1, Timestamp::MAX));
        timers.heads = Heads::unknown();
        all(&mut timers, &rows, 100);
        assert_eq!(all(&mut timers, &rows, 100).1, 0);
        let new = keys::wake(PAST, "new", 1, None);
        rows.push(new.clone());
        rows.sort();
        timers.heads.lower(Shard::of("new"), PAST);
        assert_eq!(all(&mut timers, &rows, 100), (vec![new], 1));
    }
}
