//! Finished spans: what is noted of a call of an app or of a driver when it ends, and the queues of those who read it.
//!
//! Recording is a matter of the process, as its log is. It is on while somebody reads; else a call costs one relaxed load.

mod outgoing;
mod queues;
mod recent;
mod sampling;
mod span;
#[cfg(test)]
mod tests;

pub use outgoing::Outgoing;
pub use queues::Reader;
pub use recent::Recent;
pub use sampling::Sampling;
pub(crate) use sampling::{is_chosen, is_chosen_outside};
pub(crate) use span::Recording;
pub use span::{About, Ended, Http, Role, Span, Value, Work};

use crate::metrics::{Family, Page, word};
use queues::Queues;
use std::sync::{
    LazyLock,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

/// True while there is a reader.
static IS_ON: AtomicBool = AtomicBool::new(false);
static QUEUES: LazyLock<Queues> = LazyLock::new(Queues::default);
/// Spans that a reader did not get, or did not get rid of.
static UNQUEUED: AtomicU64 = AtomicU64::new(0);
static UNSENT: AtomicU64 = AtomicU64::new(0);

/// The metric of spans that were lost.
static DROPPED: Family = Family::counter(
    "wythe_spans_dropped_total",
    "Spans that were lost: the queue of a reader was full, or a receiver did not take them.",
);

/// Says whether anybody reads spans.
#[inline]
pub(crate) fn is_on() -> bool {
    IS_ON.load(Relaxed)
}

/// A reader of all spans that end from now on, until it is dropped. Of those that it does not take in time, `capacity`
/// wait for it, and more are lost to it alone.
pub fn read(capacity: usize) -> Reader {
    QUEUES.join(capacity)
}

/// Counts spans that a reader took and could not pass on.
pub fn count_unsent(spans: usize) {
    UNSENT.fetch_add(spans as u64, Relaxed);
}

/// Begins the span of a call, where somebody reads and it is wanted.
#[inline]
pub(crate) fn begin(is_wanted: impl FnOnce() -> bool, span: impl FnOnce() -> Span) -> Recording {
    match is_on() && is_wanted() {
        true => Recording::of(span()),
        false => Recording::default(),
    }
}

/// Adds the lost spans; nothing where none was ever recorded.
pub(crate) fn collect(page: &mut Page) {
    let (unqueued, unsent) = (UNQUEUED.load(Relaxed), UNSENT.load(Relaxed));
    if !is_on() && unqueued + unsent == 0 {
        return;
    }
    for (reason, count) in [("queue", unqueued), ("export", unsent)] {
        page.number(&DROPPED, "", &[word("reason", reason)], count as f64);
    }
}
