//! The way from a manifest to a host with its apps loaded; nothing is bound and nothing served yet.

use crate::{check, choice::Choice, compiler, private, report::Problem};
use http::HeaderValue;
use std::{ffi::OsString, path::Path, path::PathBuf, sync::Arc, time::Duration};
use wythe_blocks::{AppHandlers, Environment, Error, Host, Registry, Settings, Tenant};
use wythe_manifest::{Configuration, Grants, Manifest, Resources, Secret, Terms};
use wythe_runtime::{Loaded, Options, Runtime};

/// Time to close a host that could not begin to serve.
const CLOSE: Duration = Duration::from_secs(1);

/// Components that exist where the resources declare none of their block. A busy disk may take longer than the 5 s of
/// others.
const DEFAULTS: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.redb, version: v1, initTimeout: 30s }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.redb, version: v1, initTimeout: 30s }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: configuration }
spec: { type: configuration.redb, version: v1, initTimeout: 30s }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: jobs }
spec: { type: jobs.redb, version: v1, initTimeout: 30s }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: lockstore }
spec: { type: lock.redb, version: v1, initTimeout: 30s }
";

/// A plan: what a manifest and its resources say, found good.
pub struct Plan {
    pub manifest: Manifest,
    pub resources: Resources,
    /// Names of blocks that use their default component.
    pub defaults: Vec<String>,
    /// The token that requests from outside have to show.
    pub token: Option<Secret>,
    /// The word of the operator of a host with many tenants on this one.
    pub terms: Option<Arc<Terms>>,
}

/// A host with its apps, ready to serve.
pub struct Booted {
    pub ground: Ground,
    pub host: Arc<Host>,
    pub tenant: Arc<Tenant>,
    pub registry: Arc<Registry>,
    pub apps: Vec<Loaded>,
    /// Problems that were found on the way and stop nothing.
    pub warnings: Vec<Problem>,
}

/// Reads the manifest and every resource, as far as they can be read; all problems are told, warnings too.
pub fn read(project: impl Into<Choice>) -> (Option<Plan>, Vec<Problem>) {
    read_under(project, None)
}

/// Reads a project of a tenant, cut to what its operator allows.
#[expect(
    clippy::disallowed_methods,
    reason = "the command reads the environment"
)]
pub fn read_under(
    project: impl Into<Choice>,
    terms: Option<Arc<Terms>>,
) -> (Option<Plan>, Vec<Problem>) {
    let project = project.into();
    let (manifest, mut problems) = wythe_manifest::load(&project.path);
    let Some(mut manifest) = manifest else {
        return (None, Problem::all(problems));
    };
    manifest.replace_resources(&project.resources);
    if let Some(terms) = &terms {
        problems.extend(terms.apply(&mut manifest));
    }
    let (mut resources, found) = match &terms {
        Some(terms) => terms.load_resources(&manifest),
        None => wythe_manifest::load_resources(&manifest.resources_paths),
    };
    let is_whole = !found.has_errors();
    resources.close_grants(&mut manifest);
    problems.extend(found);
    if let Some(terms) = &terms {
        problems.extend(terms.check_resources(&resources));
    }
    let allowed = |name: &str| {
        terms
            .as_ref()
            .is_none_or(|terms| terms.allows_variable(name))
    };
    let variable = |name: &str| std::env::var(name).ok().filter(|_| allowed(name));
    problems.extend(resources.resolve(&variable));
    let token = token(&manifest, terms.as_deref(), &variable);
    let token = token.map_err(|problem| problems.extend(problem.into()));
    let defaults = add_defaults(&manifest, &mut resources);
    if is_whole {
        // What could not be read may be what is named.
        problems.extend(wythe_manifest::check_names(&manifest, &resources));
    }
    let plan = Plan {
        manifest,
        resources,
        defaults,
        token: token.ok().flatten(),
        terms,
    };
    (Some(plan), Problem::all(problems))
}

/// The variable with the token of a project without an operator that names none itself, as in Dapr.
const TOKEN: &str = "DAPR_API_TOKEN";

/// The token of a project. An empty one is a mistake, and never none: whoever wrote it believes that there is one.
fn token(
    manifest: &Manifest,
    terms: Option<&Terms>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Secret>, wythe_manifest::Problem> {
    let (name, source) = match &manifest.api_token {
        Some(written) => (written.name.as_str(), written.source.clone()),
        None if terms.is_some() => return Ok(None),
        None => (
            TOKEN,
            wythe_manifest::Problem::of_file(&manifest.file, "").source(),
        ),
    };
    let wrong = |why: &str| {
        let message = format!("the variable `{name}` {why}");
        Err(source.problem("apiToken", message))
    };
    match variable(name) {
        Some(value) if value.is_empty() => {
            wrong("is empty; expected a token, or no such variable where none is asked for")
        }
        Some(value) if HeaderValue::from_str(&value).is_err() => {
            wrong("has characters that no header has; expected a token of letters and digits")
        }
        Some(value) => Ok(Some(Secret::new(value))),
        None if manifest.api_token.is_some() => wrong(
            "is not set; set it, and in a host of many tenants have its operator allow it by `allow.environment`",
        ),
        None => Ok(None),
    }
}

/// Does what `read` does, for what needs a project that is good so far; the answer has the warnings.
pub fn plan(project: impl Into<Choice>) -> Result<(Plan, Vec<Problem>), Vec<Problem>> {
    plan_under(project, None)
}

/// Does what `plan` does, for a project of a tenant.
pub fn plan_under(
    project: impl Into<Choice>,
    terms: Option<Arc<Terms>>,
) -> Result<(Plan, Vec<Problem>), Vec<Problem>> {
    match read_under(project, terms) {
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
        let denied = resources.denied(&manifest.tenant, &component);
        if is_wanted(manifest, &component.block)
            && denied.is_none()
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
#[expect(
    clippy::disallowed_methods,
    reason = "the command reads the environment"
)]
pub fn cache_directory(data: &Path) -> PathBuf {
    let named = std::env::var_os("WYTHE_CACHE_DIR").map(PathBuf::from);
    let user = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let shared = || user().or_else(home).map(|cache| cache.join("wythe"));
    named.or_else(shared).unwrap_or_else(|| data.join("cache"))
}

/// The ground that tenants stand on: the host, the engine, and the directory of their data.
#[derive(Clone)]
pub struct Ground {
    pub host: Arc<Host>,
    pub runtime: Arc<Runtime>,
    pub data: PathBuf,
}

impl Ground {
    /// A host without tenants.
    pub fn new(data: &Path) -> Result<Self, Vec<Problem>> {
        Ok(Ground {
            host: Arc::default(),
            runtime: runtime(data)?,
            data: data.to_owned(),
        })
    }

    /// Another host with the same engine and the same data, to try something there.
    pub fn apart(&self) -> Self {
        Ground {
            host: Arc::default(),
            ..self.clone()
        }
    }

    /// Gives a tenant up that could not begin.
    async fn give_up(&self, tenant: &Tenant) {
        self.host.remove(tenant.name(), CLOSE).await;
    }
}

/// Opens every component, loads every app, and starts every subscription. All problems are told.
pub async fn boot(plan: &Plan, data: &Path) -> Result<Booted, Vec<Problem>> {
    private::check(data, "data").map_err(|problem| vec![problem])?;
    boot_on(&Ground::new(data)?, plan).await
}

/// Does what `boot` does, on a ground that is there.
pub async fn boot_on(ground: &Ground, plan: &Plan) -> Result<Booted, Vec<Problem>> {
    let booted = prepare_on(ground, plan).await?;
    match start(plan, &booted).await {
        Ok(()) => Ok(booted),
        Err(problems) => {
            ground.give_up(&booted.tenant).await;
            Err(problems)
        }
    }
}

/// Opens every component and loads every app, which can then be called; events are not delivered yet.
pub async fn prepare(plan: &Plan, data: &Path) -> Result<Booted, Vec<Problem>> {
    private::check(data, "data").map_err(|problem| vec![problem])?;
    prepare_on(&Ground::new(data)?, plan).await
}

async fn prepare_on(ground: &Ground, plan: &Plan) -> Result<Booted, Vec<Problem>> {
    let found = check::check_on(ground, plan).await?;
    if has_errors(&found.problems) {
        ground.give_up(&found.tenant).await;
        return Err(found.problems);
    }
    let booted = Booted {
        ground: ground.clone(),
        host: ground.host.clone(),
        tenant: found.tenant,
        registry: found.registry,
        apps: found.apps,
        warnings: found.problems,
    };
    let opened = booted.tenant.open_checked(found.components).await;
    let problems = match opened {
        Ok(()) => admit(plan, &booted).await,
        Err(errors) => errors.into_iter().map(Problem::from).collect(),
    };
    if problems.is_empty() {
        return Ok(booted);
    }
    ground.give_up(&booted.tenant).await;
    Err(problems)
}

/// Makes the apps callable.
async fn admit(plan: &Plan, booted: &Booted) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (app, loaded) in plan.manifest.apps.iter().zip(&booted.apps) {
        let admitted = booted.tenant.admit(&loaded.app, app.ingress.as_deref());
        let errors = admitted.await.err().into_iter().flatten();
        problems.extend(errors.map(|error| Problem::from(error).at(&app.source)));
    }
    problems
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
pub fn registry(runtime: &Arc<Runtime>, tenant: &Arc<Tenant>) -> Registry {
    let mut registry = wythe_drivers::registry();
    wythe_runtime::plugin::register(&mut registry, runtime, tenant);
    registry
}

/// A problem of the ways by which a project is reached, at the place where its operator wrote them.
pub fn at_terms(plan: &Plan, error: Error) -> Problem {
    let problem = Problem::from(error);
    match &plan.terms {
        Some(terms) => problem.at(&terms.source),
        None => problem,
    }
}

/// Returns the settings that a project's components are opened with.
pub fn settings(plan: &Plan, data: &Path) -> Settings {
    let tenant = &plan.manifest.tenant;
    let configurations = plan.resources.configurations.iter();
    let own: Vec<_> = configurations
        .filter(|c| tenant.has(c.namespace.as_ref()))
        .collect();
    Settings {
        handlers: own.iter().flat_map(|c| c.pipeline.clone()).collect(),
        app_handlers: own.iter().filter_map(|c| app_handlers(c)).collect(),
        subscriptions: plan.resources.subscriptions.clone(),
        resiliencies: plan.resources.resiliencies.clone(),
        configurations: plan.resources.configurations.clone(),
        project: plan.manifest.directory.clone(),
        environment: environment(plan.terms.as_deref()),
        token: plan.token.clone(),
        cors: plan.manifest.cors.clone(),
        terms: plan.terms.clone(),
        scopes: own.iter().flat_map(|c| c.secrets.clone()).collect(),
        ..Settings::new(tenant.clone(), data.join("data"))
    }
}

/// The handlers that a document puts before apps.
fn app_handlers(configuration: &Configuration) -> Option<AppHandlers> {
    let handlers = configuration.app_pipeline.clone();
    (!handlers.is_empty()).then(|| AppHandlers {
        apps: configuration.scopes.clone(),
        handlers,
    })
}

/// Variables that are no text are nobody's, and those that the operator does not allow are not the tenant's.
#[expect(
    clippy::disallowed_methods,
    reason = "the command reads the environment"
)]
fn environment(terms: Option<&Terms>) -> Environment {
    let text = |(name, value): (OsString, OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let is_allowed =
        |(name, _): &(String, String)| terms.is_none_or(|terms| terms.allows_variable(name));
    let all = std::env::vars_os().filter_map(text);
    all.filter(is_allowed).collect()
}

/// Apps are callable before the first event is delivered, since a subscriber may call them.
async fn start(plan: &Plan, booted: &Booted) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    for (app, loaded) in plan.manifest.apps.iter().zip(&booted.apps) {
        let started = booted.tenant.start(&loaded.app).await;
        let errors = started.err().into_iter().flatten();
        problems.extend(errors.map(|error| Problem::from(error).at(&app.source)));
    }
    problems.extend(booted.tenant.begin().err().map(Problem::from));
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}

/// Makes a path absolute for a program, which may work in another directory.
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}
