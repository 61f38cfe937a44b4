//! Everything that can be wrong with a project, found by one function, before anything but its secret stores is opened:
//! what `wythe validate` tells and what keeps `wythe run` from starting are the same.

use crate::{
    boot::{self, Ground, Plan},
    choice::Choice,
    report::Problem,
};
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    self as blocks, Checked, Entrance, Registry, Tenant, interfaces::Interface, state::chosen,
};
use wythe_manifest::{App, Component, Subscription};
use wythe_runtime::{Guest, Loaded};

/// Time in which the secret stores close.
const CLOSE: Duration = Duration::from_secs(1);

/// The findings of a check. A host is started from them if no problem is an error.
pub struct Found {
    pub tenant: Arc<Tenant>,
    pub registry: Arc<Registry>,
    pub components: Checked,
    /// The apps, one for each of the manifest, if no problem is an error.
    pub apps: Vec<Loaded>,
    pub problems: Vec<Problem>,
}

/// Every problem of a project, those of its manifest, its resources, its components and its apps, in one list. The answer
/// has no plan where there is no manifest to be read.
pub async fn problems(
    project: impl Into<Choice>,
    data: Option<&Path>,
) -> (Option<Plan>, Vec<Problem>) {
    let (plan, mut problems) = boot::read(project);
    if let Some(plan) = &plan {
        let usual = boot::data_directory(&plan.manifest);
        problems.extend(problems_of(plan, data.unwrap_or(&usual)).await);
    }
    Problem::sort(&mut problems);
    (plan, problems)
}

/// A plan that is good so far, with its warnings. Where it is not, nothing is built for it, and everything that is wrong is
/// told at once.
pub async fn good(
    project: impl Into<Choice>,
    data: Option<&Path>,
) -> Result<(Plan, Vec<Problem>), Vec<Problem>> {
    let project = project.into();
    match boot::plan(project.clone()) {
        Ok(good) => Ok(good),
        Err(_) => Err(problems(project, data).await.1),
    }
}

/// The problems of a plan's components and apps; nothing stays open.
async fn problems_of(plan: &Plan, data: &Path) -> Vec<Problem> {
    match Ground::new(data) {
        Ok(ground) => problems_on(&ground, plan).await,
        Err(problems) => problems,
    }
}

/// Does what `problems_of` does, with an engine that is there. The ground has no tenant of the plan's name.
pub async fn problems_on(ground: &Ground, plan: &Plan) -> Vec<Problem> {
    match check_on(ground, plan).await {
        Ok(found) => {
            ground.host.remove(found.tenant.name(), CLOSE).await;
            found.problems
        }
        Err(problems) => problems,
    }
}

/// Checks the components and the apps of a plan. An error says that there is a tenant of its name already, or that what it
/// is reached by is another one's.
pub async fn check_on(ground: &Ground, plan: &Plan) -> Result<Found, Vec<Problem>> {
    let runtime = &ground.runtime;
    let tenant = open(ground, plan).await.map_err(|problem| vec![problem])?;
    let registry = Arc::new(boot::registry(runtime, &tenant));
    let checked = tenant.check(&registry, &plan.resources.components);
    let (components, errors) = checked.await;
    let mut problems: Vec<_> = errors.into_iter().map(Problem::from).collect();
    problems.extend(components.left_out.iter().map(left_out));
    problems.extend(components.warnings.iter().map(warning));
    let mut apps: Vec<Loaded> = Vec::new();
    for app in &plan.manifest.apps {
        match Guest::load(runtime, &tenant, app).await {
            Ok(loaded) => apps.push(loaded),
            Err(errors) => {
                let errors = errors.into_iter().map(Problem::from);
                problems.extend(errors.map(|problem| problem.at(&app.source)));
            }
        }
    }
    for app in &plan.manifest.apps {
        let loaded = apps.iter().find(|loaded| *loaded.app.id() == app.id);
        problems.extend(
            loaded
                .into_iter()
                .flat_map(|loaded| unheard(app, &loaded.app)),
        );
    }
    let declared = plan.resources.subscriptions.iter();
    let declared =
        declared.filter(|declared| plan.manifest.tenant.has(declared.namespace.as_ref()));
    problems.extend(declared.flat_map(|declared| subscription(declared, plan, &apps)));
    problems.extend(apps.iter().flat_map(|loaded| doubled(&loaded.app, plan)));
    problems.extend(without_store(plan, &apps));
    Problem::sort(&mut problems);
    Ok(Found {
        tenant,
        registry,
        components,
        apps,
        problems,
    })
}

/// A tenant with nothing in it but the ways by which it is reached.
async fn open(ground: &Ground, plan: &Plan) -> Result<Arc<Tenant>, Problem> {
    let tenant = ground.host.open(boot::settings(plan, &ground.data))?;
    if let Err(error) = tenant.enter(Entrance::of(plan.terms.as_deref())) {
        ground.host.remove(tenant.name(), CLOSE).await;
        return Err(boot::at_terms(plan, error));
    }
    Ok(tenant)
}

/// A component that may be missing, as its `ignoreErrors` says.
fn left_out(error: &blocks::Error) -> Problem {
    located(format!("left out: {}", error.message()), error)
}

/// A component that is good, and that the operator should know something of.
fn warning(error: &blocks::Error) -> Problem {
    located(error.message().to_owned(), error)
}

fn located(message: String, error: &blocks::Error) -> Problem {
    let problem = Problem::warning(message);
    match error.position() {
        Some(position) => problem.at(position),
        None => problem,
    }
}

/// Finds words of the manifest about an app that its component does not answer to.
fn unheard(app: &App, loaded: &blocks::App) -> Vec<Problem> {
    let exports = loaded.exports();
    let mut problems = Vec::new();
    if app.ingress.is_some() && !exports.http {
        let message = format!(
            "app `{}` has `ingress`, but its component answers no HTTP",
            app.id
        );
        problems.push(Problem::new(message).at(&app.source));
    }
    for mention in &app.grants.mentions {
        let interface = Interface::heard_by(mention.grant);
        if let Some(interface) = interface.filter(|interface| !exports.has(interface)) {
            let message = format!(
                "{}: no effect: the component of app `{}` does not export {}",
                mention.key,
                app.id,
                interface.full_name()
            );
            problems.push(Problem::warning(message).at(&mention.source));
        }
    }
    problems
}

/// Apps that cannot have the events.
fn subscription(declared: &Subscription, plan: &Plan, apps: &[Loaded]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (scope, position) in declared.scopes.iter().zip(&declared.positions.scopes) {
        let loaded = apps.iter().find(|loaded| loaded.app.id() == scope);
        let message = loaded.and_then(|loaded| cannot_have(declared, &loaded.app));
        problems.extend(message.map(|message| Problem::new(message).at(position)));
    }
    let is_known = apps.len() == plan.manifest.apps.len();
    let mut concerned = apps.iter();
    let is_idle = !concerned.any(|loaded| loaded.app.is_meant_by(declared));
    if is_known && is_idle && declared.scopes.is_empty() {
        let message = format!(
            "subscription `{}` has no effect: no app exports wythe:blocks/subscriber and is granted `subscribe: [{}/{}]`",
            declared.name, declared.component, declared.topic
        );
        problems.push(Problem::warning(message).at(&declared.source));
    }
    problems
}

/// Finds an app with actors or workflows that no state component keeps, or more than one.
fn without_store(plan: &Plan, apps: &[Loaded]) -> Option<Problem> {
    let needs = |app: &&App| {
        let loaded = apps.iter().find(|loaded| *loaded.app.id() == app.id);
        loaded.is_some_and(|loaded| {
            let exports = loaded.app.exports();
            exports.workflow_handler || exports.activity_handler || exports.actor_handler
        })
    };
    let app = plan.manifest.apps.iter().find(needs)?;
    let stores = plan.resources.components.iter();
    let stores: Vec<&Component> = stores
        .filter(|one| one.block == "state" && plan.manifest.tenant.has(one.namespace.as_ref()))
        .collect();
    let is_marked = |one: &&Component| {
        let mark = one.metadata.get("actorStateStore");
        mark.is_some_and(|mark| mark.reveal().eq_ignore_ascii_case("true"))
    };
    let error = chosen(&stores, is_marked, |one| &one.name).err()?;
    let message = format!(
        "app `{}` has actors or workflows, and {}",
        app.id,
        error.message()
    );
    Some(Problem::new(message).at(&app.source))
}

/// Subscriptions of an app to a topic that an earlier one of it has already.
fn doubled(app: &blocks::App, plan: &Plan) -> Vec<Problem> {
    let declared = plan.resources.subscriptions.iter();
    let concerned = declared
        .filter(|one| plan.manifest.tenant.has(one.namespace.as_ref()) && app.is_meant_by(one));
    let mut first: BTreeMap<(String, &str), &Subscription> = BTreeMap::new();
    let mut problems = Vec::new();
    for one in concerned {
        let topic = (one.component.to_string(), one.topic.as_str());
        let Some(other) = first.get(&topic) else {
            first.insert(topic, one);
            continue;
        };
        let message = format!(
            "subscription `{}` has no effect for app `{}`: `{}` at {} has the same topic",
            one.name,
            app.id(),
            other.name,
            other.source.short()
        );
        problems.push(Problem::warning(message).at(&one.source));
    }
    problems
}

fn cannot_have(declared: &Subscription, loaded: &blocks::App) -> Option<String> {
    let (name, app) = (&declared.name, loaded.id());
    let (component, topic) = (&declared.component, &declared.topic);
    if !loaded.exports().subscriber {
        return Some(format!(
            "subscription `{name}` names app `{app}`, which does not export wythe:blocks/subscriber"
        ));
    }
    if loaded.grants().subscribe(component.as_str(), topic) {
        return None;
    }
    Some(format!(
        "subscription `{name}` names app `{app}`, which is not granted the topic; add `grants: {{ subscribe: \
         [{component}/{topic}] }}` at {}",
        loaded.grants().source
    ))
}
