//! The waiters for locks in this process: a line for each key, first come first served.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use tokio::sync::Notify;

/// Keys that are waited for, and no others.
#[derive(Default)]
pub(super) struct Lines(Mutex<HashMap<String, Entry>>);

struct Entry {
    line: Arc<Line>,
    seats: usize,
}

#[derive(Default)]
struct Line {
    /// Tokio's mutex hands itself on in the order of those who wait for it.
    turn: tokio::sync::Mutex<()>,
    /// Remembers one call, so that a release between a question and the wait for it is not lost.
    freed: Notify,
}

impl Lines {
    pub(super) fn join<'a>(&'a self, key: &'a str) -> Seat<'a> {
        let mut lines = self.lock();
        let entry = lines.entry(key.to_owned()).or_insert_with(|| Entry {
            line: Arc::default(),
            seats: 0,
        });
        entry.seats += 1;
        let line = entry.line.clone();
        Seat {
            lines: self,
            key,
            line,
        }
    }

    pub(super) fn is_waited_for(&self, key: &str) -> bool {
        self.lock().contains_key(key)
    }

    /// Wakes the first of the line.
    pub(super) fn freed(&self, key: &str) {
        if let Some(entry) = self.lock().get(key) {
            entry.line.freed.notify_one();
        }
    }

    #[cfg(test)]
    pub(super) fn seats(&self, key: &str) -> usize {
        self.lock().get(key).map_or(0, |entry| entry.seats)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in a line, given up when it is dropped.
pub(super) struct Seat<'a> {
    lines: &'a Lines,
    key: &'a str,
    line: Arc<Line>,
}

impl Seat<'_> {
    /// Waits for the turn, which the first of the line holds.
    pub(super) async fn turn(&self) -> impl Drop + '_ {
        self.line.turn.lock().await
    }

    /// Waits until the lock may be free, and no longer than until `end`.
    pub(super) async fn freed_or(&self, end: Instant) {
        let _ = tokio::time::timeout_at(end.into(), self.line.freed.notified()).await;
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut lines = self.lines.lock();
        if let Some(entry) = lines.get_mut(self.key) {
            entry.seats -= 1;
            if entry.seats == 0 {
                lines.remove(self.key);
            }
        }
    }
}
