//! A watch over whether the host runs without a break, as far as its clocks can tell.

use super::Timestamp;
use crate::time::milliseconds;
use tokio::time::Instant;

/// The leap beyond which the wall clock did not just go: it was set forward, or the host slept.
const LEAP: u64 = 2_000;

/// The time since when a host has run without a break, by the wall clock.
pub(super) struct Watch {
    wall: Timestamp,
    at: Instant,
    since: Timestamp,
}

impl Watch {
    pub(super) fn start(now: Timestamp) -> Self {
        Watch {
            wall: now,
            at: Instant::now(),
            since: now,
        }
    }

    pub(super) fn look(&mut self, now: Timestamp) -> Timestamp {
        let passed = milliseconds(self.at.elapsed());
        if now > self.wall.saturating_add(passed).saturating_add(LEAP) {
            self.since = now;
        }
        self.since = self.since.min(now);
        (self.wall, self.at) = (now, Instant::now());
        self.since
    }
}
