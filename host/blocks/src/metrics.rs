//! Counters of calls of drivers and of apps, and how they read as Prometheus text.

use crate::{
    Kind, Operation, Resiliency, Result,
    quota::{Ledger, METRICS},
    resiliency, spans,
    time::nanoseconds,
};
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::BTreeMap,
    fmt::Write,
    ptr,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};
use wythe_manifest::{ComponentName, Name};

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

/// Counters of one component or of one app, a set for each operation or kind of call.
pub struct CallMetrics {
    family: &'static Family,
    /// Labels of the component or the app.
    labels: String,
    operations: &'static [Operation],
    counters: Vec<Counters>,
}

/// Names and texts of two metrics: how many calls there were, and how long they took.
struct Family {
    calls: &'static str,
    calls_help: &'static str,
    seconds: &'static str,
    seconds_help: &'static str,
    /// The label that has the operation's name.
    operation: &'static str,
}

static DRIVERS: Family = Family {
    calls: "wythe_calls_total",
    calls_help: "Driver calls by outcome.",
    seconds: "wythe_call_duration_seconds",
    seconds_help: "Time of driver calls, retries included.",
    operation: "operation",
};

static APPS: Family = Family {
    calls: "wythe_app_calls_total",
    calls_help: "Calls of apps by kind and outcome; what was refused is among them.",
    seconds: "wythe_app_call_duration_seconds",
    seconds_help: "Time of calls of apps, the wait for a place included; of HTTP, until the answer begins.",
    operation: "kind",
};

/// The counters of a component.
pub(crate) fn of_component(
    tenant: &Name,
    block: &'static str,
    component: &ComponentName,
    operations: &'static [Operation],
) -> CallMetrics {
    let labels = format!("tenant=\"{tenant}\",block=\"{block}\",component=\"{component}\"");
    CallMetrics::new(&DRIVERS, labels, operations)
}

/// The counters of an app.
pub(crate) fn of_app(tenant: &Name, app: &Name, kinds: &'static [Operation]) -> CallMetrics {
    let labels = format!("tenant=\"{tenant}\",app=\"{app}\"");
    CallMetrics::new(&APPS, labels, kinds)
}

impl CallMetrics {
    fn new(family: &'static Family, labels: String, operations: &'static [Operation]) -> Self {
        CallMetrics {
            family,
            labels,
            operations,
            counters: operations.iter().map(|_| Counters::default()).collect(),
        }
    }

    pub(crate) fn record(&self, operation: Operation, outcome: Outcome, took: Duration) {
        let Some(counters) = self.counters.get(operation.index()) else {
            return;
        };
        counters.outcomes[outcome.0].fetch_add(1, Relaxed);
        counters.nanoseconds.fetch_add(nanoseconds(took), Relaxed);
        let micros = took.as_micros() as u64;
        if let Some(bucket) = BUCKETS.iter().position(|bound| micros <= *bound) {
            counters.buckets[bucket].fetch_add(1, Relaxed);
        }
    }

    fn write(&self, calls: &mut String, seconds: &mut String) {
        for (operation, counters) in self.operations.iter().zip(&self.counters) {
            let (own, label, name) = (&self.labels, self.family.operation, operation.name());
            let labels = format!("{own},{label}=\"{name}\"");
            let total = write_outcomes(calls, self.family.calls, &labels, &counters.outcomes);
            if total > 0 {
                write_histogram(seconds, self.family.seconds, &labels, counters, total);
            }
        }
    }
}

fn write_outcomes(text: &mut String, metric: &str, labels: &str, outcomes: &[AtomicU64]) -> u64 {
    let mut total = 0;
    for (index, count) in outcomes.iter().enumerate() {
        let count = count.load(Relaxed);
        total += count;
        let outcome = index
            .checked_sub(1)
            .map_or("ok", |kind| Kind::ALL[kind].as_str());
        if count > 0 {
            let _ = writeln!(text, "{metric}{{{labels},outcome=\"{outcome}\"}} {count}");
        }
    }
    total
}

fn write_histogram(text: &mut String, metric: &str, labels: &str, counters: &Counters, total: u64) {
    let mut sum = 0;
    for (bound, count) in BUCKETS.iter().zip(&counters.buckets) {
        sum += count.load(Relaxed);
        let le = *bound as f64 / 1e6;
        let _ = writeln!(text, "{metric}_bucket{{{labels},le=\"{le}\"}} {sum}");
    }
    let seconds = counters.nanoseconds.load(Relaxed) as f64 / 1e9;
    let _ = writeln!(text, "{metric}_bucket{{{labels},le=\"+Inf\"}} {total}");
    let _ = writeln!(text, "{metric}_sum{{{labels}}} {seconds}");
    let _ = writeln!(text, "{metric}_count{{{labels}}} {total}");
}

fn render_family(family: &'static Family, all: &[Arc<CallMetrics>]) -> String {
    let head = |name, help, kind| format!("# HELP {name} {help}\n# TYPE {name} {kind}\n");
    let mut calls = head(family.calls, family.calls_help, "counter");
    let mut seconds = head(family.seconds, family.seconds_help, "histogram");
    for one in all.iter().filter(|one| ptr::eq(one.family, family)) {
        one.write(&mut calls, &mut seconds);
    }
    calls + &seconds
}

/// The shortest time between two log lines of an app about one thing.
const REPORT_EVERY: Duration = Duration::from_secs(10);

/// The counters of every component and every app, for whoever serves them.
#[derive(Default)]
pub struct Metrics {
    calls: Mutex<Vec<Weak<CallMetrics>>>,
    /// Counts by tenant and app: how often a call held a worker for too long, and when the log said so last.
    held: Mutex<BTreeMap<(Name, Name), (u64, Instant)>>,
    quotas: Mutex<Vec<Weak<Ledger>>>,
    policies: Mutex<Vec<Weak<Resiliency>>>,
}

impl Metrics {
    pub(crate) fn watch(&self, calls: Weak<CallMetrics>) {
        let mut list = self.lock_calls();
        list.retain(|known| known.strong_count() > 0);
        list.push(calls);
    }

    pub(crate) fn watch_quotas(&self, ledger: Weak<Ledger>) {
        let mut list = self.quotas.lock();
        list.retain(|known| known.strong_count() > 0);
        list.push(ledger);
    }

    pub(crate) fn watch_policies(&self, policies: Weak<Resiliency>) {
        let mut list = self.policies.lock();
        list.retain(|known| known.strong_count() > 0);
        list.push(policies);
    }

    /// The Prometheus text exposition format, version 0.0.4.
    pub fn render(&self) -> String {
        let list = self.lock_calls();
        let all: Vec<_> = list.iter().filter_map(Weak::upgrade).collect();
        drop(list);
        render_family(&DRIVERS, &all)
            + &render_family(&APPS, &all)
            + &self.render_held()
            + &self.render_quotas()
            + &self.render_policies()
            + &spans::render()
    }

    fn lock_calls(&self) -> MutexGuard<'_, Vec<Weak<CallMetrics>>> {
        self.calls.lock()
    }

    fn lock_held(&self) -> MutexGuard<'_, BTreeMap<(Name, Name), (u64, Instant)>> {
        self.held.lock()
    }

    /// Counts that a call of an app held a worker for too long. True where the log is to say so: once in 10 s.
    pub fn held(&self, tenant: &Name, app: &Name) -> bool {
        let app = (tenant.clone(), app.clone());
        let now = Instant::now();
        let mut all = self.lock_held();
        let Some((count, reported)) = all.get_mut(&app) else {
            all.insert(app, (1, now));
            return true;
        };
        *count += 1;
        let is_due = now.duration_since(*reported) >= REPORT_EVERY;
        if is_due {
            *reported = now;
        }
        is_due
    }

    fn render_held(&self) -> String {
        let mut text = String::new();
        for ((tenant, app), (count, _)) in self.lock_held().iter() {
            if text.is_empty() {
                text.push_str(
                    "# HELP wythe_worker_held_total Times that a call held a worker for 10 ms or more.\n\
                     # TYPE wythe_worker_held_total counter\n",
                );
            }
            let _ = writeln!(
                text,
                "wythe_worker_held_total{{tenant=\"{tenant}\",app=\"{app}\"}} {count}"
            );
        }
        text
    }

    fn render_quotas(&self) -> String {
        let mut samples = [const { String::new() }; METRICS.len()];
        for ledger in self.quotas.lock().iter().filter_map(Weak::upgrade) {
            ledger.write(&mut samples);
        }
        families(METRICS, samples)
    }

    fn render_policies(&self) -> String {
        let mut samples = [const { String::new() }; resiliency::METRICS.len()];
        for policies in self.policies.lock().iter().filter_map(Weak::upgrade) {
            policies.write(&mut samples);
        }
        families(resiliency::METRICS, samples)
    }
}

/// The metrics that have samples, each with its name, kind and help.
fn families<const N: usize>(metrics: [(&str, &str, &str); N], samples: [String; N]) -> String {
    let with_samples = metrics.into_iter().zip(samples);
    let with_samples = with_samples.filter(|(_, samples)| !samples.is_empty());
    let family = |((name, kind, help), samples): ((&str, &str, &str), String)| {
        format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{samples}")
    };
    with_samples.map(family).collect()
}
