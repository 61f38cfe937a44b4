//! Pauses between the rounds of a group.

use std::time::Duration;
use wythe_blocks::Backoff;

/// The longest pause.
const LAST: Duration = Duration::from_secs(5);
/// The time after which a round was one, and the number of shorter ones in a row after which there is a pause: a coordinator that
/// says at once that the group shares out anew would be asked all the time.
const ROUND: Duration = Duration::from_secs(1);
const SHORT: u32 = 3;

pub(super) struct Pace {
    pause: Backoff,
    /// Short rounds in a row.
    short: u32,
}

impl Pace {
    pub fn new(first: Duration) -> Self {
        Pace {
            pause: Backoff::new(first, LAST.max(first)),
            short: 0,
        }
    }

    /// The pause after a round that lasted so long; none where the next one begins at once.
    pub fn after(&mut self, has_failed: bool, time: Duration) -> Option<Duration> {
        if has_failed {
            self.short = 0;
            self.pause.lasted(time);
            return Some(self.pause.fail_apart());
        }
        if time >= ROUND {
            self.short = 0;
            self.pause.reset();
            return None;
        }
        self.short = self.short.saturating_add(1);
        (self.short > SHORT).then(|| self.pause.fail_apart())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_end_at_once_come_ever_less_often() {
        let first = Duration::from_millis(100);
        let mut pace = Pace::new(first);
        assert!((0..SHORT).all(|_| pace.after(false, Duration::ZERO).is_none()));
        let pauses: Vec<_> = (0..9).map(|_| pace.after(false, Duration::ZERO)).collect();
        assert!(
            pauses[0] >= Some(first / 2) && pauses[8] >= Some(LAST / 2),
            "{pauses:?}"
        );
        assert_eq!(pace.after(false, ROUND), None);
        assert_eq!(
            pace.after(false, Duration::ZERO),
            None,
            "it is the first again"
        );
        assert!(
            pace.after(true, Duration::ZERO)
                .is_some_and(|pause| pause <= first)
        );
    }
}
