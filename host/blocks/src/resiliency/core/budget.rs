//! The retries that a target has left: one for ten calls, so that what fails is not asked much more than what works.

use std::time::{Duration, Instant};

/// A retry, in the shares that a budget counts; a call adds one share, so that retries are a tenth of the load.
const RETRY: u32 = 10;
/// Retries that are there for calls which come seldom, and to which one comes back in each second.
const RESERVE: u32 = 10 * RETRY;
/// Retries that can be saved: a target that was well for long is not asked without end when it fails.
const CAPACITY: u32 = 100 * RETRY;
/// The time in which a retry of the reserve comes back.
const BACK: Duration = Duration::from_secs(1);

/// A budget of retries.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    shares: u32,
    /// The time up to which the reserve came back.
    since: Instant,
}

impl Budget {
    pub fn new(now: Instant) -> Self {
        Budget {
            shares: RESERVE,
            since: now,
        }
    }

    /// Counts a call.
    pub fn call(&mut self) {
        self.shares = CAPACITY.min(self.shares + 1);
    }

    /// Takes a retry, where there is one left.
    pub fn retry(&mut self, now: Instant) -> bool {
        let passed = now.saturating_duration_since(self.since).as_secs();
        self.since += BACK * u32::try_from(passed).unwrap_or(u32::MAX);
        let back = u32::try_from(passed)
            .unwrap_or(u32::MAX)
            .saturating_mul(RETRY);
        if self.shares < RESERVE {
            self.shares = RESERVE.min(self.shares.saturating_add(back));
        }
        let is_left = self.shares >= RETRY;
        if is_left {
            self.shares -= RETRY;
        }
        is_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Clock as _;

    #[test]
    fn retries_are_a_tenth_of_the_calls_and_the_reserve() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        let mut retries = 0;
        for _ in 0..10_000 {
            budget.call();
            retries += (0..3).filter(|_| budget.retry(now)).count();
        }
        assert_eq!(retries, 1_000 + 10);
    }

    #[test]
    fn savings_are_bounded() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        for _ in 0..1_000_000 {
            budget.call();
        }
        assert_eq!((0..1_000).filter(|_| budget.retry(now)).count(), 100);
    }

    #[test]
    fn the_reserve_comes_back_once_a_second() {
        let start = Instant::now();
        let mut budget = Budget::new(start);
        while budget.retry(start) {}
        let mut retries = 0;
        for tenth in 0..600 {
            let now = start.after(Duration::from_millis(100 * tenth));
            retries += u32::from(budget.retry(now));
        }
        assert_eq!(retries, 59);
        // No more of it than there was.
        let later = start.after(Duration::from_secs(86_400));
        assert_eq!((0..100).filter(|_| budget.retry(later)).count(), 10);
    }
}
