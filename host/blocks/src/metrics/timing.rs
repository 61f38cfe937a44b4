//! A histogram of times that many threads add to.

use super::page::{Bucket, Histogram};
use crate::time::{microseconds, nanoseconds};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// Upper bounds of how late something is, in microseconds: from 10 ms to 1 hour.
pub(super) const LATENESS: &[u64] = &[
    10_000,
    100_000,
    1_000_000,
    5_000_000,
    30_000_000,
    60_000_000,
    600_000_000,
    3_600_000_000,
];
/// Upper bounds of how long a call takes, in microseconds: from 10 µs to 10 s.
pub(super) const LATENCY: &[u64] = &[
    10, 50, 100, 500, 1_000, 5_000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 10_000_000,
];

/// Upper bounds of how long a workflow or an attempt of an activity takes, in microseconds: from 1 ms to 1 day.
pub(super) const DURATION: &[u64] = &[
    1_000,
    10_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    10_000_000,
    60_000_000,
    600_000_000,
    3_600_000_000,
    86_400_000_000,
];

#[derive(Debug)]
pub(crate) struct Timing {
    bounds: &'static [u64],
    /// One more than bounds.
    buckets: Box<[AtomicU64]>,
    nanoseconds: AtomicU64,
}

impl Timing {
    pub fn new(bounds: &'static [u64]) -> Self {
        Timing {
            bounds,
            buckets: (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect(),
            nanoseconds: AtomicU64::new(0),
        }
    }

    /// Adds a time, and returns the number of its bucket.
    pub fn add(&self, time: Duration) -> usize {
        self.nanoseconds.fetch_add(nanoseconds(time), Relaxed);
        let micros = microseconds(time);
        let bucket = self.bounds.iter().position(|bound| micros <= *bound);
        let bucket = bucket.unwrap_or(self.bounds.len());
        self.buckets[bucket].fetch_add(1, Relaxed);
        bucket
    }

    /// The number of its buckets; the last one has no bound.
    pub fn buckets(&self) -> usize {
        self.buckets.len()
    }

    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// The counts in seconds.
    pub fn histogram(&self) -> Histogram {
        let bounds = self.bounds.iter().map(|bound| *bound as f64 / 1e6);
        let bounds = bounds.chain([f64::INFINITY]);
        let bucket = |(bound, count): (f64, &AtomicU64)| Bucket {
            bound,
            count: count.load(Relaxed),
            exemplar: None,
        };
        Histogram {
            buckets: bounds.zip(&self.buckets).map(bucket).collect(),
            sum: self.nanoseconds.load(Relaxed) as f64 / 1e9,
        }
    }
}
