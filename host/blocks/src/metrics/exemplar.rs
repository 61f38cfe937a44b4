//! Exemplars: for each bucket of a latency the last sampled call that fell into it, by its trace.

use crate::Trace;
use parking_lot::Mutex;
use std::time::{Duration, SystemTime};

/// A call that stands for the others of its bucket.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub trace: u128,
    pub span: u64,
    pub seconds: f64,
    pub at: SystemTime,
}

/// The exemplars of one histogram of latencies.
#[derive(Debug)]
pub(super) struct Exemplars(Box<[Mutex<Option<Exemplar>>]>);

impl Exemplars {
    pub fn new(buckets: usize) -> Self {
        Exemplars((0..buckets).map(|_| Mutex::default()).collect())
    }

    /// Notes a call, unless somebody reads or writes the same bucket now: calls wait for nobody here.
    pub fn note(&self, bucket: usize, trace: Trace, took: Duration) {
        let slot = self.0.get(bucket).and_then(Mutex::try_lock);
        if let Some(mut slot) = slot {
            *slot = Some(Exemplar {
                trace: trace.trace,
                span: trace.span,
                seconds: took.as_secs_f64(),
                at: SystemTime::now(),
            });
        }
    }

    pub fn get(&self, bucket: usize) -> Option<Exemplar> {
        *self.0.get(bucket)?.lock()
    }
}
