//! The policies of one target for one app, by Dapr's precedence: those that a target names, else the default ones, the
//! nearest first, else the built-in ones.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};
use wythe_manifest::{Aim, Breaker, BreakerScope, Name, Resiliency, Retry, Target, Written};

/// Retries of a built-in policy that another one takes the place of, at least: as in Dapr.
const BUILT_IN: u32 = 3;

/// The policies of a target.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The time of one attempt.
    pub timeout: Option<Duration>,
    pub retry: Option<Retry>,
    /// The retry is in the place of one that is built in, and takes what that one takes: what surely did not happen.
    pub is_built_in: bool,
    pub breaker: Option<BreakerPlan>,
    /// A target that is named has what it names, and nothing that is built in beside it but the time of an attempt.
    pub is_named: bool,
}

/// A breaker, and the calls that share it.
#[derive(Clone, Debug, PartialEq)]
pub struct BreakerPlan {
    pub name: String,
    pub breaker: Breaker,
    pub scope: BreakerScope,
    pub cache: usize,
}

/// The documents of a tenant, found by the names in them.
#[derive(Debug, Default)]
pub struct Documents {
    all: Vec<Resiliency>,
    /// Numbers of documents by what they have a policy or target of; those of default policies in lower case.
    timeouts: HashMap<String, Vec<usize>>,
    retries: HashMap<String, Vec<usize>>,
    breakers: HashMap<String, Vec<usize>>,
    targets: HashMap<(Aim, String), Vec<(usize, usize)>>,
}

impl Documents {
    /// The documents that are the tenant's.
    pub fn new(tenant: &Name, all: &[Resiliency]) -> Self {
        let own = all.iter().filter(|one| tenant.has(one.namespace.as_ref()));
        let mut documents = Documents {
            all: own.cloned().collect(),
            ..Documents::default()
        };
        for (number, one) in documents.all.iter().enumerate() {
            index(&mut documents.timeouts, number, one.timeouts.keys());
            index(&mut documents.retries, number, one.retries.keys());
            index(&mut documents.breakers, number, one.breakers.keys());
            for (place, target) in one.targets.iter().enumerate() {
                let key = (target.aim, target.name.clone());
                documents
                    .targets
                    .entry(key)
                    .or_default()
                    .push((number, place));
            }
        }
        documents
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The apps that documents name in their scopes: for others all is alike.
    pub fn apps(&self) -> BTreeSet<Name> {
        let scopes = self.all.iter().flat_map(|one| &one.scopes);
        scopes.cloned().collect()
    }

    /// The policies of a target for calls by an app, or, without one, by all that no document names; none where it has
    /// none.
    pub fn plan(&self, aim: Aim, name: &str, block: &str, app: Option<&Name>) -> Option<Plan> {
        let of = For {
            documents: self,
            app,
        };
        let found = self.targets.get(&(aim, name.to_owned()));
        let mut found = found.into_iter().flatten();
        if let Some((number, place)) = found.find(|(number, _)| of.applies(*number)) {
            return Some(of.named(&self.all[*number].targets[*place]));
        }
        let plan = of.default(aim, block);
        let is_empty = plan.timeout.is_none() && plan.retry.is_none() && plan.breaker.is_none();
        (!is_empty).then_some(plan)
    }
}

fn index<'a>(
    map: &mut HashMap<String, Vec<usize>>,
    number: usize,
    names: impl Iterator<Item = &'a String>,
) {
    for name in names {
        map.entry(key(name)).or_default().push(number);
    }
}

/// A policy is found whatever the case of a default one is: Dapr's own documents do not agree on it.
fn key(name: &str) -> String {
    match name.get(..7) {
        Some(start) if start.eq_ignore_ascii_case("default") => name.to_lowercase(),
        _ => name.to_owned(),
    }
}

fn entry<'a, T>(
    policies: &'a BTreeMap<String, Written<T>>,
    name: &str,
) -> Option<(&'a String, &'a Written<T>)> {
    let other = || policies.iter().find(|(known, _)| key(known) == key(name));
    policies.get_key_value(name).or_else(other)
}

/// The documents that are for calls by one app.
struct For<'a> {
    documents: &'a Documents,
    app: Option<&'a Name>,
}

impl<'a> For<'a> {
    fn applies(&self, number: usize) -> bool {
        let scopes = &self.documents.all[number].scopes;
        scopes.is_empty() || self.app.is_some_and(|app| scopes.contains(app))
    }

    /// The policy of a name, by what a document has of it.
    fn find<T>(
        &self,
        index: &HashMap<String, Vec<usize>>,
        name: &str,
        of: impl Fn(&'a Resiliency, &str) -> Option<T>,
    ) -> Option<T> {
        let numbers = index.get(&key(name)).into_iter().flatten();
        let mut numbers = numbers.filter(|number| self.applies(**number));
        numbers.find_map(|number| of(&self.documents.all[*number], name))
    }

    fn timeout(&self, name: &str) -> Option<Duration> {
        let of = |one: &'a Resiliency, name: &str| Some(entry(&one.timeouts, name)?.1.value);
        self.find(&self.documents.timeouts, name, of)
    }

    fn retry(&self, name: &str) -> Option<Retry> {
        let of = |one: &'a Resiliency, name: &str| Some(entry(&one.retries, name)?.1.value.clone());
        self.find(&self.documents.retries, name, of)
    }

    fn breaker(&self, name: &str, scope: BreakerScope, cache: usize) -> Option<BreakerPlan> {
        self.find(&self.documents.breakers, name, |one, name| {
            let (name, written) = entry(&one.breakers, name)?;
            Some(BreakerPlan {
                name: name.clone(),
                breaker: written.value.clone(),
                scope,
                cache,
            })
        })
    }

    fn named(&self, target: &Target) -> Plan {
        let timeout = target.timeout.as_ref();
        let retry = target.retry.as_ref();
        let breaker = target.breaker.as_ref();
        Plan {
            timeout: timeout.and_then(|named| self.timeout(&named.name)),
            retry: retry.and_then(|named| self.retry(&named.name)),
            is_built_in: false,
            breaker: breaker
                .and_then(|named| self.breaker(&named.name, target.scope, target.cache)),
            is_named: true,
        }
    }

    fn default(&self, aim: Aim, block: &str) -> Plan {
        let timeouts = aim.default_timeouts(block);
        let retries = aim.default_retries(block);
        let breakers = aim.default_breakers(block);
        // One for all calls, so that there are none of single actors to remember.
        let breaker = |name: &String| self.breaker(name, BreakerScope::Type, 0);
        let retry = retries.iter().find_map(|name| self.retry(name));
        Plan {
            timeout: timeouts.iter().find_map(|name| self.timeout(name)),
            is_built_in: retry.is_none(),
            retry: retry.or_else(|| self.built_in(aim)),
            breaker: breakers.iter().find_map(breaker),
            is_named: false,
        }
    }

    /// A retry of the name of a built-in one, which never has fewer attempts.
    fn built_in(&self, aim: Aim) -> Option<Retry> {
        let mut retry = self.retry(aim.built_in()?)?;
        retry.max_retries = retry.max_retries.map(|count| count.max(BUILT_IN));
        Some(retry)
    }
}
