//! A histogram of latencies, with an exemplar for each bucket where a trace is recorded.

use super::{exemplar::Exemplars, page::Histogram, timing::Timing};
use crate::Trace;
use std::{sync::OnceLock, time::Duration};

#[derive(Debug)]
pub(super) struct Latency {
    time: Timing,
    /// Made by the first latency that has a trace.
    exemplars: OnceLock<Exemplars>,
}

impl Latency {
    pub fn new(bounds: &'static [u64]) -> Self {
        Latency {
            time: Timing::new(bounds),
            exemplars: OnceLock::new(),
        }
    }

    /// Adds a latency. One whose trace is recorded stands for the others of its bucket.
    pub fn add(&self, took: Duration, recorded: Option<Trace>) {
        let bucket = self.time.add(took);
        if let Some(trace) = recorded {
            let buckets = self.time.buckets();
            let exemplars = self.exemplars.get_or_init(|| Exemplars::new(buckets));
            exemplars.note(bucket, trace, took);
        }
    }

    pub fn histogram(&self) -> Histogram {
        let mut histogram = self.time.histogram();
        if let Some(exemplars) = self.exemplars.get() {
            for (index, bucket) in histogram.buckets.iter_mut().enumerate() {
                bucket.exemplar = exemplars.get(index);
            }
        }
        histogram
    }
}
