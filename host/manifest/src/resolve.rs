//! Values that are written elsewhere: in the environment or in a secret store of the same set of resources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::component::Component;
use crate::file;
use crate::metadata::{Pending, Reference, Value, key_of};
use crate::problem::{Problem, Problems, Severity};
use crate::reader::Report;
use crate::secret::Secret;
use crate::suggest::did_you_mean;
use crate::yaml::{self, Content, Node};

const STORES: &str = "secretstores";
const ENVIRONMENT: &str = "local.env";
const FILE: &str = "local.file";

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Settles every reference that can be found; the others stay pending and are reported.
pub(crate) fn resolve(components: &mut [Component], environment: Environment) -> Problems {
    let mut problems = Problems::default();
    // First the environment: the settings of a secret store may come from there.
    for component in components.iter_mut() {
        settle(
            component,
            &mut problems,
            |component, pending| match &pending.reference {
                Reference::Environment(variable) => {
                    Some(read_variable(component, pending, variable, environment))
                }
                Reference::Secret { .. } => None,
            },
        );
    }
    let stores = open_stores(components, environment, &mut problems);
    for component in components.iter_mut() {
        settle(component, &mut problems, |component, pending| {
            stores.look_up(component, pending)
        });
    }
    problems
}

/// Asks `look_up` for every pending value; it answers none when the value is not its business.
fn settle(
    component: &mut Component,
    problems: &mut Problems,
    look_up: impl Fn(&Component, &Pending) -> Option<Result<Value, Problem>>,
) {
    for pending in component.metadata.take_pending() {
        match look_up(component, &pending) {
            Some(Ok(value)) => component.metadata.settle(pending, value),
            Some(Err(problem)) => {
                problems.0.push(problem);
                component.metadata.postpone(pending);
            }
            None => component.metadata.postpone(pending),
        }
    }
}

fn read_variable(
    component: &Component,
    pending: &Pending,
    variable: &str,
    environment: Environment,
) -> Result<Value, Problem> {
    let missing = || {
        problem_at(
            component,
            pending,
            format!("the environment variable `{variable}` is not set"),
        )
    };
    // People keep passwords in the environment, so what comes from there is not shown either.
    environment(variable)
        .map(|text| Value::Secret(Secret::new(text)))
        .ok_or_else(missing)
}

/// The stores that are referred to, by the place of their component in the set.
struct Stores<'a> {
    environment: Environment<'a>,
    names: Vec<StoreName>,
    open: BTreeMap<usize, Store>,
    failed: BTreeSet<usize>,
}

/// What a reference may call a store.
struct StoreName {
    index: usize,
    namespace: Option<String>,
    name: String,
    driver: String,
}

enum Store {
    Environment { prefix: String },
    File(BTreeMap<String, Secret>),
}

fn open_stores<'a>(
    components: &[Component],
    environment: Environment<'a>,
    problems: &mut Problems,
) -> Stores<'a> {
    let stores = components
        .iter()
        .enumerate()
        .filter(|(_, component)| component.block == STORES);
    let names = stores.map(|(index, component)| StoreName {
        index,
        namespace: component.namespace.as_ref().map(ToString::to_string),
        name: component.name.to_string(),
        driver: component.driver.clone(),
    });
    let (open, failed) = Default::default();
    let mut stores = Stores {
        environment,
        names: names.collect(),
        open,
        failed,
    };
    for index in stores.referred(components) {
        match open_store(&components[index]) {
            Ok(Some(store)) => drop(stores.open.insert(index, store)),
            Ok(None) => {}
            Err(problem) => {
                problems.0.push(problem);
                stores.failed.insert(index);
            }
        }
    }
    stores
}

/// A store of another driver cannot be opened here, which is said where it is referred to.
fn open_store(component: &Component) -> Result<Option<Store>, Problem> {
    let setting = |name: &str| {
        component
            .metadata
            .get(name)
            .map(|value| value.reveal().to_owned())
    };
    match component.driver.as_str() {
        ENVIRONMENT => Ok(Some(Store::Environment {
            prefix: setting("prefix").unwrap_or_default(),
        })),
        FILE => {
            let file = setting("secretsFile")
                .filter(|file| !file.is_empty())
                .ok_or_else(|| Problem {
                    line: component.source.line,
                    column: 1,
                    key: crate::component::ITEMS.to_owned(),
                    ..Problem::of_file(
                        &component.source.file,
                        "missing `secretsFile`: the file that holds the secrets",
                    )
                })?;
            let beside = component.source.file.parent().unwrap_or(Path::new(""));
            let separator = setting("nestedSeparator").unwrap_or_else(|| ":".to_owned());
            read_secrets(&beside.join(file), &separator).map(|secrets| Some(Store::File(secrets)))
        }
        _ => Ok(None),
    }
}

/// Reads a JSON object. Nothing of the parser's own words is repeated, since they could hold a part of a secret.
fn read_secrets(path: &Path, separator: &str) -> Result<BTreeMap<String, Secret>, Problem> {
    let text = file::read(path)?;
    let report = Report::new(path);
    let documents = yaml::parse(&text, &report);
    let problem = Problem::of_file(path, "expected a JSON object of secrets");
    if let Some(first) = report.into_problems().iter().next() {
        return Err(Problem {
            line: first.line,
            column: first.column,
            ..problem
        });
    }
    let mut secrets = BTreeMap::new();
    match documents.as_slice() {
        [document] if matches!(document.content, Content::Map(_)) => {
            flatten(document, String::new(), separator, &mut secrets);
            Ok(secrets)
        }
        _ => Err(problem),
    }
}

fn flatten(node: &Node, name: String, separator: &str, secrets: &mut BTreeMap<String, Secret>) {
    let below = |key: &str| {
        if name.is_empty() {
            key.to_owned()
        } else {
            format!("{name}{separator}{key}")
        }
    };
    match &node.content {
        Content::Scalar { text, .. } => {
            secrets.insert(name, Secret::new(text.as_str()));
        }
        Content::List(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, below(&index.to_string()), separator, secrets);
            }
        }
        Content::Map(entries) => {
            for entry in entries {
                flatten(&entry.value, below(&entry.key), separator, secrets);
            }
        }
    }
}

impl Stores<'_> {
    fn referred(&self, components: &[Component]) -> BTreeSet<usize> {
        let pending = components.iter().flat_map(|component| {
            component
                .metadata
                .pending()
                .iter()
                .filter_map(|pending| match &pending.reference {
                    Reference::Secret { store, .. } => {
                        self.find(component, store).map(|store| store.index)
                    }
                    Reference::Environment(_) => None,
                })
        });
        pending.collect()
    }

    /// A store of the component's own namespace comes before one of every namespace.
    fn find(&self, component: &Component, name: &str) -> Option<&StoreName> {
        let own = component.namespace.as_ref().map(ToString::to_string);
        let of = |namespace: &Option<String>| {
            self.names
                .iter()
                .find(|store| store.name == name && store.namespace == *namespace)
        };
        of(&own).or_else(|| of(&None))
    }

    fn look_up(&self, component: &Component, pending: &Pending) -> Option<Result<Value, Problem>> {
        let Reference::Secret { store, name, key } = &pending.reference else {
            return None;
        };
        let problem = |message: String| problem_at(component, pending, message);
        let Some(found) = self.find(component, store) else {
            let help = did_you_mean(store, self.names.iter().map(|store| store.name.as_str()));
            let message = format!("no secret store is called `{store}`");
            return Some(Err(Problem {
                help,
                ..problem(message)
            }));
        };
        if self.failed.contains(&found.index) {
            // Why it could not be opened was said once, at the store.
            return None;
        }
        let Some(open) = self.open.get(&found.index) else {
            let message = format!(
                "the secret store `{store}` is `{STORES}.{}`; while loading, only `{STORES}.{ENVIRONMENT}` and \
                 `{STORES}.{FILE}` can be read",
                found.driver
            );
            return Some(Err(problem(message)));
        };
        if key != name {
            return Some(Err(problem(format!(
                "the secret `{name}` has only the key `{name}`, found `{key}`"
            ))));
        }
        let secret = open.get(name, self.environment).ok_or_else(|| Problem {
            help: did_you_mean(name, open.names()),
            ..problem(format!("the secret store `{store}` has no secret `{name}`"))
        });
        Some(secret.map(Value::Secret))
    }
}

impl Store {
    fn get(&self, name: &str, environment: Environment) -> Option<Secret> {
        match self {
            Store::Environment { prefix } => {
                environment(&format!("{prefix}{name}")).map(Secret::new)
            }
            Store::File(secrets) => secrets.get(name).cloned(),
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let secrets = match self {
            Store::Environment { .. } => None,
            Store::File(secrets) => Some(secrets),
        };
        secrets
            .into_iter()
            .flat_map(|secrets| secrets.keys().map(String::as_str))
    }
}

fn problem_at(component: &Component, pending: &Pending, message: String) -> Problem {
    let kind = match pending.reference {
        Reference::Environment(_) => "envRef",
        Reference::Secret { .. } => "secretKeyRef",
    };
    Problem {
        file: component.source.file.clone(),
        line: pending.place.line,
        column: pending.place.column,
        key: format!("{}.{kind}", key_of(&pending.name)),
        message,
        help: None,
        severity: Severity::Error,
    }
}
