//! Progress of an answer: whose turn it is, the guest's to write or the reader's to take, and since when.

use std::time::{Duration, Instant};
use wythe_blocks::Error;
use wythe_manifest::Limits;

/// Bytes a second that a reader takes at least, over all of its turns together.
const RATE: u64 = 1 << 10;

/// An answer that has begun.
pub struct Progress {
    bytes: u64,
    turn: Turn,
    since: Instant,
    /// All of the reader's turns that are over.
    reading: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Guest,
    Reader,
}

/// The time that is over.
#[derive(Clone, Copy)]
pub enum Late {
    Whole,
    Guest,
    Reader,
}

impl Progress {
    pub fn begin(now: Instant) -> Self {
        Progress {
            bytes: 0,
            turn: Turn::Reader,
            since: now,
            reading: Duration::ZERO,
        }
    }

    /// The reader asks for more.
    pub fn ask(&mut self, now: Instant) {
        if self.turn == Turn::Reader {
            self.reading += now.saturating_duration_since(self.since);
            self.turn = Turn::Guest;
            self.since = now;
        }
    }

    /// The reader has been given `bytes`, and it is its turn.
    pub fn give(&mut self, bytes: u64, now: Instant) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.turn = Turn::Reader;
        self.since = now;
    }

    /// The time when the answer is late if nothing happens, and at what; `started` is when its call began.
    pub fn due(&self, started: Instant, limits: &Limits) -> (Instant, Late) {
        let whole = (started + limits.response_time, Late::Whole);
        let pause = match self.turn {
            Turn::Guest => (self.since + limits.wall_time, Late::Guest),
            Turn::Reader => (self.since + self.patience(limits.stall_time), Late::Reader),
        };
        match pause.0 < whole.0 {
            true => pause,
            false => whole,
        }
    }

    /// Time that this turn of the reader may last: it must neither stall nor be slower over all of its turns than the
    /// rate, beyond a first allowance as long as a stall.
    fn patience(&self, stall: Duration) -> Duration {
        let earned = Duration::from_secs(self.bytes / RATE);
        let left = (stall + earned).saturating_sub(self.reading);
        left.min(stall)
    }
}

impl Late {
    pub fn error(self, app: &str, limits: &Limits) -> Error {
        Error::timeout(match self {
            Late::Whole => format!(
                "the answer of `{app}` was not over in {:?}; see `limits.responseTime`",
                limits.response_time
            ),
            Late::Guest => format!(
                "`{app}` wrote nothing of its answer for {:?}; see `limits.wallTime`",
                limits.wall_time
            ),
            Late::Reader => format!(
                "the reader of an answer of `{app}` took nothing for {:?}, or less than {RATE} bytes a second; see \
                 `limits.stallTime`",
                limits.stall_time
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Late, Progress};
    use std::time::{Duration, Instant};
    use wythe_manifest::Limits;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_pause_is_the_guest_s_or_the_reader_s() {
        let (start, limits) = (Instant::now(), Limits::default());
        let mut progress = Progress::begin(start);
        let (due, late) = progress.due(start, &limits);
        assert!(due == start + 30 * SECOND && matches!(late, Late::Reader));
        progress.ask(start + 20 * SECOND);
        progress.ask(start + 40 * SECOND);
        let (due, late) = progress.due(start, &limits);
        assert!(due == start + 50 * SECOND && matches!(late, Late::Guest));
    }

    #[test]
    fn progress_has_no_end_but_the_whole_time() {
        let (start, limits) = (Instant::now(), Limits::default());
        let mut progress = Progress::begin(start);
        let mut now = start;
        for _ in 0..1_000 {
            progress.ask(now);
            progress.give(64 << 10, now);
            now += 20 * SECOND;
            assert!(progress.due(start + 7 * 3_600 * SECOND, &limits).0 > now);
        }
        let (due, late) = progress.due(start, &limits);
        assert!(due < now && matches!(late, Late::Whole));
    }

    #[test]
    fn a_trickle_is_a_stall() {
        let (start, limits) = (Instant::now(), Limits::default());
        let mut progress = Progress::begin(start);
        let mut now = start;
        // A byte each ten seconds uses up the first allowance.
        for _ in 0..3 {
            progress.ask(now);
            progress.give(1, now);
            now += 10 * SECOND;
        }
        progress.ask(now);
        progress.give(1, now);
        let (due, late) = progress.due(start, &limits);
        assert!(due == now && matches!(late, Late::Reader));
    }
}
