//! The wall clock in nanoseconds since 1970: small, ordered, and good until the year 2554.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Nanoseconds from 1970 to now.
pub(crate) fn now() -> u64 {
    nanoseconds(
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default(),
    )
}

pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
