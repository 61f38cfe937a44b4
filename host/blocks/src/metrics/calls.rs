//! Counters of calls of drivers and of apps: how many, how they ended, how long they took.

use super::{
    Source, dapr,
    latency::Latency,
    page::{Family, Label, Page, Value, named, word},
    timing::LATENCY,
};
use crate::{Kind, Operation, Result, Trace};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
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

/// Counters of one operation of one component.
struct Counters {
    outcomes: [AtomicU64; OUTCOMES],
    time: Latency,
}

/// The calls that are counted.
#[derive(Clone, Debug)]
pub(super) enum Counted {
    Component {
        block: &'static str,
        component: ComponentName,
    },
    App(Name),
}

/// Counters of one component or of one app, a set for each operation or kind of call.
pub struct CallMetrics {
    tenant: Name,
    counted: Counted,
    operations: &'static [Operation],
    counters: Vec<Counters>,
}

static CALLS: Family = Family::counter(
    "wythe_calls_total",
    "Calls of components (stores, brokers, ...) by outcome. Anything but ok is a call that failed; the log has the cause.",
);
static CALL_TIME: Family = Family::histogram(
    "wythe_call_duration_seconds",
    "Time of calls of components, retries included.",
);
static APP_CALLS: Family = Family::counter(
    "wythe_app_calls_total",
    "Calls of apps by kind and outcome; what was refused is among them.",
);
static APP_TIME: Family = Family::histogram(
    "wythe_app_call_duration_seconds",
    "Time of calls of apps, the wait for a place included; of HTTP, until the answer begins.",
);

/// The counters of a component.
pub(crate) fn of_component(
    tenant: &Name,
    block: &'static str,
    component: &ComponentName,
    operations: &'static [Operation],
) -> CallMetrics {
    let component = component.clone();
    CallMetrics::new(tenant, Counted::Component { block, component }, operations)
}

/// The counters of an app.
pub(crate) fn of_app(tenant: &Name, app: &Name, kinds: &'static [Operation]) -> CallMetrics {
    CallMetrics::new(tenant, Counted::App(app.clone()), kinds)
}

impl CallMetrics {
    fn new(tenant: &Name, counted: Counted, operations: &'static [Operation]) -> Self {
        CallMetrics {
            tenant: tenant.clone(),
            counted,
            operations,
            counters: operations.iter().map(|_| Counters::new()).collect(),
        }
    }

    /// Counts a call. One whose span is recorded stands for the others of its bucket.
    pub(crate) fn record(
        &self,
        operation: Operation,
        outcome: Outcome,
        took: Duration,
        recorded: Option<Trace>,
    ) {
        let Some(counters) = self.counters.get(operation.index()) else {
            return;
        };
        counters.outcomes[outcome.0].fetch_add(1, Relaxed);
        counters.time.add(took, recorded);
    }

    fn labels(&self, operation: &'static str) -> Vec<Label<'_>> {
        match &self.counted {
            Counted::Component { block, component } => vec![
                word("block", block),
                named("component", component.as_str()),
                word("operation", operation),
            ],
            Counted::App(app) => vec![named("app", app.as_str()), word("kind", operation)],
        }
    }
}

impl Source for CallMetrics {
    fn collect(&self, page: &mut Page) {
        let (calls, time) = match &self.counted {
            Counted::Component { .. } => (&CALLS, &CALL_TIME),
            Counted::App(_) => (&APP_CALLS, &APP_TIME),
        };
        let tenant = self.tenant.as_str();
        for (operation, counters) in self.operations.iter().zip(&self.counters) {
            let mut labels = self.labels(operation.name());
            let ends = counters.ends();
            if ends.iter().all(|(_, count)| *count == 0) {
                continue;
            }
            let histogram = counters.time.histogram();
            if page.wants_daprs(&self.tenant) {
                let counts = (ends.as_slice(), &histogram);
                dapr::add_calls(page, tenant, &self.counted, operation.name(), counts);
            }
            page.add(time, tenant, &labels, Value::Histogram(histogram));
            for (outcome, count) in ends.into_iter().filter(|(_, count)| *count > 0) {
                labels.push(word("outcome", outcome));
                page.number(calls, tenant, &labels, count as f64);
                labels.pop();
            }
        }
    }
}

impl Counters {
    fn new() -> Self {
        Counters {
            outcomes: [const { AtomicU64::new(0) }; OUTCOMES],
            time: Latency::new(LATENCY),
        }
    }

    /// The counts by outcome.
    fn ends(&self) -> Vec<(&'static str, u64)> {
        let kinds = Kind::ALL.iter().map(|kind| kind.as_str());
        let names = std::iter::once("ok").chain(kinds);
        let counts = self.outcomes.iter().map(|count| count.load(Relaxed));
        names.zip(counts).collect()
    }
}
