//! The files that wait for the app: when each was last seen to change, and when it is tried again.

use super::folder::Stamp;
use crate::shared::AGAIN;
use std::{collections::HashMap, time::Duration};
use tokio::time::Instant;

/// A file that has not changed for so long is whole.
pub(super) const QUIET: Duration = Duration::from_millis(500);

/// A file as it was last seen.
#[derive(Clone, Copy, Debug)]
struct File {
    stamp: Stamp,
    /// Time at which it is delivered, or put away.
    due: Instant,
    /// Deliveries, or tries to put it away.
    attempts: u32,
    /// The app has it: all that is left is to put it away.
    taken: bool,
}

/// A file whose turn it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ready {
    pub name: String,
    pub stamp: Stamp,
    /// 1 on the first.
    pub attempt: u32,
    pub taken: bool,
}

/// Files of the directory that were seen.
#[derive(Default)]
pub(super) struct Waiting(HashMap<String, File>);

impl Waiting {
    /// Takes in what a look at the directory found, and says whose turn it is, in the same order.
    pub fn see(&mut self, found: Vec<(String, Stamp)>, now: Instant) -> Vec<Ready> {
        let mut before = std::mem::take(&mut self.0);
        let mut ready = Vec::new();
        for (name, stamp) in found {
            let known = before.remove(&name).filter(|file| file.stamp == stamp);
            let file = known.unwrap_or(File {
                stamp,
                due: now + QUIET,
                attempts: 0,
                taken: false,
            });
            if file.due <= now {
                ready.push(Ready {
                    name: name.clone(),
                    stamp,
                    attempt: file.attempts + 1,
                    taken: file.taken,
                });
            }
            self.0.insert(name, file);
        }
        ready
    }

    /// Returns the time at which the next file is due.
    pub fn next(&self) -> Option<Instant> {
        self.0.values().map(|file| file.due).min()
    }

    /// Puts the next attempt off.
    pub fn failed(&mut self, name: &str, now: Instant) {
        if let Some(file) = self.0.get_mut(name) {
            file.attempts += 1;
            file.due = now + AGAIN.after(file.attempts);
        }
    }

    /// Marks a file as delivered: it is not delivered again, whatever becomes of it.
    pub fn taken(&mut self, name: &str) {
        if let Some(file) = self.0.get_mut(name) {
            file.taken = true;
            file.attempts = 0;
        }
    }

    /// Forgets a file that is gone, or another one by now: the next look says which.
    pub fn forget(&mut self, name: &str) {
        self.0.remove(name);
    }
}
