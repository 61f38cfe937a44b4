//! Resource files as Dapr users write them: several documents in a file, several files in a directory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::anchored_path::AnchoredPath;
use crate::component::{self, Component};
use crate::configuration::{self, ApiLists, Configuration, DeniedType};
use crate::manifest::Manifest;
use crate::name::{ComponentName, Name, shown};
use crate::problem::{Problem, Problems, Source};
use crate::reader::{At, Fields, Report};
use crate::resiliency::{self, Resiliency};
use crate::resolve;
use crate::subscription::{self, Subscription};
use crate::suggest::{did_you_mean, listed};
use crate::tracing;
use crate::yaml;
use loading::Loading;

mod loading;

const GROUP: &str = "dapr.io";
const SERVED: [&str; 4] = ["Component", "Configuration", "Resiliency", "Subscription"];
const NOT_YET: [&str; 2] = ["HTTPEndpoint", "MCPServer"];
/// A kind that forbids something, which is not enforced here.
const UNENFORCED: &str = "WorkflowAccessPolicy";

/// Everything that was defined in resource files.
#[derive(Clone, Debug, Default)]
pub struct Resources {
    /// The components, no two of one namespace with the same name.
    pub components: Vec<Component>,
    /// The configurations, no two of which say something of the same secret store.
    pub configurations: Vec<Configuration>,
    /// The policies of calls, no two of which an app has twice.
    pub resiliencies: Vec<Resiliency>,
    /// The subscriptions.
    pub subscriptions: Vec<Subscription>,
}

impl Resources {
    /// Looks up every `envRef`. What cannot be found stays unset and is reported, and may be looked up again later;
    /// what a `secretKeyRef` means is known once its store is open.
    pub fn resolve(&mut self, environment: &dyn Fn(&str) -> Option<String>) -> Problems {
        resolve::resolve(&mut self.components, environment)
    }

    /// Closes grants whose APIs a `Configuration` denies to an app.
    pub fn close_grants(&self, manifest: &mut Manifest) {
        let tenant = &manifest.tenant;
        for app in &mut manifest.apps {
            let documents = self.configurations.iter();
            let documents = documents.filter(|one| one.is_for(tenant, &app.id));
            let closed = documents
                .filter_map(|one| one.api.as_ref())
                .flat_map(ApiLists::closed);
            let closed = closed.map(|(grant, source)| (grant, source.clone()));
            app.grants.closed = closed.collect();
        }
    }

    /// The word that forbids a tenant a component of this type and version.
    pub fn denied(&self, tenant: &Name, component: &Component) -> Option<&DeniedType> {
        let documents = self.configurations.iter();
        let own = documents.filter(|one| tenant.has(one.namespace.as_ref()));
        let mut types = own.flat_map(|one| &one.denied_types);
        let kind = component.kind();
        types.find(|one| one.denies(&kind, &component.version))
    }

    fn extend(&mut self, other: Resources) {
        self.components.extend(other.components);
        self.configurations.extend(other.configurations);
        self.resiliencies.extend(other.resiliencies);
        self.subscriptions.extend(other.subscriptions);
    }
}

/// Reads every `*.yaml` and `*.yml` file of the directories, in the order of their names.
pub fn load_resources(directories: &[PathBuf]) -> (Resources, Problems) {
    let places = directories
        .iter()
        .map(|directory| Ok(AnchoredPath::new(None, directory)));
    load(places)
}

/// Reads the directories, each in its place; what has none is a problem.
pub(crate) fn load(
    places: impl Iterator<Item = Result<AnchoredPath, Problem>>,
) -> (Resources, Problems) {
    let mut loading = Loading::default();
    for place in places {
        let read = place.and_then(|place| loading.read_directory(&place));
        if let Err(problem) = read {
            loading.keep(problem);
        }
    }
    let Loading {
        mut resources,
        mut problems,
        ..
    } = loading;
    refuse_duplicates(&mut resources, &mut problems);
    configuration::check(&mut resources, &mut problems);
    tracing::check(&resources, &mut problems);
    resiliency::check(&mut resources, &mut problems);
    (resources, problems)
}

/// Reads the documents of one file.
pub fn parse_resources(text: &str, file: &Path) -> (Resources, Problems) {
    let (mut resources, mut problems) = parse_file(text, file);
    refuse_duplicates(&mut resources, &mut problems);
    configuration::check(&mut resources, &mut problems);
    tracing::check(&resources, &mut problems);
    resiliency::check(&mut resources, &mut problems);
    (resources, problems)
}

fn parse_file(text: &str, file: &Path) -> (Resources, Problems) {
    let report = Report::new(file);
    let mut resources = Resources::default();
    for node in yaml::parse(text, &report)
        .iter()
        .filter(|node| !node.is_null())
    {
        read_document(&At::document(node, &report), &mut resources);
    }
    (resources, report.into_problems())
}

fn read_document(document: &At, resources: &mut Resources) -> Option<()> {
    let fields = Fields::of(document)?;
    let version = read_version(&fields)?;
    let kind = fields.require("kind", &format!("one of {}", listed(SERVED)))?;
    match (kind.text()?, version) {
        ("Component", "v1alpha1") => resources.components.extend(component::read(document)),
        ("Configuration", "v1alpha1") => {
            resources
                .configurations
                .extend(configuration::read(document));
        }
        ("Resiliency", "v1alpha1") => resources.resiliencies.extend(resiliency::read(document)),
        ("Subscription", "v1alpha1" | "v2alpha1") => {
            resources
                .subscriptions
                .extend(subscription::read(document, version));
        }
        (name, _) if SERVED.contains(&name) => {
            let versions = if name == "Subscription" {
                "`v1alpha1` and `v2alpha1`"
            } else {
                "`v1alpha1`"
            };
            kind.error(&format!(
                "the versions of `{name}` are {versions}, found `{}`",
                shown(version)
            ));
        }
        (UNENFORCED, _) => kind.error(&format!(
            "{} is not enforced: leave it out; the grants `workflow` and `invoke` say which app may start and call what",
            called(UNENFORCED, &fields)
        )),
        (name, _) if NOT_YET.contains(&name) => {
            kind.warn(&format!("{} is not used yet", called(name, &fields)));
        }
        (name, _) => {
            let known = || SERVED.into_iter().chain(NOT_YET);
            let message = format!(
                "unknown kind `{}`; expected one of {}",
                shown(name),
                listed(known())
            );
            kind.error_with_help(&message, did_you_mean(name, known()));
        }
    }
    Some(())
}

/// A resource in words: its kind, and its name where it has one.
fn called(kind: &str, document: &Fields) -> String {
    let name = document
        .get("metadata")
        .and_then(|at| Fields::quiet(&at)?.scalar("name"));
    match name {
        Some(name) => format!("`{}` `{}`", shown(kind), shown(name)),
        None => format!("`{}`", shown(kind)),
    }
}

/// The version after `dapr.io/`. As in Dapr, documents of others are passed over, for they may be meant for another system; a
/// warning says so.
fn read_version<'a>(document: &Fields<'a>) -> Option<&'a str> {
    let kind = document.scalar("kind");
    let Some(at) = document.get("apiVersion") else {
        match kind {
            Some(kind) if SERVED.contains(&kind) => {
                document.missing("apiVersion", "write `dapr.io/v1alpha1`");
            }
            Some(kind) => document.at.warn(&format!(
                "{} is not used: it has no `apiVersion`",
                called(kind, document)
            )),
            None => document
                .at
                .warn("this document is not used: it has no `apiVersion` and no `kind`"),
        }
        return None;
    };
    let text = at.text()?;
    let (group, version) = text.split_once('/').unwrap_or((text, ""));
    if group != GROUP {
        if let Some(help) = did_you_mean(group, [GROUP]) {
            at.error_with_help(&format!("unknown group `{}`", shown(group)), Some(help));
        } else {
            at.warn(&format!(
                "{} of `{}` is not used: it is no resource of `{GROUP}`",
                called(kind.unwrap_or("a document"), document),
                shown(text)
            ));
        }
        return None;
    }
    Some(version)
}

fn refuse_duplicates(resources: &mut Resources, problems: &mut Problems) {
    let mut first: HashMap<(Option<Name>, String), (ComponentName, Source)> = HashMap::new();
    resources.components.retain(|component| {
        // A file system may not tell `Orders` from `orders`, and each has a directory of its name.
        let folded = component.name.as_str().to_ascii_lowercase();
        let place = first.entry((component.namespace.clone(), folded));
        if let std::collections::hash_map::Entry::Occupied(original) = place {
            problems.0.push(duplicate(component, original.get()));
            return false;
        }
        place.or_insert((component.name.clone(), component.source.clone()));
        true
    });
}

fn duplicate(component: &Component, (name, original): &(ComponentName, Source)) -> Problem {
    let message = match *name == component.name {
        true => format!("the component `{name}` is already defined in {original}"),
        false => format!(
            "the component `{}` differs in case alone from `{name}` in {original}",
            component.name
        ),
    };
    component.source.problem("metadata.name", message)
}
