//! The traces that are recorded: of those that begin here a part, of those from outside what their parent says.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

/// A part of which every trace is one.
const ALL: u64 = u64::MAX;

static BELOW: AtomicU64 = AtomicU64::new(ALL);
static IGNORES_PARENT: AtomicBool = AtomicBool::new(false);

/// A rule of which traces are recorded.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// The part of traces, from 0 to 1; each is chosen by its id, so that every hop chooses the same.
    pub ratio: f64,
    /// True where a trace from outside is as its `traceparent` says.
    pub is_parent_based: bool,
}

impl Sampling {
    /// Every trace, but those that their parent did not sample.
    pub const ALL: Sampling = Sampling {
        ratio: 1.0,
        is_parent_based: true,
    };

    /// Puts the rule in force for the process.
    pub fn enforce(self) {
        BELOW.store(below(self.ratio), Relaxed);
        IGNORES_PARENT.store(!self.is_parent_based, Relaxed);
    }
}

/// The bound below which the last 63 bits of a trace's id have to be, as in OpenTelemetry's `TraceIdRatioBased`.
fn below(ratio: f64) -> u64 {
    match ratio >= 1.0 {
        true => ALL,
        // A number that is none becomes 0.
        false => (ratio.max(0.0) * (1u64 << 63) as f64) as u64,
    }
}

/// Says whether a trace that begins here is sampled.
#[inline]
pub(crate) fn is_chosen(trace: u128) -> bool {
    is_below(trace, BELOW.load(Relaxed))
}

/// Says whether a trace from outside is sampled.
pub(crate) fn is_chosen_outside(trace: u128, parent: bool) -> bool {
    match IGNORES_PARENT.load(Relaxed) {
        true => is_chosen(trace),
        false => parent,
    }
}

fn is_below(trace: u128, below: u64) -> bool {
    below == ALL || (trace as u64 >> 1) < below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_the_ids_is_below_the_bound() {
        let ids = |ratio: f64| {
            let all = (0..10_000).map(|_| u128::from(crate::random::next()));
            all.filter(|id| is_below(*id, below(ratio))).count()
        };
        assert_eq!((ids(1.0), ids(0.0), ids(f64::NAN)), (10_000, 0, 0));
        let half = ids(0.5);
        assert!((4_000..6_000).contains(&half), "{half}");
    }

    /// Known answers of OpenTelemetry's own samplers: the bound is over the last 8 bytes, without the last bit.
    #[test]
    fn the_bound_is_that_of_others() {
        assert_eq!(below(0.5), 1 << 62);
        let low = |half: u64| (7u128 << 64) | u128::from(half);
        assert!(is_below(low(0x7fff_ffff_ffff_ffff), below(0.5)));
        assert!(!is_below(low(0x8000_0000_0000_0000), below(0.5)));
        assert!(is_below(low(u64::MAX), below(1.0)));
    }
}
