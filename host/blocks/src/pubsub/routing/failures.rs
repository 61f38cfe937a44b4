//! Rules that fail on events: counted, and reported once in a while, for an event that makes one fail is followed by more.

use parking_lot::Mutex;
use std::time::{Duration, Instant};

/// The pause between two lines of one subscription.
const PAUSE: Duration = Duration::from_secs(60);

/// Failures of one subscription since the last line about them.
#[derive(Default)]
pub(super) struct Failures {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    count: u64,
    reported: Option<Instant>,
}

impl Failures {
    pub fn report(&self, topic: &str, failure: &str) {
        if let Some(count) = self.due(Instant::now()) {
            tracing::warn!(topic, failures = count, "a rule did not match: {failure}");
        }
    }

    /// The failures that a line now stands for, this one included; none when the last line is too near.
    fn due(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock();
        state.count += 1;
        if state
            .reported
            .is_some_and(|reported| now.duration_since(reported) < PAUSE)
        {
            return None;
        }
        state.reported = Some(now);
        Some(std::mem::take(&mut state.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_stands_for_all_failures_before_it() {
        let failures = Failures::default();
        let start = Instant::now();
        assert_eq!(failures.due(start), Some(1));
        for _ in 0..1000 {
            assert_eq!(failures.due(start + PAUSE / 2), None);
        }
        assert_eq!(failures.due(start + PAUSE), Some(1001));
    }
}
