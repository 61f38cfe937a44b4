//! A rate for lines of the log that a stranger or a guest can cause: what is over it is counted and left out.

use parking_lot::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// A limit of so many lines a period; the first of the next one reports how many were left out.
#[derive(Debug)]
pub struct Rate {
    lines: u32,
    period: Duration,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    said: u32,
    unsaid: u64,
}

impl Rate {
    pub fn per_minute(lines: u32) -> Self {
        Self::new(lines, Duration::from_secs(60))
    }

    pub fn per_second(lines: u32) -> Self {
        Self::new(lines, Duration::from_secs(1))
    }

    pub(crate) fn new(lines: u32, period: Duration) -> Self {
        let window = Window {
            since: Instant::now(),
            said: 0,
            unsaid: 0,
        };
        Rate {
            lines,
            period,
            window: Mutex::new(window),
        }
    }

    /// Returns how many lines were left out before this one, if it may be written.
    pub fn allows(&self) -> Option<u64> {
        let mut window = self.window();
        if window.since.elapsed() >= self.period {
            window.since = Instant::now();
            window.said = 0;
        }
        if window.said >= self.lines {
            window.unsaid += 1;
            return None;
        }
        window.said += 1;
        Some(std::mem::take(&mut window.unsaid))
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        self.window.lock()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_the_rate_is_counted() {
        let rate = Rate::per_minute(2);
        let said: Vec<_> = (0..5).map(|_| rate.allows()).collect();
        assert_eq!(said, [Some(0), Some(0), None, None, None]);
        rate.window().since -= Duration::from_secs(60);
        assert_eq!(rate.allows(), Some(3));
    }
}
