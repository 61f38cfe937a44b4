//! Settings whose values are in secret stores: which store is opened first, and the error where a value is missing.

use super::{Configured, GET, NAMES, Secrets, Value};
use crate::{Call, Error, component::Component, time};
use std::collections::{BTreeMap, BTreeSet};
use wythe_manifest::{
    Component as Manifest, ComponentName, Name, Problem, Secret, SecretReference, did_you_mean,
};

/// The name, in spans and metrics, of the caller that looks up what the operator wrote.
const OPERATOR: &str = "operator";

/// The secret stores of one tenant while they are opened.
pub(crate) struct Stores<'a> {
    tenant: &'a Name,
    /// The secret stores by name; where two have it, the tenant's own.
    all: BTreeMap<&'a str, &'a Manifest>,
    /// Stores that could not be opened, which was reported already.
    failed: BTreeSet<ComponentName>,
    /// Stores that could not be opened and may be missing.
    left_out: BTreeSet<ComponentName>,
}

/// The outcome of the references of one component.
pub(crate) enum Looked {
    /// All have their values.
    Up(Box<Manifest>),
    /// A store that it needs is not open, which was reported already.
    Reported,
    /// The problem of each wrong reference.
    Wrong(Vec<Problem>),
}

/// One reference without a value.
enum Miss {
    Reported,
    Wrong(Box<Problem>),
}

impl<'a> Stores<'a> {
    pub(crate) fn new(tenant: &'a Name, components: &[&'a Manifest]) -> Self {
        let mut all = BTreeMap::new();
        for store in components.iter().filter(|c| c.block == "secretstores") {
            let place = all.entry(store.name.as_str()).or_insert(*store);
            if store.namespace.is_some() {
                *place = *store;
            }
        }
        let (failed, left_out) = Default::default();
        Stores {
            tenant,
            all,
            failed,
            left_out,
        }
    }

    /// Sorts the stores: each comes after those that it refers to. Stores that refer to themselves in the end are an
    /// error and count as failed.
    pub(crate) fn in_order(&mut self) -> (Vec<&'a Manifest>, Vec<Error>) {
        let (mut order, mut problems) = (Vec::new(), Vec::new());
        let mut left: Vec<&Manifest> = self.all.values().copied().collect();
        loop {
            let waits = |store: &Manifest| {
                let known = |name: &str| left.iter().any(|other| other.name.as_str() == name);
                let mut references = store.metadata.references().into_iter();
                references.any(|reference| known(&reference.store))
            };
            let (later, now): (Vec<_>, Vec<_>) =
                left.iter().copied().partition(|store| waits(store));
            if now.is_empty() {
                break;
            }
            order.extend(now);
            left = later;
        }
        let mut reported = BTreeSet::new();
        for store in &left {
            self.failed.insert(store.name.clone());
            if let Some(cycle) = self.cycle(store)
                && reported.insert(cycle.iter().copied().collect::<BTreeSet<_>>())
            {
                problems.push(circular(store, &cycle));
            }
        }
        (order, problems)
    }

    /// The way from a store back to itself.
    fn cycle(&self, start: &'a Manifest) -> Option<Vec<&'a str>> {
        let mut ways = vec![vec![start.name.as_str()]];
        let mut seen = BTreeSet::new();
        while let Some(way) = ways.pop() {
            let store = self.all.get(way.last().copied()?)?;
            for reference in store.metadata.references() {
                let next = self.all.get_key_value(reference.store.as_str());
                let Some((next, _)) = next else { continue };
                if *next == start.name.as_str() {
                    return Some(way);
                }
                if seen.insert(*next) {
                    ways.push([way.as_slice(), &[*next]].concat());
                }
            }
        }
        None
    }

    /// Says that a store is not there for others.
    pub(crate) fn fail(&mut self, store: &Manifest) {
        let set = match store.ignore_errors {
            true => &mut self.left_out,
            false => &mut self.failed,
        };
        set.insert(store.name.clone());
    }

    /// Gives every reference of a component its value. The stores that it needs were opened before.
    pub(crate) async fn look_up(&self, secrets: &Secrets, component: &Manifest) -> Looked {
        let mut component = component.clone();
        let deadline = time::deadline(component.init_timeout);
        let app = OPERATOR.parse().expect("it is a good name");
        let caller = Call::operator(self.tenant.clone(), app, deadline);
        let (mut reported, mut wrong) = (false, Vec::new());
        for reference in component.metadata.references() {
            match self.value(secrets, &caller, &component, &reference).await {
                Ok(value) => component.metadata.resolve(&reference, value),
                Err(Miss::Reported) => reported = true,
                Err(Miss::Wrong(problem)) => wrong.push(*problem),
            }
        }
        match (reported, wrong.is_empty()) {
            (_, false) => Looked::Wrong(wrong),
            (true, true) => Looked::Reported,
            (false, true) => Looked::Up(Box::new(component)),
        }
    }

    async fn value(
        &self,
        secrets: &Secrets,
        caller: &Call,
        component: &Manifest,
        reference: &SecretReference,
    ) -> Result<Secret, Miss> {
        let SecretReference {
            store, name, key, ..
        } = reference;
        let wrong = |message: String, help: Option<String>| {
            let problem = reference.problem(component, message);
            Miss::Wrong(Box::new(Problem { help, ..problem }))
        };
        let Some(manifest) = self.all.get(store.as_str()) else {
            let help = did_you_mean(store, self.all.keys().copied());
            return Err(wrong(format!("no secret store is called `{store}`"), help));
        };
        if self.failed.contains(&manifest.name) {
            return Err(Miss::Reported);
        }
        let opened = secrets.components.of(&manifest.name);
        let opened = opened.map(|slot| slot.component());
        let Some(opened) = opened.filter(|_| !self.left_out.contains(&manifest.name)) else {
            return Err(wrong(
                format!("the secret store `{store}` was left out"),
                None,
            ));
        };
        let asked = opened.call(caller, GET, |d| d.driver.get(name, &[])).await;
        let found = asked.map_err(|error| {
            let reported = error.message();
            wrong(
                format!("the secret store `{store}` cannot be read: {reported}"),
                None,
            )
        })?;
        let Some(found) = found else {
            let names = names(&opened, caller).await;
            let help = did_you_mean(name, names.iter().map(String::as_str));
            let message = format!("the secret store `{store}` has no secret `{name}`");
            return Err(wrong(message, help));
        };
        pick(&found.values, name, key).map_err(|message| wrong(message, None))
    }
}

/// Lists names for advice alone: that they cannot be told is beside the point.
async fn names(store: &Component<Configured>, caller: &Call) -> Vec<String> {
    match store.driver().driver.features().names {
        true => store.call(caller, NAMES, |d| d.driver.names()).await,
        false => Ok(Vec::new()),
    }
    .unwrap_or_default()
}

/// One value of a secret, as the text that a setting is.
fn pick(values: &BTreeMap<String, Value>, name: &str, key: &str) -> Result<Secret, String> {
    let Some(value) = values.get(key) else {
        let keys: Vec<_> = values.keys().map(|key| format!("`{key}`")).collect();
        return Err(match keys.as_slice() {
            [] => format!("the secret `{name}` has no value"),
            [only] => format!("the secret `{name}` has only the key {only}, found `{key}`"),
            _ => format!(
                "the secret `{name}` has the keys {}, found `{key}`",
                keys.join(", ")
            ),
        });
    };
    let text = std::str::from_utf8(value.reveal());
    text.map(Secret::new).map_err(|_| {
        format!("the secret `{name}` is not UTF-8 text, which the value of a setting is")
    })
}

fn circular(store: &Manifest, cycle: &[&str]) -> Error {
    let names: Vec<_> = cycle.iter().map(|name| format!("`{name}`")).collect();
    let first = cycle.first().copied().unwrap_or_default();
    Error::invalid(format!(
        "component `{}`: needs a secret of its own to open: {} -> `{first}`; write one of their values out",
        store.name,
        names.join(" -> ")
    ))
    .at(&store.source)
}
