//! The pause between tries: it doubles with each failure, from its first length up to its last.

use crate::random;
use std::time::Duration;

/// A pause that grows with the failures in a row.
#[derive(Clone, Copy, Debug)]
pub struct Backoff {
    first: Duration,
    last: Duration,
    failures: u32,
}

impl Backoff {
    /// The pace of work that nobody waits for: from a second to a minute.
    pub const SLOW: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));

    pub const fn new(first: Duration, last: Duration) -> Self {
        Backoff {
            first,
            last,
            failures: 0,
        }
    }

    /// The pause after so many failures in a row, at least one.
    pub fn after(&self, failures: u32) -> Duration {
        let times = 2u32.saturating_pow(failures.saturating_sub(1));
        self.first.saturating_mul(times).min(self.last)
    }

    /// The longest pause.
    pub fn last(&self) -> Duration {
        self.last
    }

    /// Counts a failure; the pause after it.
    pub fn fail(&mut self) -> Duration {
        self.failures = self.failures.saturating_add(1);
        self.after(self.failures)
    }

    /// Counts a failure; half of the pause after it, and a random part of the other half: many clients of one server do
    /// not come at once.
    pub fn fail_apart(&mut self) -> Duration {
        let half = self.fail() / 2;
        let part = half.mul_f64(random::next() as f64 / u64::MAX as f64);
        half.saturating_add(part)
    }

    /// Forgets the failures after a try that went well for longer than the longest pause: what begins, and fails at once each
    /// time, is tried ever less often.
    pub fn lasted(&mut self, time: Duration) {
        if time > self.last {
            self.reset();
        }
    }

    /// Forgets the failures: the next one is the first again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn pauses_double_up_to_the_last() {
        let mut backoff = Backoff::SLOW;
        let seconds = [0, 1, 2, 3, 6, 7, 100, u32::MAX].map(|n| backoff.after(n).as_secs());
        assert_eq!(seconds, [1, 1, 2, 4, 32, 60, 60, 60]);
        let grown = [(); 3].map(|()| backoff.fail().as_secs());
        assert_eq!(grown, [1, 2, 4]);
        backoff.lasted(Duration::from_secs(60));
        assert_eq!(backoff.fail().as_secs(), 8);
        backoff.lasted(Duration::from_secs(61));
        assert_eq!(backoff.fail().as_secs(), 1);
        backoff.reset();
        assert_eq!(backoff.fail().as_secs(), 1);
        let mut endless = Backoff::new(Duration::MAX, Duration::MAX);
        assert_eq!(endless.after(u32::MAX), Duration::MAX);
        assert!(endless.fail_apart() >= Duration::MAX / 2);
    }

    #[test]
    fn pauses_apart_differ_and_are_half_of_the_pause_at_least() {
        let first = || {
            let mut backoff = Backoff::SLOW;
            backoff.fail_apart()
        };
        let pauses: HashSet<_> = (0..1_000).map(|_| first()).collect();
        let (half, whole) = (Duration::from_millis(500), Duration::from_secs(1));
        assert!(pauses.iter().all(|pause| (half..=whole).contains(pause)));
        assert!(pauses.len() > 900, "{}", pauses.len());
        let mut backoff = Backoff::SLOW;
        backoff.fail_apart();
        assert_eq!(backoff.fail(), 2 * whole, "it counts");
    }
}
