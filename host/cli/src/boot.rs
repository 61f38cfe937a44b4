//! The way from a manifest to a host with its apps loaded; nothing is bound and nothing served yet.

use crate::{check, compiler, private, report::Problem};
use std::{ffi::OsString, path::Path, path::PathBuf, sync::Arc, time::Duration};
use wythe_blocks::{App, Environment, Host, Registry, Settings, pubsub::Subscription};
use wythe_manifest::{Grants, Manifest, Name, Resources};
use wythe_runtime::{Loaded, Options, Runtime};

/// Time to close a host that could not begin to serve.
const CLOSE: Duration = Duration::from_secs(1);

/// Components that exist where the resources declare none of their block.
const DEFAULTS: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.redb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.redb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: configuration }
spec: { type: configuration.redb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: jobs }
spec: { type: jobs.redb, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: lockstore }
spec: { type: lock.redb, version: v1 }
";

/// A plan: what a manifest and its resources say, found good.
pub struct Plan {
    pub manifest: Manifest,
    pub resources: Resources,
    /// Names of blocks that use their default component.
    pub defaults: Vec<String>,
}

/// A host with its apps, ready to serve.
pub struct Booted {
    pub host: Arc<Host>,
    pub runtime: Arc<Runtime>,
    pub apps: Vec<Loaded>,
    /// Problems that were found on the way and stop nothing.
    pub warnings: Vec<Problem>,
}

/// Reads the manifest and every resource, as far as they can be read; all problems are told, warnings too.
pub fn read(path: &Path) -> (Option<Plan>, Vec<Problem>) {
    let (manifest, mut problems) = wythe_manifest::load(path);
    let Some(manifest) = manifest else {
        return (None, Problem::all(problems));
    };
    let (mut resources, found) = wythe_manifest::load_resources(&manifest.resources_paths);
    let is_whole = !found.has_errors();
    problems.extend(found);
    problems.extend(resources.resolve(&|name| std::env::var(name).ok()));
    let defaults = add_defaults(&manifest, &mut resources);
    if is_whole {
        // What could not be read may be what is named.
        problems.extend(wythe_manifest::check_names(&manifest, &resources));
    }
    let plan = Plan {
        manifest,
        resources,
        defaults,
    };
    (Some(plan), Problem::all(problems))
}

/// Does what `read` does, for what needs a project that is good so far; the answer has the warnings.
pub fn plan(path: &Path) -> Result<(Plan, Vec<Problem>), Vec<Problem>> {
    match read(path) {
        (Some(plan), problems) if !has_errors(&problems) => Ok((plan, problems)),
        (_, problems) => Err(problems),
    }
}

/// Says whether any of the problems stops a host from starting.
pub fn has_errors(problems: &[Problem]) -> bool {
    problems.iter().any(|problem| !problem.is_warning)
}

fn add_defaults(manifest: &Manifest, resources: &mut Resources) -> Vec<String> {
    let (defaults, problems) =
        wythe_manifest::parse_resources(DEFAULTS, Path::new("defaults.yaml"));
    debug_assert!(problems.is_empty(), "{problems}");
    let mut added = Vec::new();
    for component in defaults.components {
        let mut known = resources.components.iter();
        if is_wanted(manifest, &component.block)
            && !known.any(|known| known.block == component.block)
        {
            added.push(component.block.clone());
            resources.components.push(component);
        }
    }
    added
}

/// State and events are always there; the rest is opened only for a project with an app that is granted some of it.
fn is_wanted(manifest: &Manifest, block: &str) -> bool {
    let any = |has: fn(&Grants) -> bool| manifest.apps.iter().any(|app| has(&app.grants));
    match block {
        "configuration" => any(|grants| !grants.configuration.is_empty()),
        "jobs" => any(|grants| !grants.jobs.is_empty()),
        "lock" => any(|grants| !grants.lock.is_empty()),
        _ => true,
    }
}

/// The directory in which the embedded drivers keep their files, unless `--data-dir` says otherwise.
pub fn data_directory(manifest: &Manifest) -> PathBuf {
    let directory = &manifest.directory;
    // What the user did not write is not shown: `.wythe` rather than `./.wythe`.
    directory
        .strip_prefix(".")
        .unwrap_or(directory)
        .join(".wythe")
}

/// The directory of compiled components: `WYTHE_CACHE_DIR`, else the user's cache directory, else with the data.
pub fn cache_directory(data: &Path) -> PathBuf {
    let named = std::env::var_os("WYTHE_CACHE_DIR").map(PathBuf::from);
    let user = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let shared = || user().or_else(home).map(|cache| cache.join("wythe"));
    named.or_else(shared).unwrap_or_else(|| data.join("cache"))
}

/// Opens every component, loads every app, and starts every subscription. All problems are told.
pub async fn boot(plan: &Plan, data: &Path) -> Result<Booted, Vec<Problem>> {
    let booted = prepare(plan, data).await?;
    match start(plan, &booted).await {
        Ok(()) => Ok(booted),
        Err(problems) => {
            booted.host.close(CLOSE).await;
            Err(problems)
        }
    }
}

/// Opens every component and loads every app, which can then be called; events are not delivered yet.
pub async fn prepare(plan: &Plan, data: &Path) -> Result<Booted, Vec<Problem>> {
    private::check(data, "data").map_err(|problem| vec![problem])?;
    let found = check::check(plan, data).await?;
    if has_errors(&found.problems) {
        found.host.close(CLOSE).await;
        return Err(found.problems);
    }
    let booted = Booted {
        host: found.host,
        runtime: found.runtime,
        apps: found.apps,
        warnings: found.problems,
    };
    let settings = settings(plan, data);
    let opened = booted.host.open_checked(&settings, found.components).await;
    let problems = match opened {
        Ok(()) => admit(&booted).await,
        Err(errors) => errors.into_iter().map(Problem::from).collect(),
    };
    if problems.is_empty() {
        return Ok(booted);
    }
    booted.host.close(CLOSE).await;
    Err(problems)
}

/// Makes the apps callable.
async fn admit(booted: &Booted) -> Vec<Problem> {
    let mut problems = Vec::new();
    for Loaded { app, .. } in &booted.apps {
        let host = &booted.host;
        host.admit(app);
        let acts = act(host, app).await;
        let works = attach_workflows(host, app).await;
        problems.extend([acts, works].into_iter().filter_map(Result::err).flatten());
    }
    problems
}

/// The types of actors that an app has, which can then be called.
pub async fn act(host: &Host, app: &Arc<App>) -> Result<(), Vec<Problem>> {
    let types = app.actor_types().await;
    let types = types.map_err(|error| vec![Problem::from(error)])?;
    let attached = host.actors.attach(app, types);
    attached.map_err(|errors| errors.into_iter().map(Problem::from).collect())
}

/// The engine, with the compiled components of earlier starts.
pub fn runtime(data: &Path) -> Result<Arc<Runtime>, Vec<Problem>> {
    let compiler = compiler::compiler();
    let compiler = compiler.map_err(|error| vec![Problem::new(format!("{error:#}"))])?;
    let cache = cache_directory(data);
    private::check(&cache, "cache").map_err(|problem| vec![problem])?;
    let options = Options {
        cache: Some(cache),
        compiler,
        ..Options::default()
    };
    Runtime::new(&options).map_err(|error| vec![Problem::from(error)])
}

/// Every driver: those of this build, and plugins.
pub fn registry(runtime: &Arc<Runtime>, host: &Arc<Host>) -> Registry {
    let mut registry = wythe_drivers::registry();
    wythe_runtime::plugin::register(&mut registry, runtime, host);
    registry
}

/// Returns the settings that a project's components are opened with.
pub fn settings(plan: &Plan, data: &Path) -> Settings {
    let tenant = &plan.manifest.tenant;
    let configurations = plan.resources.configurations.iter();
    let own = configurations.filter(|c| is_of(plan, c.namespace.as_ref()));
    Settings {
        project: plan.manifest.directory.clone(),
        environment: environment(),
        scopes: own.flat_map(|c| c.secrets.clone()).collect(),
        ..Settings::new(tenant.clone(), data.join("data"))
    }
}

/// Variables that are no text are nobody's.
fn environment() -> Environment {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Apps are callable before the first event is delivered, since a subscriber may call them.
async fn start(plan: &Plan, booted: &Booted) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for Loaded { app, .. } in &booted.apps {
        if let Err(found) = attach(plan, &booted.host, app).await {
            problems.extend(found);
        }
    }
    let (host, tenant) = (&booted.host, &plan.manifest.tenant);
    if let Err(error) = host.workflow.begin(tenant, &host.state) {
        problems.push(error.into());
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Everything that reaches an app without being asked: events, changes of configuration, outside systems, its jobs and
/// what wakes its actors.
pub async fn attach(plan: &Plan, host: &Host, app: &Arc<App>) -> Result<(), Vec<Problem>> {
    subscribe(plan, host, app).await?;
    let one = |error| vec![Problem::from(error)];
    let all = |errors: Vec<_>| errors.into_iter().map(Problem::from).collect::<Vec<_>>();
    let configurations = app.configurations().await.map_err(one)?;
    let attached = host.configuration.attach(app, configurations).await;
    attached.map_err(all)?;
    let inputs = app.inputs().await.map_err(one)?;
    host.bindings.attach(app, inputs).await.map_err(all)?;
    host.jobs.attach(app);
    host.actors.start(app.tenant());
    Ok(())
}

/// Attaches the workflows and activities that the app has, so that they can be started.
pub async fn attach_workflows(host: &Host, app: &Arc<App>) -> Result<(), Vec<Problem>> {
    let one = |error| vec![Problem::from(error)];
    let workflows = app.workflows().await.map_err(one)?;
    let activities = app.activities().await.map_err(one)?;
    let attached = host.workflow.attach(app, workflows, activities);
    attached.map_err(|errors| errors.into_iter().map(Problem::from).collect())
}

/// Subscribes the app to what it exports and what YAML declares for it; the same topic twice is the app's own, as in
/// Dapr.
async fn subscribe(plan: &Plan, host: &Host, app: &Arc<App>) -> Result<(), Vec<Problem>> {
    let mut subscriptions = match app.exports().subscriber {
        true => app
            .subscriptions()
            .await
            .map_err(|error| vec![error.into()])?,
        // Attached all the same: an earlier version of the app may have been a subscriber.
        false => Vec::new(),
    };
    for declared in &plan.resources.subscriptions {
        let known = |s: &Subscription| {
            s.component == declared.component.as_str() && s.topic == declared.topic
        };
        let concerns = is_of(plan, declared.namespace.as_ref()) && concerns(app, declared);
        // A new version of an app may be no subscriber any more: nothing is delivered to it.
        if concerns && app.exports().subscriber && !subscriptions.iter().any(known) {
            subscriptions.push(convert(declared));
        }
    }
    let attached = host.pubsub.attach(app, subscriptions).await;
    attached.map_err(|errors| errors.into_iter().map(Problem::from).collect())
}

/// Says whether a resource is this project's: one without a namespace is every tenant's.
pub fn is_of(plan: &Plan, namespace: Option<&Name>) -> bool {
    namespace.is_none_or(|namespace| *namespace == plan.manifest.tenant)
}

/// A declaration without scopes is for every subscriber that is granted the topic; one that names the app is for it,
/// and then a missing grant is a problem.
pub fn concerns(app: &App, declared: &wythe_manifest::Subscription) -> bool {
    if !declared.scopes.is_empty() {
        return declared.scopes.contains(app.id());
    }
    let component = declared.component.as_str();
    app.exports().subscriber && app.grants().subscribe(component, &declared.topic)
}

fn convert(declared: &wythe_manifest::Subscription) -> Subscription {
    Subscription {
        component: declared.component.to_string(),
        topic: declared.topic.clone(),
        rules: declared.rules.clone(),
        default_route: declared.default_route.clone(),
        dead_letter_topic: declared.dead_letter_topic.clone(),
        metadata: declared.metadata.clone(),
    }
}
