//! The wall clock in nanoseconds since 1970: small, ordered, and good until the year 2554.

use std::time::{Duration, SystemTime, UNIX_EPOCH};
pub(crate) use wythe_blocks::time::nanoseconds;
use wythe_blocks::time::since_1970;

/// Nanoseconds from 1970 to now.
pub(crate) fn now() -> u64 {
    nanoseconds(since_1970(SystemTime::now()))
}

/// The time so many nanoseconds after 1970.
pub(crate) fn time(nanoseconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanoseconds)
}
