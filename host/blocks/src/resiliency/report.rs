//! The policies as operators see them: breakers in `status`, and counts in the metrics.

use super::{
    Resiliency,
    core::breaker::State,
    target::{Counts, Target},
};
use crate::time::instant;
use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use wythe_manifest::Name;

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

/// The metrics of policies: name, kind and help.
pub(crate) const METRICS: [(&str, &str, &str); 6] = [
    (
        "wythe_resiliency_retries_total",
        "counter",
        "Attempts after the first, by a policy.",
    ),
    (
        "wythe_resiliency_timeouts_total",
        "counter",
        "Attempts that the timeout of a policy ended.",
    ),
    (
        "wythe_resiliency_budget_refused_total",
        "counter",
        "Retries that were left out, for a target has no more than one for ten calls.",
    ),
    (
        "wythe_resiliency_breaker_refused_total",
        "counter",
        "Calls that a circuit breaker refused.",
    ),
    (
        "wythe_resiliency_breakers",
        "gauge",
        "Circuit breakers by state.",
    ),
    (
        "wythe_resiliency_breaker_transitions_total",
        "counter",
        "Changes of circuit breakers, by the state that they led to.",
    ),
];

impl Resiliency {
    /// Every breaker, in the order of targets.
    pub fn breakers(&self) -> Vec<Reading> {
        let targets = self.targets();
        targets.iter().flat_map(|target| readings(target)).collect()
    }

    /// Adds the samples of the tenant to those of each metric; a target without policies has none.
    pub(crate) fn write(&self, samples: &mut [String; METRICS.len()]) {
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
            write_target(&target, states, samples);
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

fn write_target(target: &Target, states: [u64; 3], samples: &mut [String; METRICS.len()]) {
    let (tenant, key) = (&target.tenant, &target.key);
    let name = key.name.escape_default();
    let labels = format!(
        "tenant=\"{tenant}\",aim=\"{}\",target=\"{name}\"",
        key.aim.as_str()
    );
    let Counts {
        retries,
        timeouts,
        unpaid,
        refused,
        changes,
    } = &target.counts;
    let counters = [retries, timeouts, unpaid, refused].map(read);
    for ((text, metric), value) in samples.iter_mut().zip(METRICS).zip(counters) {
        let _ = writeln!(text, "{}{{{labels}}} {value}", metric.0);
    }
    for (index, state) in State::ALL.into_iter().enumerate() {
        let (state, changes) = (state.as_str(), read(&changes[index]));
        let [gauge, counter] = [METRICS[4].0, METRICS[5].0];
        let _ = writeln!(
            samples[4],
            "{gauge}{{{labels},state=\"{state}\"}} {}",
            states[index]
        );
        let _ = writeln!(samples[5], "{counter}{{{labels},to=\"{state}\"}} {changes}");
    }
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Relaxed)
}
