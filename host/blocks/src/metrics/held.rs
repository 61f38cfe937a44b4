//! Stretches in which a call held a worker for too long, and when the log said so last.

use parking_lot::Mutex;
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The shortest time between two log lines of an app about one thing.
const REPORT_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Stretches {
    count: AtomicU64,
    reported: Mutex<Option<Instant>>,
}

impl Stretches {
    /// Counts one. True where the log is to say so: once in 10 s.
    pub fn count(&self) -> bool {
        self.count.fetch_add(1, Relaxed);
        let now = Instant::now();
        let mut reported = self.reported.lock();
        let is_due = reported.is_none_or(|last| now.duration_since(last) >= REPORT_EVERY);
        if is_due {
            *reported = Some(now);
        }
        is_due
    }

    pub fn get(&self) -> u64 {
        self.count.load(Relaxed)
    }
}
