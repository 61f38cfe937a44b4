//! Sums of times. What a guest, a plugin, a peer or a file calls a duration may be any number, so none of them is added
//! to a clock but here.

use std::time::{Duration, Instant, SystemTime};

/// The furthest that a time is away: a hundred years, as good as never, and within what every clock can hold.
pub const NEVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// A clock that can be asked for a later time.
pub trait Clock: Sized {
    /// The time after `wait`, or after a hundred years where that is sooner.
    #[must_use]
    fn after(self, wait: Duration) -> Self;
}

impl Clock for Instant {
    fn after(self, wait: Duration) -> Self {
        self + wait.min(NEVER)
    }
}

impl Clock for tokio::time::Instant {
    fn after(self, wait: Duration) -> Self {
        self + wait.min(NEVER)
    }
}

impl Clock for SystemTime {
    fn after(self, wait: Duration) -> Self {
        self.checked_add(wait.min(NEVER)).unwrap_or(self)
    }
}

/// The moment at which something that may take so long has to be over, by the clock that the runtime sleeps by.
pub fn deadline(limit: Duration) -> Instant {
    tokio::time::Instant::now().into_std().after(limit)
}

/// The timeout of a call to a driver that the host makes for itself, and for which no app waits.
pub const HOST_CALL: Duration = Duration::from_secs(30);

/// The deadline of a call that the host makes for itself now.
pub fn host_deadline() -> Instant {
    deadline(HOST_CALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_duration_is_too_long_for_a_clock() {
        let waits = [u64::MAX, u64::MAX / 1_000, 1].map(Duration::from_secs);
        for wait in waits.into_iter().chain([Duration::MAX, Duration::ZERO]) {
            let now = Instant::now();
            assert_eq!(now.after(wait).duration_since(now), wait.min(NEVER));
            let now = tokio::time::Instant::now();
            assert_eq!(now.after(wait).duration_since(now), wait.min(NEVER));
            let now = SystemTime::now();
            assert_eq!(
                now.after(wait).duration_since(now).unwrap(),
                wait.min(NEVER)
            );
        }
    }
}
