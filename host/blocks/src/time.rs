//! Sums and numbers of times. What a guest, a plugin, a peer or a file calls a duration may be any number, so none of
//! them is added to a clock but here.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio_util::sync::CancellationToken;

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

/// The time by the clock that the runtime sleeps by, which tests may stop.
pub(crate) fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The moment at which something that may take so long has to be over, by the clock that the runtime sleeps by.
pub fn deadline(limit: Duration) -> Instant {
    instant().after(limit)
}

/// The timeout of a call to a driver that the host makes for itself, and for which no app waits.
pub const HOST_CALL: Duration = Duration::from_secs(30);

/// Waits so long; false where what `stop` is for ends before.
pub async fn pause(stop: &CancellationToken, time: Duration) -> bool {
    tokio::select! {
        biased;
        () = stop.cancelled() => false,
        () = tokio::time::sleep(time) => true,
    }
}

/// The deadline of a call that the host makes for itself now.
pub fn host_deadline() -> Instant {
    deadline(HOST_CALL)
}

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type Timestamp = u64;

/// The wall clock.
pub fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// The time as a number, 0 for one before 1970.
pub fn timestamp(time: SystemTime) -> Timestamp {
    milliseconds(since_1970(time))
}

/// The time that a number stands for. One that no clock can hold is as good as never.
pub fn time(timestamp: Timestamp) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_millis(timestamp))
}

/// The time since 1970, nothing for one before it.
pub fn since_1970(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// The whole milliseconds of a duration, or the most that there can be.
pub fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The whole microseconds of a duration, or the most that there can be.
pub fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The nanoseconds of a duration, or the most that there can be.
pub fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_times_have_bounds() {
        let (second, early) = (Duration::from_secs(1), UNIX_EPOCH - Duration::from_secs(1));
        assert_eq!(
            (milliseconds(second), nanoseconds(second)),
            (1_000, 1_000_000_000)
        );
        assert_eq!(microseconds(second), 1_000_000);
        assert_eq!(milliseconds(Duration::MAX), u64::MAX);
        assert_eq!(microseconds(Duration::MAX), u64::MAX);
        assert_eq!(nanoseconds(Duration::MAX), u64::MAX);
        assert_eq!(
            (timestamp(UNIX_EPOCH + second), timestamp(early)),
            (1_000, 0)
        );
        assert_eq!(time(1_000), Some(UNIX_EPOCH + second));
        assert_eq!(
            time(u64::MAX).map(timestamp),
            time(u64::MAX).map(|_| u64::MAX)
        );
    }

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
