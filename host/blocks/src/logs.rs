//! The last lines of a tenant's log, kept in memory for who asks: so many bytes in all, the oldest go first.

use crate::{
    metrics::{Family, Page, word},
    text::cut,
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::SystemTime,
};
use tokio::sync::watch;
use wythe_manifest::Name;

/// Bytes that a line counts beside its texts.
const LINE: usize = 128;
/// Bytes of a line that are kept.
const TEXT: usize = 8 << 10;

/// Lines of the host's own log that were dropped, by reason.
static DROPPED: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];
static DROPPED_LINES: Family = Family::counter(
    "wythe_log_lines_dropped_total",
    "Lines of the host's log that were left out. unread: whoever reads the log is too slow; rate: too many of one place or app.",
);

/// The reason why a line of the host's log was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dropped {
    /// The reader was too slow.
    Unread,
    /// Lines of its place or its app were too many.
    Rate,
}

/// Counts a line of the host's log that was left out.
pub fn count_dropped(reason: Dropped) {
    DROPPED[reason as usize].fetch_add(1, Relaxed);
}

pub(crate) fn collect(page: &mut Page) {
    for (reason, count) in ["unread", "rate"].into_iter().zip(&DROPPED) {
        let count = count.load(Relaxed) as f64;
        page.number(&DROPPED_LINES, "", &[word("reason", reason)], count);
    }
}

/// One line of an app.
#[derive(Clone, Debug)]
pub struct Line {
    /// Its place among all lines of the tenant; later ones are higher.
    pub number: u64,
    pub time: SystemTime,
    pub app: Name,
    pub level: &'static str,
    /// The trace of the call, where there is one.
    pub trace: String,
    pub message: String,
}

/// The lines of a tenant.
pub struct Logs {
    held: Mutex<Held>,
    /// The number of the next line, for who waits for it.
    next: watch::Sender<u64>,
}

struct Held {
    limit: usize,
    bytes: usize,
    lines: VecDeque<Arc<Line>>,
}

impl Logs {
    /// A log that keeps at most so many bytes.
    pub fn new(limit: u64) -> Self {
        let held = Held {
            limit: usize::try_from(limit).unwrap_or(usize::MAX),
            bytes: 0,
            lines: VecDeque::new(),
        };
        Logs {
            held: Mutex::new(held),
            next: watch::Sender::new(0),
        }
    }

    /// Keeps at most so many bytes from now on.
    pub fn resize(&self, limit: u64) {
        let mut held = self.held();
        held.limit = usize::try_from(limit).unwrap_or(usize::MAX);
        held.shrink();
    }

    /// Bytes that are kept, and the most.
    pub fn bytes(&self) -> (usize, usize) {
        let held = self.held();
        (held.bytes, held.limit)
    }

    /// Adds a line.
    pub fn push(&self, app: &Name, level: &'static str, trace: &str, message: &str) {
        let mut held = self.held();
        let number = *self.next.borrow();
        let line = Line {
            number,
            time: SystemTime::now(),
            app: app.clone(),
            level,
            trace: cut(trace, TEXT).to_owned(),
            message: cut(message, TEXT).to_owned(),
        };
        held.bytes += line.size();
        held.lines.push_back(Arc::new(line));
        held.shrink();
        self.next.send_replace(number + 1);
    }

    /// Returns at most `limit` lines from a number on, of one app or of all, none older than `since`; and the number to go on with.
    pub fn from(
        &self,
        number: u64,
        app: Option<&Name>,
        since: Option<SystemTime>,
        limit: usize,
    ) -> (Vec<Arc<Line>>, u64) {
        let held = self.held();
        let is_wanted = |line: &&Arc<Line>| {
            app.is_none_or(|app| line.app == *app) && since.is_none_or(|since| line.time >= since)
        };
        // Numbers have no gaps.
        let first = held.lines.front().map_or(0, |line| line.number);
        let skipped = usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX);
        let lines: Vec<_> = held
            .lines
            .range(skipped.min(held.lines.len())..)
            .filter(is_wanted)
            .take(limit)
            .cloned()
            .collect();
        let next = match lines.last() {
            Some(last) if lines.len() == limit => last.number + 1,
            _ => *self.next.borrow(),
        };
        (lines, next)
    }

    /// Waits until there is a line of this number or a higher one.
    pub async fn grown(&self, number: u64) {
        let mut next = self.next.subscribe();
        // The sender is here for as long as this is.
        let _ = next.wait_for(|next| *next > number).await;
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock()
    }
}

impl Held {
    fn shrink(&mut self) {
        while self.bytes > self.limit
            && let Some(line) = self.lines.pop_front()
        {
            self.bytes -= line.size();
        }
    }
}

impl Line {
    fn size(&self) -> usize {
        self.trace.len() + self.message.len() + LINE
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(logs: &Logs, from: u64, app: Option<&Name>) -> (Vec<String>, u64) {
        let (lines, next) = logs.from(from, app, None, 10);
        let texts = lines.iter().map(|line| line.message.clone());
        (texts.collect(), next)
    }

    #[test]
    fn the_oldest_lines_go_first() {
        let (logs, one): (_, Name) = (Logs::new(1_000), "one".parse().unwrap());
        for number in 0..20 {
            logs.push(&one, "INFO", "", &number.to_string());
            assert!(logs.bytes().0 <= 1_000);
        }
        let (lines, next) = messages(&logs, 0, None);
        assert_eq!(lines, ["13", "14", "15", "16", "17", "18", "19"]);
        assert_eq!(next, 20);
        logs.resize(0);
        assert_eq!(messages(&logs, 0, None), (Vec::new(), 20));
        assert_eq!(logs.bytes(), (0, 0));
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    async fn lines_are_read_on_and_waited_for() {
        let logs = Arc::new(Logs::new(10_000));
        let (one, two): (Name, Name) = ("one".parse().unwrap(), "two".parse().unwrap());
        logs.push(&one, "INFO", "", "a");
        logs.push(&two, "WARN", "", "b");
        assert_eq!(messages(&logs, 0, Some(&two)), (vec!["b".to_owned()], 2));
        let waiting = tokio::spawn({
            let logs = logs.clone();
            async move { logs.grown(2).await }
        });
        logs.push(&one, "INFO", "", "c");
        waiting.await.unwrap();
        assert_eq!(messages(&logs, 2, None), (vec!["c".to_owned()], 3));
        let (lines, next) = logs.from(0, None, None, 2);
        assert_eq!((lines.len(), next), (2, 2));
    }
}
