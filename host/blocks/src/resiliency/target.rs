//! One target of policies: what holds for its calls now, and the counts of what the policies did.

mod run;

pub use run::{Guarded, Limit};

use super::{
    breakers::{Breakers, Change},
    core::{
        breaker::State,
        budget::Budget,
        plan::{Documents, Plan},
    },
};
use crate::Rate;
use arc_swap::ArcSwapOption;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
    time::Instant,
};
use wythe_manifest::{Aim, Duration as Written, Expression, Name};

/// The identity of a target in its tenant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub aim: Aim,
    pub name: String,
    /// The block of a component; empty of others.
    pub block: &'static str,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.aim {
            Aim::App => write!(f, "app `{name}`"),
            Aim::Actor => write!(f, "actor type `{name}`"),
            Aim::Inbound => write!(f, "component `{name}` (inbound)"),
            Aim::Outbound => write!(f, "component `{name}` (outbound)"),
        }
    }
}

/// One target.
pub struct Target {
    pub(super) tenant: Name,
    pub(super) key: Key,
    /// False where there are none, which is all that a call without a policy looks at.
    is_guarded: AtomicBool,
    guards: ArcSwapOption<Guards>,
    pub(super) counts: Counts,
    log: Rate,
}

/// Counts of a target since it is there.
#[derive(Default)]
pub(super) struct Counts {
    pub retries: AtomicU64,
    pub timeouts: AtomicU64,
    /// Retries that the budget refused.
    pub unpaid: AtomicU64,
    /// Attempts that a breaker refused.
    pub refused: AtomicU64,
    /// Changes of breakers, by the state that they led to.
    pub changes: [AtomicU64; State::ALL.len()],
}

/// Policies of a target, by the app that calls.
struct Guards {
    of_all: Option<Arc<Guard>>,
    /// Those of apps for which documents have a scope.
    by_app: BTreeMap<Name, Option<Arc<Guard>>>,
}

/// Policies of a target, with their state.
pub struct Guard {
    pub(super) plan: Plan,
    pub(super) budget: Mutex<Budget>,
    pub(super) breakers: Option<Breakers>,
}

impl Guard {
    fn new(plan: Plan, now: Instant) -> Self {
        Guard {
            budget: Mutex::new(Budget::new(now)),
            breakers: plan.breaker.clone().map(|plan| Breakers::new(plan, now)),
            plan,
        }
    }
}

impl Target {
    /// A target without policies.
    pub fn new(tenant: Name, key: Key) -> Arc<Self> {
        Arc::new(Target {
            tenant,
            key,
            is_guarded: AtomicBool::new(false),
            guards: ArcSwapOption::empty(),
            counts: Counts::default(),
            log: Rate::per_minute(6),
        })
    }

    /// The policies for a call by an app; none is the rule.
    pub fn guard(&self, app: &Name) -> Option<Arc<Guard>> {
        if !self.is_guarded.load(Acquire) {
            return None;
        }
        let guards = self.guards.load();
        let guards = guards.as_ref()?;
        let found = guards.by_app.get(app).unwrap_or(&guards.of_all);
        found.clone()
    }

    /// Puts what documents say of the target in force. A policy that is written as before goes on as it is.
    pub(super) fn apply(&self, documents: &Documents, now: Instant) {
        if documents.is_empty() {
            return self.put(None);
        }
        let before = self.guards.load_full();
        let before = before.as_deref();
        let Key { aim, name, block } = &self.key;
        let plan = |app: Option<&Name>| documents.plan(*aim, name, block, app);
        let guard = |plan: Plan, old: Option<&Arc<Guard>>| {
            let same = old.filter(|old| old.plan == plan);
            same.cloned()
                .unwrap_or_else(|| Arc::new(Guard::new(plan, now)))
        };
        let of_all = plan(None).map(|plan| {
            let old = before.and_then(|guards| guards.of_all.as_ref());
            guard(plan, old)
        });
        let by_app = documents.apps().into_iter().filter_map(|app| {
            let plan = plan(Some(&app));
            let is_other = plan.as_ref() != of_all.as_ref().map(|guard| &guard.plan);
            is_other.then(|| {
                let old = before.and_then(|guards| guards.by_app.get(&app)?.as_ref());
                let guard = plan.map(|plan| guard(plan, old));
                (app, guard)
            })
        });
        let by_app = by_app.collect();
        let guards = Guards { by_app, of_all };
        let is_empty = guards.of_all.is_none() && guards.by_app.is_empty();
        self.put((!is_empty).then(|| Arc::new(guards)));
    }

    fn put(&self, guards: Option<Arc<Guards>>) {
        let is_guarded = guards.is_some();
        self.guards.store(guards);
        self.is_guarded.store(is_guarded, Release);
    }

    /// Every set of policies, with the app that it is for where it is not for all.
    pub(super) fn guards(&self) -> Vec<(Option<Name>, Arc<Guard>)> {
        let Some(guards) = self.guards.load_full() else {
            return Vec::new();
        };
        let of_all = guards.of_all.iter().map(|guard| (None, guard.clone()));
        let by_app = guards.by_app.iter();
        let by_app = by_app.filter_map(|(app, guard)| Some((Some(app.clone()), guard.clone()?)));
        of_all.chain(by_app).collect()
    }

    /// Counts a change of a breaker, and says in the log what to do about one that opened.
    pub(super) fn note(&self, breakers: &Breakers, change: Change) {
        self.counts.changes[change.to as usize].fetch_add(1, Relaxed);
        let (tenant, target, plan) = (&self.tenant, &self.key, &breakers.plan);
        let (name, breaker) = (&plan.name, &plan.breaker);
        if change.to != State::Open {
            let state = change.to.as_str();
            return tracing::debug!(%tenant, %target, policy = name, state, "circuit breaker");
        }
        if self.log.allows().is_some() {
            tracing::warn!(
                %tenant,
                %target,
                policy = name,
                failures = change.failures,
                "the circuit breaker opened, for `{}`: calls are refused for {}, then {} may try; \
                 `wythe status` shows the last error, and `circuitBreakers.{name}` has `trip` and `timeout`",
                Expression::shown(breaker.trip.text()),
                Written(breaker.timeout),
                breaker.max_requests,
            );
        }
    }
}
