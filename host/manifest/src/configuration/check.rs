//! Documents together: secret stores that are there and have one scope, and no more than calls and components are compared with.

use std::collections::{HashMap, HashSet};

use super::{Configuration, SecretScope, Subject};
use crate::name::Name;
use crate::problem::{Problem, Problems, Source};
use crate::resources::Resources;
use crate::suggest::did_you_mean;

const STORES: &str = "secretstores";
/// Documents of a project that have an `accessControl` or an `api`: a call looks at each of them.
const MAX_DOCUMENTS: usize = 100;
/// Operations for one caller in all documents together: a call may look at each of them.
const MAX_OPERATIONS: usize = 1_000;
/// Denied types of a project: each component is compared with all.
const MAX_TYPES: usize = 1_000;

/// Compares all documents of a project.
pub(crate) fn check(resources: &mut Resources, problems: &mut Problems) {
    check_scopes(resources, problems);
    check_types(resources, problems);
    check_documents(resources, problems);
    check_operations(resources, problems);
    check_pipelines(resources, problems);
    check_app_pipelines(resources, problems);
}

/// Two documents with handlers of one tenant would say no order.
fn check_pipelines(resources: &Resources, problems: &mut Problems) {
    let documents = resources.configurations.iter();
    let mut pipelines: Scopes = Scopes::default();
    for one in documents.filter(|one| !one.pipeline.is_empty()) {
        let namespace = one.namespace.as_ref();
        if let Some(other) = pipelines.meeting(namespace) {
            let message = format!(
                "there are handlers already in {other}; write all of them there, in the order in which they run"
            );
            let problem = one.source.problem("spec.httpPipeline", message);
            problems.0.push(problem);
        }
        pipelines.add(namespace, &one.source);
    }
}

/// Two documents with handlers of one app would say no order, either.
fn check_app_pipelines(resources: &mut Resources, problems: &mut Problems) {
    let documents = resources.configurations.iter();
    let documents = documents.filter(|one| !one.app_pipeline.is_empty());
    let documents: Vec<_> = documents.collect();
    if let Some(one) = documents.get(MAX_DOCUMENTS) {
        let message =
            format!("more than {MAX_DOCUMENTS} documents with `appHttpPipeline`; join them");
        problems.0.push(one.source.problem("kind", message));
        resources.configurations.clear();
        return;
    }
    for (number, one) in documents.iter().enumerate() {
        let apps: HashSet<&Name> = one.scopes.iter().collect();
        let meets = |other: &&&Configuration| {
            let of_all = apps.is_empty() || other.scopes.is_empty();
            let namespaces = (&one.namespace, &other.namespace);
            let apart = matches!(namespaces, (Some(one), Some(other)) if one != other);
            !apart && (of_all || other.scopes.iter().any(|app| apps.contains(app)))
        };
        if let Some(other) = documents[..number].iter().find(meets) {
            let message = format!(
                "an app has handlers already in {}; write all of its handlers in one document, in the order in which they run",
                other.source
            );
            problems
                .0
                .push(one.source.problem("spec.appHttpPipeline", message));
        }
    }
}

fn check_documents(resources: &mut Resources, problems: &mut Problems) {
    let documents = resources.configurations.iter();
    let mut policies = documents.filter(|one| one.access.is_some() || one.api.is_some());
    if let Some(one) = policies.nth(MAX_DOCUMENTS) {
        let message = format!(
            "more than {MAX_DOCUMENTS} documents of `Configuration` with `accessControl` or `api`; join them"
        );
        problems.0.push(one.source.problem("kind", message));
        resources.configurations.clear();
    }
}

fn check_operations(resources: &mut Resources, problems: &mut Problems) {
    let documents = resources.configurations.iter();
    let policies = documents.filter_map(|one| Some(&one.access.as_ref()?.policies));
    let mut operations: HashMap<&Subject, usize> = HashMap::new();
    let one_too_many = policies.flatten().find(|policy| {
        let count = operations.entry(&policy.caller).or_default();
        *count += policy.operations.len();
        *count > MAX_OPERATIONS
    });
    if let Some(policy) = one_too_many {
        let message = format!(
            "all documents together have more than {MAX_OPERATIONS} operations for {}; `/a/*` and `/a/**` join some",
            policy.caller
        );
        let problem = policy.source.problem("operations", message);
        problems.0.push(problem);
        resources.configurations.clear();
    }
}

fn check_types(resources: &mut Resources, problems: &mut Problems) {
    let denied = resources.configurations.iter();
    let mut denied = denied.flat_map(|one| &one.denied_types);
    if let Some(one) = denied.nth(MAX_TYPES) {
        let message = format!("more than {MAX_TYPES} types are denied");
        let problem = one.source.problem("spec.components.deny", message);
        problems.0.push(problem);
        resources.configurations.clear();
    }
}

/// Two scopes of one store could contradict each other, and one of no store protects nothing. The time is linear in the
/// number of scopes: a file may have very many.
fn check_scopes(resources: &Resources, problems: &mut Problems) {
    let stores = resources.components.iter();
    let stores = stores.filter(|component| component.block == STORES);
    let names: Vec<&str> = stores.map(|component| component.name.as_str()).collect();
    let known: HashSet<&str> = names.iter().copied().collect();
    let mut scopes: HashMap<&str, Scopes> = HashMap::new();
    for configuration in &resources.configurations {
        for scope in &configuration.secrets {
            let store = scope.store.as_str();
            if !known.contains(store) {
                problems.0.push(Problem {
                    help: did_you_mean(store, names.iter().copied()),
                    ..problem(scope, &format!("no secret store is called `{store}`"))
                });
            }
            let others = scopes.entry(store).or_default();
            if let Some(other) = others.meeting(configuration.namespace.as_ref()) {
                let message = format!(
                    "the secret store `{store}` has its scope already in {other}; write one for both"
                );
                problems.0.push(problem(scope, &message));
            }
            others.add(configuration.namespace.as_ref(), &scope.source);
        }
    }
}

/// The scopes of one store, the pipelines, or the recordings of traces: of each tenant, and of all tenants together, the first.
#[derive(Default)]
pub(crate) struct Scopes<'a> {
    count: usize,
    first: Option<&'a Source>,
    /// The first of those of all tenants or, by name, of one; each with its number.
    by_tenant: HashMap<Option<&'a Name>, (usize, &'a Source)>,
}

impl<'a> Scopes<'a> {
    /// The first scope that a tenant meets which meets one of this namespace.
    pub(crate) fn meeting(&self, namespace: Option<&'a Name>) -> Option<&'a Source> {
        if namespace.is_none() {
            return self.first;
        }
        let both = [None, namespace].map(|tenant| self.by_tenant.get(&tenant));
        let first = both.into_iter().flatten().min_by_key(|(number, _)| number);
        first.map(|(_, source)| *source)
    }

    /// Adds one, after those that are there.
    pub(crate) fn add(&mut self, namespace: Option<&'a Name>, source: &'a Source) {
        self.first.get_or_insert(source);
        let numbered = (self.count, source);
        self.by_tenant.entry(namespace).or_insert(numbered);
        self.count += 1;
    }
}

fn problem(scope: &SecretScope, message: &str) -> Problem {
    scope.source.problem("spec.secrets.scopes", message)
}
