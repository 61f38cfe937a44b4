//! The waiters for locks in this process: a queue for each key, first come first served.

use parking_lot::{Mutex, MutexGuard};
use std::{collections::HashMap, sync::Arc, time::Instant};
use tokio::sync::Notify;

/// Keys that are waited for, and no others.
#[derive(Default)]
pub(super) struct Queues(Mutex<HashMap<String, Entry>>);

struct Entry {
    queue: Arc<Queue>,
    waiters: usize,
}

#[derive(Default)]
struct Queue {
    /// Tokio's mutex hands itself on in the order of those who wait for it.
    turn: tokio::sync::Mutex<()>,
    /// Remembers one call, so that a release between a question and the wait for it is not lost.
    freed: Notify,
}

impl Queues {
    pub(super) fn join<'a>(&'a self, key: &'a str) -> Waiter<'a> {
        let mut queues = self.lock();
        let entry = queues.entry(key.to_owned()).or_insert_with(|| Entry {
            queue: Arc::default(),
            waiters: 0,
        });
        entry.waiters += 1;
        let queue = entry.queue.clone();
        Waiter {
            queues: self,
            key,
            queue,
        }
    }

    pub(super) fn is_waited_for(&self, key: &str) -> bool {
        self.lock().contains_key(key)
    }

    /// Wakes the first of the queue.
    pub(super) fn freed(&self, key: &str) {
        if let Some(entry) = self.lock().get(key) {
            entry.queue.freed.notify_one();
        }
    }

    #[cfg(test)]
    pub(super) fn waiters(&self, key: &str) -> usize {
        self.lock().get(key).map_or(0, |entry| entry.waiters)
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.0.lock()
    }
}

/// One waiter in the queue of a key; it leaves the queue when it is dropped.
pub(super) struct Waiter<'a> {
    queues: &'a Queues,
    key: &'a str,
    queue: Arc<Queue>,
}

impl Waiter<'_> {
    /// Waits for the turn, which the first of the queue holds.
    pub(super) async fn turn(&self) -> impl Drop + '_ {
        self.queue.turn.lock().await
    }

    /// Waits until the lock may be free, and no longer than until `end`.
    pub(super) async fn freed_or(&self, end: Instant) {
        let _ = tokio::time::timeout_at(end.into(), self.queue.freed.notified()).await;
    }
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        let mut queues = self.queues.lock();
        if let Some(entry) = queues.get_mut(self.key) {
            entry.waiters -= 1;
            if entry.waiters == 0 {
                queues.remove(self.key);
            }
        }
    }
}
