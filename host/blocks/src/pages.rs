//! The pace of a loop that reads a store page by page: fast at first, so that much is read soon, then slower and slower,
//! so that a store which never comes to an end takes next to nothing.

use std::time::Duration;

/// Pages without a rest.
const AT_ONCE: u32 = 32;
/// Rest after a page: so many times as long as it took.
const TIMES: u32 = 3;
/// The shortest rest doubles after so many pages, from the first to the last of these.
const STEP: u32 = 128;
const SHORTEST: Duration = Duration::from_millis(1);
const SHORTEST_AT_LAST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Pace {
    pages: u32,
}

impl Pace {
    /// The rest that is due after a page that took so long.
    pub fn rest(&mut self, took: Duration) -> Duration {
        self.pages = self.pages.saturating_add(1);
        let Some(more) = self.pages.checked_sub(AT_ONCE + 1) else {
            return Duration::ZERO;
        };
        let shortest = SHORTEST * 2u32.saturating_pow((more / STEP).min(10));
        (took * TIMES).clamp(shortest.min(SHORTEST_AT_LAST), LONGEST)
    }

    /// The end was reached, so that the next pages are the first ones again.
    pub fn end(&mut self) {
        self.pages = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_until_the_end_is_reached() {
        let mut pace = Pace::default();
        let mut sum = |pages: u32| -> Duration {
            let rests = (0..pages).map(|_| pace.rest(Duration::from_micros(100)));
            rests.sum()
        };
        assert_eq!(sum(AT_ONCE), Duration::ZERO);
        assert_eq!(sum(STEP), SHORTEST * STEP);
        assert_eq!(sum(STEP), 2 * SHORTEST * STEP);
        sum(STEP * 5);
        assert_eq!(sum(10), SHORTEST_AT_LAST * 10);
        assert_eq!(pace.rest(Duration::from_secs(9)), LONGEST);
        pace.end();
        assert_eq!(pace.rest(Duration::from_secs(9)), Duration::ZERO);
    }
}
