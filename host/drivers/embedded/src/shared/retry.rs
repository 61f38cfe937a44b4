//! Pauses before a source delivers again what its app did not take: a second, then twice as long each time, up to a
//! minute.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(60);

/// Returns the pause after so many attempts that failed.
pub(crate) fn pause(attempts: u32) -> Duration {
    let doubled = FIRST * 2_u32.saturating_pow(attempts.saturating_sub(1).min(6));
    doubled.min(LAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_minute() {
        let seconds = [1, 2, 3, 6, 7, 100, u32::MAX].map(|attempts| pause(attempts).as_secs());
        assert_eq!(seconds, [1, 2, 4, 32, 60, 60, 60]);
    }
}
