//! A rate without a queue: the generic cell rate algorithm (ITU-T I.371), with a second's worth at once.

use crate::time::nanoseconds;
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::{Duration, Instant},
};

/// The time of which the share may be used at once.
const BURST: u64 = 1_000_000_000;

/// The time at which all that has passed would have passed evenly.
#[derive(Debug)]
pub(super) struct Pace {
    start: Instant,
    /// Nanoseconds after the start.
    due: AtomicU64,
}

impl Default for Pace {
    fn default() -> Self {
        Pace {
            start: Instant::now(),
            due: AtomicU64::new(0),
        }
    }
}

impl Pace {
    /// Counts so many at so many a second; an error is the time until they may pass.
    pub fn pass(&self, per_second: u64, count: u64) -> Result<(), Duration> {
        self.pass_at(self.now(), per_second, count)
    }

    /// Counts what has passed already, even if it was too much.
    pub fn pay(&self, per_second: u64, count: u64) {
        self.pay_at(self.now(), per_second, count);
    }

    /// The time until no more than a second's worth is ahead; none where that is so.
    pub fn owes(&self) -> Option<Duration> {
        self.owes_at(self.now())
    }

    /// Forgets what has passed.
    pub fn reset(&self) {
        self.due.store(0, Relaxed);
    }

    /// The part of a second's worth that is used now.
    pub fn used(&self, per_second: u64) -> u64 {
        let ahead = self.due.load(Relaxed).saturating_sub(self.now()).min(BURST);
        let used = u128::from(per_second) * u128::from(ahead) / u128::from(BURST);
        u64::try_from(used).unwrap_or(per_second)
    }

    fn pay_at(&self, now: u64, per_second: u64, count: u64) {
        let add = |due: u64| Some(due.max(now).saturating_add(time(per_second, count)));
        // It always adds.
        let _ = self.due.fetch_update(Relaxed, Relaxed, add);
    }

    fn owes_at(&self, now: u64) -> Option<Duration> {
        let due = self.due.load(Relaxed);
        let owed = due.saturating_sub(now.saturating_add(BURST));
        (owed > 0).then(|| Duration::from_nanos(owed))
    }

    fn pass_at(&self, now: u64, per_second: u64, count: u64) -> Result<(), Duration> {
        let time = time(per_second, count);
        // Of more than a second has, a second's worth has to be free.
        let room = now.saturating_add(BURST - time.min(BURST));
        let add = |due: u64| (due <= room).then(|| due.max(now).saturating_add(time));
        let passed = self.due.fetch_update(Relaxed, Relaxed, add);
        passed
            .map(drop)
            .map_err(|due| Duration::from_nanos(due - room))
    }

    fn now(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }
}

/// The nanoseconds of so many at so many a second.
fn time(per_second: u64, count: u64) -> u64 {
    let time = u128::from(count) * u128::from(BURST) / u128::from(per_second.max(1));
    u64::try_from(time).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_second_s_worth_passes_at_once_and_then_evenly() {
        let pace = Pace::default();
        for _ in 0..10 {
            assert_eq!(pace.pass_at(0, 10, 1), Ok(()));
        }
        assert_eq!(pace.pass_at(0, 10, 1), Err(Duration::from_millis(100)));
        assert_eq!(pace.pass_at(60 * MS, 10, 1), Err(Duration::from_millis(40)));
        assert_eq!(pace.pass_at(100 * MS, 10, 1), Ok(()));
        assert!(pace.pass_at(100 * MS, 10, 1).is_err());
        // Who rested for long has a second's worth and no more.
        let later = 3_600_000 * MS;
        let passed = (0..20).filter(|_| pace.pass_at(later, 10, 1).is_ok());
        assert_eq!(passed.count(), 10);
    }

    #[test]
    fn more_than_a_second_has_passes_once_and_is_paid_for() {
        let pace = Pace::default();
        assert_eq!(pace.pass_at(0, 10, 35), Ok(()));
        assert_eq!(pace.pass_at(0, 10, 1), Err(Duration::from_millis(2_600)));
        assert!(pace.pass_at(2_500 * MS, 10, 1).is_err());
        assert_eq!(pace.pass_at(2_600 * MS, 10, 1), Ok(()));
        assert!(pace.pass_at(2_600 * MS, 10, u64::MAX).is_err());
    }

    #[test]
    fn what_has_passed_is_owed_beyond_a_second_s_worth() {
        let pace = Pace::default();
        pace.pay_at(0, 10, 10);
        assert_eq!(pace.owes_at(0), None);
        pace.pay_at(0, 10, 5);
        assert_eq!(pace.owes_at(0), Some(Duration::from_millis(500)));
        assert_eq!(pace.owes_at(400 * MS), Some(Duration::from_millis(100)));
        assert_eq!(pace.owes_at(500 * MS), None);
        pace.pay_at(0, 1, u64::MAX);
        assert!(pace.owes_at(0).is_some());
    }

    #[test]
    fn a_lower_rate_holds_at_once() {
        let pace = Pace::default();
        assert_eq!(pace.pass_at(0, 1_000, 500), Ok(()));
        assert_eq!(pace.pass_at(0, 1, 1), Err(Duration::from_millis(500)));
        assert_eq!(pace.pass_at(500 * MS, 1, 1), Ok(()));
    }
}
