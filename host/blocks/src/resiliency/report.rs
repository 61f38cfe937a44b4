//! The policies as operators see them: breakers in `status`, and counts in the metrics.

use super::{
    Resiliency,
    core::breaker::State,
    target::{Counts, Target},
};
use crate::{
    metrics::{Family, Page, RESILIENCY_LOADED, Source, named, word},
    time::instant,
};
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use wythe_manifest::{Aim, Name};

/// One breaker of a tenant. Of the breakers of single actors those that are not closed are shown, at most 100 of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The target in words, such as ``component `web` (outbound)``.
    pub target: String,
    /// The name of the policy.
    pub policy: String,
    /// The app that it is for, where a document has `scopes`.
    pub app: Option<Name>,
    /// The actor, of a breaker of its own.
    pub actor: Option<String>,
    /// `closed`, `half-open` or `open`.
    pub state: &'static str,
    /// Failures in a row.
    pub failures: u32,
    /// The time for which it stays open.
    pub open_for: Option<Duration>,
}

static RETRIES: Family = Family::counter(
    "wythe_resiliency_retries_total",
    "Attempts after the first, by a policy.",
);
static TIMEOUTS: Family = Family::counter(
    "wythe_resiliency_timeouts_total",
    "Attempts that the timeout of a policy ended.",
);
static UNPAID: Family = Family::counter(
    "wythe_resiliency_budget_refused_total",
    "Retries that were left out, for a target has no more than one for ten calls.",
);
static REFUSED: Family = Family::counter(
    "wythe_resiliency_breaker_refused_total",
    "Calls that a circuit breaker refused.",
);
static BREAKERS: Family = Family::gauge(
    "wythe_resiliency_breakers",
    "Circuit breakers by state; open: the target fails, and calls of it are refused.",
);
static TRANSITIONS: Family = Family::counter(
    "wythe_resiliency_breaker_transitions_total",
    "Changes of circuit breakers, by the state that they led to.",
);
static DAPR_COUNT: Family = Family::counter(
    "dapr_resiliency_count",
    "Dapr's view: executions of policies.",
);
static DAPR_ACTIVATIONS: Family = Family::counter(
    "dapr_resiliency_activations_total",
    "Dapr's view: times that a policy did something: a retry, a timeout, a refusal by a breaker.",
);
static DAPR_STATE: Family = Family::gauge(
    "dapr_resiliency_cb_state",
    "Dapr's view: circuit breakers that are in this state.",
);

impl Resiliency {
    /// Every breaker, in the order of targets.
    pub fn breakers(&self) -> Vec<Reading> {
        let targets = self.targets();
        targets.iter().flat_map(|target| readings(target)).collect()
    }
}

impl Source for Resiliency {
    /// A target without policies has no rows.
    fn collect(&self, page: &mut Page) {
        for target in self.targets() {
            let guards = target.guards();
            if guards.is_empty() {
                continue;
            }
            let mut states = [0; State::ALL.len()];
            for (_, guard) in guards {
                let of_guard = guard.breakers.as_ref().map(|all| all.states(instant()));
                for (sum, one) in states.iter_mut().zip(of_guard.unwrap_or_default()) {
                    *sum += one;
                }
            }
            write_target(&target, states, page);
            write_daprs(&target, states, page);
        }
    }
}

fn readings(target: &Target) -> Vec<Reading> {
    let mut readings = Vec::new();
    for (app, guard) in target.guards() {
        let Some(breakers) = &guard.breakers else {
            continue;
        };
        let list = breakers.list(instant()).into_iter();
        readings.extend(list.map(|(actor, state, failures, open_for)| Reading {
            target: target.key.to_string(),
            policy: breakers.plan.name.clone(),
            app: app.clone(),
            actor,
            state: state.as_str(),
            failures,
            open_for,
        }));
    }
    readings
}

fn write_target(target: &Target, states: [u64; 3], page: &mut Page) {
    let (tenant, key) = (target.tenant.as_str(), &target.key);
    let labels = [
        word("aim", key.aim.as_str()),
        named("target", key.name.as_str()),
    ];
    let Counts {
        retries,
        timeouts,
        unpaid,
        refused,
        changes,
    } = &target.counts;
    let counters = [
        (&RETRIES, retries),
        (&TIMEOUTS, timeouts),
        (&UNPAID, unpaid),
        (&REFUSED, refused),
    ];
    for (family, value) in counters {
        page.number(family, tenant, &labels, read(value));
    }
    let with = |label| [&labels[..], &[label]].concat();
    for (index, state) in State::ALL.into_iter().enumerate() {
        let state = state.as_str();
        let (now, changes) = (states[index] as f64, read(&changes[index]));
        page.number(&BREAKERS, tenant, &with(word("state", state)), now);
        page.number(&TRANSITIONS, tenant, &with(word("to", state)), changes);
    }
}

fn write_daprs(target: &Target, states: [u64; 3], page: &mut Page) {
    if !page.wants_daprs(&target.tenant) {
        return;
    }
    let (tenant, key) = (target.tenant.as_str(), &target.key);
    let direction = match key.aim {
        Aim::Inbound => "inbound",
        Aim::App | Aim::Actor | Aim::Outbound => "outbound",
    };
    let labels = [
        word("app_id", "*"),
        word("flow_direction", direction),
        named("target", format!("{}_{}", key.aim.as_str(), key.name)),
    ];
    let with = |label| [&labels[..], &[label]].concat();
    let Counts {
        retries,
        timeouts,
        refused,
        ..
    } = &target.counts;
    for (policy, count) in [
        ("retry", retries),
        ("timeout", timeouts),
        ("circuitbreaker", refused),
    ] {
        let (labels, count) = (with(word("policy", policy)), read(count));
        page.number(&DAPR_COUNT, tenant, &labels, count);
        page.number(&DAPR_ACTIVATIONS, tenant, &labels, count);
    }
    for (state, count) in State::ALL.into_iter().zip(states) {
        let labels = with(word("status", state.as_str()));
        page.number(&DAPR_STATE, tenant, &labels, count as f64);
    }
    page.number(&RESILIENCY_LOADED, tenant, &[word("app_id", "*")], 1.0);
}

fn read(counter: &AtomicU64) -> f64 {
    counter.load(Relaxed) as f64
}
