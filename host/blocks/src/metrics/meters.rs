//! Counts of one app, or of one plugin, beside its calls: what its code takes, what becomes of its events, jobs and workflows.

use super::{
    Source, dapr,
    deliveries::{Deliveries, Of},
    ends::{self, End, Ends},
    page::{Family, Label, OTHER, Page, Value, named, word},
    timing::{LATENESS, Timing},
};
use crate::{Rate, Trace, time::nanoseconds};
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use wythe_manifest::Name;

/// The shortest time between two log lines of an app about workers that its calls held.
const HELD_EVERY: Duration = Duration::from_secs(10);
/// Subscriptions of an app that have counts of their own.
const SUBSCRIPTIONS: usize = 200;

/// The cause of a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was refused memory before, by its limit or its tenant's quota.
    Memory,
    Stack,
    /// Its time on a worker was over.
    Cpu,
    Fuel,
    /// A panic, an assertion, an abort: `unreachable`.
    Unreachable,
    Other,
}

impl Cause {
    const ALL: [(Cause, &'static str); 6] = [
        (Cause::Memory, "memory"),
        (Cause::Stack, "stack"),
        (Cause::Cpu, "cpu"),
        (Cause::Fuel, "fuel"),
        (Cause::Unreachable, "unreachable"),
        (Cause::Other, "other"),
    ];
}

/// The ends of a request to the outside.
const REQUEST: [&str; 4] = ["sent", "failed", "denied", "limited"];

/// The fate of a request to the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Egress {
    Sent,
    Failed,
    /// Refused, for want of a grant or for its address.
    Denied,
    /// Refused, for too many are under way.
    Limited,
}

/// Times between when things were due and when they began.
#[derive(Debug)]
pub(crate) struct Lag(pub(super) Timing);

impl Default for Lag {
    fn default() -> Self {
        Lag(Timing::new(LATENESS))
    }
}

impl Lag {
    /// Notes that something which was due at `due` begins at `now`, both in milliseconds.
    pub fn note(&self, due: u64, now: u64) {
        self.0.add(Duration::from_millis(now.saturating_sub(due)));
    }
}

type Topic = (String, String);

/// Counts of one app or plugin.
#[derive(Debug)]
pub struct Meters {
    pub(super) tenant: Name,
    pub(super) id: String,
    /// The name of the label that has the id.
    label: &'static str,
    traps: [AtomicU64; Cause::ALL.len()],
    cpu: AtomicU64,
    memory: AtomicU64,
    waiting: AtomicUsize,
    requests: [AtomicU64; REQUEST.len()],
    sent: AtomicU64,
    log_dropped: AtomicU64,
    held: AtomicU64,
    held_lines: Rate,
    pub(super) statuses: Mutex<BTreeMap<u16, u64>>,
    deliveries: Mutex<BTreeMap<Topic, Arc<Deliveries>>>,
    pub(super) workflows: Ends,
    pub(super) activities: Ends,
    pub(crate) jobs: Lag,
    pub(crate) reminders: Lag,
}

impl Meters {
    /// The counts of an app.
    pub fn of_app(tenant: Name, id: &Name) -> Arc<Self> {
        Self::new(tenant, id.to_string(), "app")
    }

    /// The counts of a plugin, by the name of its component.
    pub fn of_plugin(tenant: Name, component: &str) -> Arc<Self> {
        Self::new(tenant, component.to_owned(), "plugin")
    }

    fn new(tenant: Name, id: String, label: &'static str) -> Arc<Self> {
        Arc::new(Meters {
            tenant,
            id,
            label,
            traps: Default::default(),
            cpu: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            requests: Default::default(),
            sent: AtomicU64::new(0),
            log_dropped: AtomicU64::new(0),
            held: AtomicU64::new(0),
            held_lines: Rate::new(1, HELD_EVERY),
            statuses: Mutex::default(),
            deliveries: Mutex::default(),
            workflows: Ends::default(),
            activities: Ends::default(),
            jobs: Lag::default(),
            reminders: Lag::default(),
        })
    }

    pub fn trapped(&self, cause: Cause) {
        self.traps[cause as usize].fetch_add(1, Relaxed);
    }

    /// Adds time that its code was on a worker.
    pub fn worked(&self, time: Duration) {
        self.cpu.fetch_add(nanoseconds(time), Relaxed);
    }

    /// Notes that its instances have more memory.
    pub fn grew(&self, bytes: u64) {
        self.memory.fetch_add(bytes, Relaxed);
    }

    /// Notes that an instance with so much memory is gone.
    pub fn shrank(&self, bytes: u64) {
        self.memory.fetch_sub(bytes, Relaxed);
    }

    /// Counts a request to the outside.
    pub fn requested(&self, fate: Egress) {
        self.requests[fate as usize].fetch_add(1, Relaxed);
    }

    /// Adds bytes of bodies that left for the outside.
    pub fn sent(&self, bytes: u64) {
        self.sent.fetch_add(bytes, Relaxed);
    }

    /// Counts a log record that was dropped.
    pub fn log_dropped(&self) {
        self.log_dropped.fetch_add(1, Relaxed);
    }

    /// Counts that a call held a worker for too long. True where the log is to say so: once in 10 s.
    pub fn held(&self) -> bool {
        self.held.fetch_add(1, Relaxed);
        self.held_lines.allows().is_some()
    }

    pub(crate) fn wait(&self) -> Waiting<'_> {
        self.waiting.fetch_add(1, Relaxed);
        Waiting(self)
    }

    /// Counts an answer of HTTP. A status that is none of HTTP's is counted as 0.
    pub(crate) fn answered(&self, status: u16) {
        let known =
            http::StatusCode::from_u16(status).is_ok_and(|s| s.canonical_reason().is_some());
        let status = if known { status } else { 0 };
        *self.statuses.lock().entry(status).or_default() += 1;
    }

    /// The counts of a subscription; those that are too many have one for all.
    pub(crate) fn deliveries(&self, component: &str, topic: &str) -> Arc<Deliveries> {
        let mut all = self.deliveries.lock();
        let own = (component.to_owned(), topic.to_owned());
        let key = match all.len() >= SUBSCRIPTIONS && !all.contains_key(&own) {
            true => (OTHER.to_owned(), OTHER.to_owned()),
            false => own,
        };
        all.entry(key)
            .or_insert_with(|| Arc::new(Deliveries::new()))
            .clone()
    }

    /// Counts the end of a workflow, which took so long and belongs to this trace, if to any.
    pub(crate) fn workflow_ended(&self, end: End, took: Duration, trace: Option<Trace>) {
        self.workflows.note(end, took, trace);
    }

    /// Counts an attempt of an activity, which took so long and belongs to this trace, if to any.
    pub(crate) fn activity_ended(&self, end: End, took: Duration, trace: Option<Trace>) {
        self.activities.note(end, took, trace);
    }

    fn whose(&self) -> Label<'_> {
        named(self.label, self.id.as_str())
    }

    fn count(&self, page: &mut Page, family: &'static Family, value: u64) {
        if value > 0 {
            self.gauge(page, family, value);
        }
    }

    /// Adds what there is now, be it nothing.
    fn gauge(&self, page: &mut Page, family: &'static Family, value: u64) {
        page.number(family, self.tenant.as_str(), &[self.whose()], value as f64);
    }

    fn counts<'a>(
        &self,
        page: &mut Page,
        family: &'static Family,
        label: &'static str,
        counts: impl IntoIterator<Item = (&'static str, &'a AtomicU64)>,
    ) {
        for (value, count) in counts {
            let count = count.load(Relaxed);
            if count > 0 {
                let labels = [self.whose(), word(label, value)];
                page.number(family, self.tenant.as_str(), &labels, count as f64);
            }
        }
    }

    fn lag(&self, page: &mut Page, family: &'static Family, lag: &Lag) {
        if lag.0.count() > 0 {
            let value = Value::Histogram(lag.0.histogram());
            page.add(family, self.tenant.as_str(), &[self.whose()], value);
        }
    }
}

/// A call that waits for a place, for as long as this lives.
pub(crate) struct Waiting<'a>(&'a Meters);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

impl Source for Meters {
    fn collect(&self, page: &mut Page) {
        let traps = Cause::ALL.iter().map(|(_, name)| *name);
        self.counts(page, &TRAPS, "cause", traps.zip(&self.traps));
        let (cpu, whose) = (self.cpu.load(Relaxed) as f64 / 1e9, [self.whose()]);
        page.number(&CPU, self.tenant.as_str(), &whose, cpu);
        self.gauge(page, &MEMORY, self.memory.load(Relaxed));
        self.gauge(page, &WAITING, self.waiting.load(Relaxed) as u64);
        self.counts(
            page,
            &REQUESTS,
            "outcome",
            REQUEST.into_iter().zip(&self.requests),
        );
        self.count(page, &SENT, self.sent.load(Relaxed));
        self.count(page, &LOG_DROPPED, self.log_dropped.load(Relaxed));
        self.count(page, &HELD, self.held.load(Relaxed));
        let (workflows, activities) = (&ends::WORKFLOWS, &ends::ACTIVITIES);
        let (tenant, app) = (&self.tenant, self.whose());
        self.workflows.collect(page, workflows, tenant, &app);
        self.activities.collect(page, activities, tenant, &app);
        self.lag(page, &JOB_LAG, &self.jobs);
        self.lag(page, &REMINDER_LAG, &self.reminders);
        // The lock is not held while rows are made.
        let deliveries = self.deliveries.lock().clone();
        for ((component, topic), counts) in deliveries {
            let of = Of {
                tenant: &self.tenant,
                app: &self.id,
                component: &component,
                topic: &topic,
            };
            counts.collect(page, &of);
        }
        dapr::add_app(page, self);
    }
}

static TRAPS: Family = Family::counter(
    "wythe_traps_total",
    "Crashes of guests by cause. memory: raise limits.memory; stack: too deep a recursion; cpu: limits.cpuTime; unreachable: a panic, the log has its frames.",
);
static CPU: Family = Family::counter(
    "wythe_cpu_seconds_total",
    "CPU time of guests, in steps of 2 ms, with what the host computes for them.",
);
static MEMORY: Family = Family::gauge(
    "wythe_guest_memory_bytes",
    "Linear memory of all instances of a guest now; each has limits.memory at most.",
);
static WAITING: Family = Family::gauge(
    "wythe_app_calls_waiting",
    "Calls that wait for a place now, for limits.concurrency are under way.",
);
static REQUESTS: Family = Family::counter(
    "wythe_egress_requests_total",
    "Requests of guests to the outside. denied: no grant or a forbidden address; limited: too many at once; failed: no answer.",
);
static SENT: Family = Family::counter(
    "wythe_egress_bytes_total",
    "Bytes of bodies that guests sent to the outside.",
);
static LOG_DROPPED: Family = Family::counter(
    "wythe_guest_log_records_dropped_total",
    "Log records of a guest that were dropped, over limits.logBytesPerSecond.",
);
static HELD: Family = Family::counter(
    "wythe_worker_held_total",
    "Times that a call held a worker for 10 ms or more.",
);
static JOB_LAG: Family = Family::histogram(
    "wythe_job_delay_seconds",
    "Time from when an occurrence of a job was due until its app was asked.",
);
static REMINDER_LAG: Family = Family::histogram(
    "wythe_reminder_delay_seconds",
    "Time from when a reminder of an actor was due until its turn began.",
);
