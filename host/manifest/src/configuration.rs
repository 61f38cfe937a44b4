//! `kind: Configuration`: which secrets of a store apps may have. What else Dapr keeps there is accepted with a warning.

use std::collections::{HashMap, HashSet};

use crate::component::read_head;
use crate::name::{ComponentName, Name, shown};
use crate::problem::{Problem, Problems, Severity, Source};
use crate::reader::At;
use crate::resources::Resources;
use crate::suggest::did_you_mean;
use crate::tracing::{self, Tracing};

const STORES: &str = "secretstores";

const SPEC: [&str; 15] = [
    "secrets",
    "accessControl",
    "api",
    "appHttpPipeline",
    "components",
    "features",
    "httpPipeline",
    "logging",
    "metric",
    "metrics",
    "mtls",
    "nameResolution",
    "tracing",
    "wasm",
    "workflow",
];

/// Settings of a whole host.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The name of the resource itself.
    pub name: ComponentName,
    /// The tenant it belongs to; none is every tenant that loads the file.
    pub namespace: Option<Name>,
    /// The secrets that apps may have.
    pub secrets: Vec<SecretScope>,
    /// The recording of traces.
    pub tracing: Option<Tracing>,
    /// The place where it was written.
    pub source: Source,
}

/// The secrets of one store that apps may have; a store without a scope is open to every grant.
#[derive(Clone, Debug)]
pub struct SecretScope {
    /// The component.
    pub store: ComponentName,
    /// The access to secrets that neither list names; default allow.
    pub default_access: Access,
    /// The secrets that are allowed: where there are any, no other secret is.
    pub allowed: Vec<String>,
    /// The secrets that are denied, whatever else is written.
    pub denied: Vec<String>,
    /// The place where it was written.
    pub source: Source,
}

/// The access to a secret that is not named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It may be had.
    Allow,
    /// It may not.
    Deny,
}

impl SecretScope {
    /// Returns whether a secret may be had.
    pub fn allows(&self, secret: &str) -> bool {
        let names = |list: &[String]| list.iter().any(|name| name == secret);
        if names(&self.denied) {
            return false;
        }
        match self.allowed.is_empty() {
            true => self.default_access == Access::Allow,
            false => names(&self.allowed),
        }
    }
}

/// Reads one document of `kind: Configuration`.
pub(crate) fn read(document: &At) -> Option<Configuration> {
    let fields = document.fields(&["apiVersion", "kind", "metadata", "spec"])?;
    let head = read_head(&fields);
    let spec = fields.read("spec", |at| at.fields(&SPEC));
    if let Some(spec) = &spec {
        let unused = SPEC[1..].iter().copied().filter(|key| *key != "tracing");
        spec.warn_of(&unused.collect::<Vec<_>>(), "not used yet");
    }
    let tracing = spec
        .as_ref()
        .and_then(|spec| spec.read("tracing", tracing::read));
    let secrets = spec.and_then(|spec| spec.read("secrets", |at| at.fields(&["scopes"])));
    let scopes = secrets.and_then(|secrets| secrets.get("scopes"));
    let scopes = scopes.map(|at| at.items()).unwrap_or_default();
    Some(Configuration {
        name: head.name?,
        namespace: head.namespace,
        secrets: scopes.iter().filter_map(read_scope).collect(),
        tracing,
        source: document.source(),
    })
}

fn read_scope(at: &At) -> Option<SecretScope> {
    let fields = at.fields(&[
        "storeName",
        "defaultAccess",
        "allowedSecrets",
        "deniedSecrets",
    ])?;
    let strings = |name| fields.get(name).map(|at| at.strings()).unwrap_or_default();
    // What cannot be read must not become what is most open.
    let access = match fields.get("defaultAccess") {
        Some(at) => read_access(&at),
        None => Some(Access::Allow),
    };
    Some(SecretScope {
        allowed: strings("allowedSecrets"),
        denied: strings("deniedSecrets"),
        store: fields.demand("storeName", "the secret store that it is about", At::parse)?,
        default_access: access?,
        source: at.source(),
    })
}

fn read_access(at: &At) -> Option<Access> {
    let text = at.text()?;
    match text.to_ascii_lowercase().as_str() {
        "allow" => Some(Access::Allow),
        "deny" => Some(Access::Deny),
        _ => {
            at.error(&format!(
                "expected `allow` or `deny`, found `{}`",
                shown(text)
            ));
            None
        }
    }
}

/// Two scopes of one store could contradict each other, and one of no store protects nothing. The time is linear in the
/// number of scopes: a file may have very many.
pub(crate) fn check_scopes(resources: &Resources, problems: &mut Problems) {
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
                    severity: Severity::Warning,
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

/// The scopes of one store: of each tenant, and of all tenants together, the first.
#[derive(Default)]
struct Scopes<'a> {
    count: usize,
    first: Option<&'a Source>,
    /// The first of those of all tenants or, by name, of one; each with its number.
    by_tenant: HashMap<Option<&'a Name>, (usize, &'a Source)>,
}

impl<'a> Scopes<'a> {
    /// The first scope that a tenant meets which meets one of this namespace.
    fn meeting(&self, namespace: Option<&'a Name>) -> Option<&'a Source> {
        if namespace.is_none() {
            return self.first;
        }
        let both = [None, namespace].map(|tenant| self.by_tenant.get(&tenant));
        let first = both.into_iter().flatten().min_by_key(|(number, _)| number);
        first.map(|(_, source)| *source)
    }

    fn add(&mut self, namespace: Option<&'a Name>, source: &'a Source) {
        self.first.get_or_insert(source);
        let numbered = (self.count, source);
        self.by_tenant.entry(namespace).or_insert(numbered);
        self.count += 1;
    }
}

fn problem(scope: &SecretScope, message: &str) -> Problem {
    scope.source.problem("spec.secrets.scopes", message)
}
