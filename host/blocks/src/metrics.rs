//! The counts of driver calls, and their form as Prometheus text.

use crate::{Kind, Operation, Result};
use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{
        Mutex, MutexGuard, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use wythe_manifest::Name;

/// The end of a call: 0 is ok, the rest are the kinds in order.
#[derive(Clone, Copy)]
pub struct Outcome(usize);

impl Outcome {
    pub fn of<T>(result: &Result<T>) -> Self {
        match result {
            Ok(_) => Outcome(0),
            Err(error) => Outcome(1 + error.kind() as usize),
        }
    }
}

const OUTCOMES: usize = 1 + Kind::ALL.len();

/// Upper bounds of the latency buckets, in microseconds.
const BUCKETS: [u64; 8] = [10, 50, 100, 500, 1_000, 10_000, 100_000, 1_000_000];

/// Counters of one operation of one component.
#[derive(Default)]
struct Counters {
    outcomes: [AtomicU64; OUTCOMES],
    buckets: [AtomicU64; BUCKETS.len()],
    nanoseconds: AtomicU64,
}

/// Counters of one component, one set an operation.
pub struct ComponentMetrics {
    block: &'static str,
    component: String,
    operations: &'static [Operation],
    counters: Vec<Counters>,
}

impl ComponentMetrics {
    pub(crate) fn new(
        block: &'static str,
        component: String,
        operations: &'static [Operation],
    ) -> Self {
        ComponentMetrics {
            block,
            component,
            operations,
            counters: operations.iter().map(|_| Counters::default()).collect(),
        }
    }

    pub(crate) fn record(&self, operation: Operation, outcome: Outcome, took: Duration) {
        let Some(counters) = self.counters.get(operation.index()) else {
            return;
        };
        counters.outcomes[outcome.0].fetch_add(1, Relaxed);
        counters
            .nanoseconds
            .fetch_add(took.as_nanos() as u64, Relaxed);
        let micros = took.as_micros() as u64;
        if let Some(bucket) = BUCKETS.iter().position(|bound| micros <= *bound) {
            counters.buckets[bucket].fetch_add(1, Relaxed);
        }
    }

    fn write(&self, calls: &mut String, seconds: &mut String) {
        for (operation, counters) in self.operations.iter().zip(&self.counters) {
            let labels = format!(
                "block=\"{}\",component=\"{}\",operation=\"{}\"",
                self.block,
                self.component,
                operation.name()
            );
            let total = write_outcomes(calls, &labels, &counters.outcomes);
            if total > 0 {
                write_histogram(seconds, &labels, counters, total);
            }
        }
    }
}

fn write_outcomes(text: &mut String, labels: &str, outcomes: &[AtomicU64]) -> u64 {
    let mut total = 0;
    for (index, count) in outcomes.iter().enumerate() {
        let count = count.load(Relaxed);
        total += count;
        let outcome = index
            .checked_sub(1)
            .map_or("ok", |kind| Kind::ALL[kind].as_str());
        if count > 0 {
            let _ = writeln!(
                text,
                "wythe_calls_total{{{labels},outcome=\"{outcome}\"}} {count}"
            );
        }
    }
    total
}

fn write_histogram(text: &mut String, labels: &str, counters: &Counters, total: u64) {
    let mut sum = 0;
    for (bound, count) in BUCKETS.iter().zip(&counters.buckets) {
        sum += count.load(Relaxed);
        let le = *bound as f64 / 1e6;
        let _ = writeln!(
            text,
            "wythe_call_duration_seconds_bucket{{{labels},le=\"{le}\"}} {sum}"
        );
    }
    let seconds = counters.nanoseconds.load(Relaxed) as f64 / 1e9;
    let _ = writeln!(
        text,
        "wythe_call_duration_seconds_bucket{{{labels},le=\"+Inf\"}} {total}"
    );
    let _ = writeln!(
        text,
        "wythe_call_duration_seconds_sum{{{labels}}} {seconds}"
    );
    let _ = writeln!(
        text,
        "wythe_call_duration_seconds_count{{{labels}}} {total}"
    );
}

/// The shortest time between two log lines of an app about one thing.
const TELL: Duration = Duration::from_secs(10);

/// Every component's counters, for whoever serves them.
#[derive(Default)]
pub struct Metrics {
    components: Mutex<Vec<Weak<ComponentMetrics>>>,
    /// Counts by app: how often one of its calls held a worker for too long, and when the log said so last.
    held: Mutex<BTreeMap<Name, (u64, Instant)>>,
}

impl Metrics {
    pub(crate) fn watch(&self, component: Weak<ComponentMetrics>) {
        let mut list = self.components();
        list.retain(|known| known.strong_count() > 0);
        list.push(component);
    }

    /// The Prometheus text exposition format, version 0.0.4.
    pub fn render(&self) -> String {
        let list = self.components();
        let mut calls = String::from(
            "# HELP wythe_calls_total Driver calls by outcome.\n# TYPE wythe_calls_total counter\n",
        );
        let mut seconds = String::from(
            "# HELP wythe_call_duration_seconds Time of driver calls, retries included.\n\
             # TYPE wythe_call_duration_seconds histogram\n",
        );
        for component in list.iter().filter_map(Weak::upgrade) {
            component.write(&mut calls, &mut seconds);
        }
        calls + &seconds + &self.render_held()
    }

    fn components(&self) -> MutexGuard<'_, Vec<Weak<ComponentMetrics>>> {
        let list = self.components.lock();
        list.unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn lock_held(&self) -> MutexGuard<'_, BTreeMap<Name, (u64, Instant)>> {
        let held = self.held.lock();
        held.unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Counts that a call of an app held a worker for too long. True where the log is to say so: once in 10 s.
    pub fn held(&self, app: &Name) -> bool {
        let now = Instant::now();
        let mut all = self.lock_held();
        let Some((count, told)) = all.get_mut(app) else {
            all.insert(app.clone(), (1, now));
            return true;
        };
        *count += 1;
        let is_due = now.duration_since(*told) >= TELL;
        if is_due {
            *told = now;
        }
        is_due
    }

    fn render_held(&self) -> String {
        let mut text = String::new();
        for (app, (count, _)) in self.lock_held().iter() {
            if text.is_empty() {
                text.push_str(
                    "# HELP wythe_worker_held_total Times that a call held a worker for 10 ms or more.\n\
                     # TYPE wythe_worker_held_total counter\n",
                );
            }
            let _ = writeln!(text, "wythe_worker_held_total{{app=\"{app}\"}} {count}");
        }
        text
    }
}
