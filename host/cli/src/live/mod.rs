//! Projects that change while they run: what is written is compared with what runs, and the difference is done, or none of
//! it.

mod apps;
mod components;
pub mod folder;
pub mod print;
pub mod root;
pub mod watch;

pub use apps::Stamps;

use crate::{
    boot::{self, Booted, Ground, Plan},
    check,
    report::Problem,
    traces,
};
use apps::Known;
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{self as blocks, Entrance, Registry, Tenant};
use wythe_manifest::{Component, ComponentName, Configuration, Name, Same, Subscription};

/// A project that runs.
pub struct Live {
    ground: Ground,
    tenant: Arc<Tenant>,
    registry: Arc<Registry>,
    /// The plan that is in force.
    plan: Arc<Plan>,
    /// Apps as they run.
    apps: BTreeMap<Name, Known>,
    /// Components as they are open.
    components: BTreeMap<ComponentName, Component>,
    /// Warnings that were told of the plan.
    warnings: Vec<Problem>,
}

/// The parts that a change reached, in words.
pub type Changes = Vec<String>;

/// A change that is in force.
pub struct Done {
    pub changes: Changes,
    /// Warnings that were not told before.
    pub warnings: Vec<Problem>,
}

impl Live {
    /// A project as it was started, of which all warnings are told, with its component files as they were before, as far as
    /// that is known.
    pub fn new(booted: &Booted, plan: Arc<Plan>, stamps: &Stamps) -> Self {
        let apps = plan.manifest.apps.iter().zip(&booted.apps);
        let apps = apps.map(|(app, loaded)| {
            let stamp = stamps.get(&app.id).copied().flatten();
            (app.id.clone(), Known::new(app, loaded.clone(), stamp))
        });
        Live {
            apps: apps.collect(),
            components: components::of(&plan),
            ground: booted.ground.clone(),
            tenant: booted.tenant.clone(),
            registry: booted.registry.clone(),
            warnings: booted.warnings.clone(),
            plan,
        }
    }

    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Makes what runs what the plan says, which was read with these warnings. All of the plan is checked first, in a host
    /// apart. Where a part of it cannot be done after all, what was done is undone, and the answer says why.
    pub async fn change(
        &mut self,
        plan: Plan,
        mut warnings: Vec<Problem>,
    ) -> Result<Done, Vec<Problem>> {
        let found = check::problems_on(&self.ground.apart(), &plan).await;
        if boot::has_errors(&found) {
            return Err(found);
        }
        warnings.extend(found);
        warnings.extend(self.tracing(&plan));
        let (before, spare) = (self.plan.clone(), self.apps.clone());
        let plan = Arc::new(plan);
        let mut changes = Changes::new();
        let Err(mut problems) = self.go(&plan, &BTreeMap::new(), &mut changes).await else {
            self.plan = plan;
            let warnings = unreported(&mut self.warnings, warnings);
            return Ok(Done { changes, warnings });
        };
        if let Err(more) = self.go(&before, &spare, &mut Changes::new()).await {
            let text =
                "what ran before could not be restored either; the next good change mends it";
            problems.push(Problem::new(text));
            problems.extend(more);
        }
        Err(problems)
    }

    /// The warning of tracing that waits for another start.
    fn tracing(&self, plan: &Plan) -> Option<Problem> {
        let [written, before] = [plan, &*self.plan].map(traces::of_project);
        let moved = traces::moved(written, before);
        moved.map(|(message, place)| Problem::warning(message).placed(place))
    }

    /// The steps of a change, in an order in which nothing names what is not there: what goes is first left by those that
    /// use it, and what comes is there before it is used. Who may ask is said by what was and by what comes, until all of
    /// what stands before the apps is there: nobody is let in whom one of the two refuses. Apps that are in `spare` need not
    /// be loaded.
    async fn go(
        &mut self,
        plan: &Arc<Plan>,
        spare: &BTreeMap<Name, Known>,
        changes: &mut Changes,
    ) -> Result<(), Vec<Problem>> {
        let stamps = apps::stamps(plan);
        let coming = self.load(plan, spare).await?;
        self.remove_apps(plan, changes).await?;
        let forced = self.forced(plan);
        let stored = self.kept_subscriptions(plan);
        let known = self.tenant.settings();
        let resources = &plan.resources;
        let has_other_policies = !known.resiliencies.is_same(&resources.resiliencies)
            || !known.configurations.is_same(&resources.configurations);
        // What stands before the apps stays as it was until all of what comes can stand there.
        let before = blocks::Settings {
            subscriptions: stored.clone(),
            handlers: known.handlers.clone(),
            app_handlers: known.app_handlers.clone(),
            token: known.token.clone(),
            cors: known.cors.clone(),
            configurations: all_policies(&resources.configurations, &known.configurations),
            ..boot::settings(plan, &self.ground.data)
        };
        self.configure(before).await?;
        if has_other_policies {
            changes.push("policies changed".to_owned());
        }
        let entrance = Entrance::of(plan.terms.as_deref());
        let routes = self.ground.host.routes();
        let narrow = entrance
            .clone()
            .narrowed(&routes.entrance(self.tenant.name()));
        self.enter(plan, narrow)?;
        self.open_components(plan, &forced, changes).await?;
        let guarded = blocks::Settings {
            subscriptions: stored,
            ..boot::settings(plan, &self.ground.data)
        };
        self.configure(guarded).await?;
        self.enter(plan, entrance)?;
        self.admit(coming, changes).await?;
        self.configure(boot::settings(plan, &self.ground.data))
            .await?;
        self.remove_components(plan, changes).await?;
        self.swap(&stamps, changes).await
    }

    fn enter(&self, plan: &Plan, entrance: Entrance) -> Result<(), Vec<Problem>> {
        if self.ground.host.routes().entrance(self.tenant.name()) == entrance {
            return Ok(());
        }
        let entered = self.tenant.enter(entrance);
        entered.map_err(|error| vec![boot::at_terms(plan, error)])
    }

    async fn configure(&self, settings: blocks::Settings) -> Result<(), Vec<Problem>> {
        all(self.tenant.configure(settings).await)
    }

    /// Subscriptions of the plan that are in force already.
    fn kept_subscriptions(&self, plan: &Plan) -> Vec<Subscription> {
        let settings = self.tenant.settings();
        let known = |one: &&Subscription| settings.subscriptions.iter().any(|old| old.is_same(one));
        let wanted = plan.resources.subscriptions.iter();
        wanted.filter(known).cloned().collect()
    }
}

/// The documents that come, and of those before the ones that are written otherwise: each of them has to allow a call.
fn all_policies(now: &[Configuration], before: &[Configuration]) -> Vec<Configuration> {
    let is_left = |one: &&Configuration| !now.iter().any(|new| new.is_same(one));
    let left = before.iter().filter(is_left);
    now.iter().chain(left).cloned().collect()
}

fn all<T>(done: Result<T, Vec<blocks::Error>>) -> Result<T, Vec<Problem>> {
    done.map_err(|errors| errors.into_iter().map(Problem::from).collect())
}

/// Takes warnings as reported, and returns those that are new.
fn unreported(reported: &mut Vec<Problem>, warnings: Vec<Problem>) -> Vec<Problem> {
    let is_new = |one: &&Problem| !reported.contains(one);
    let new = warnings.iter().filter(is_new).cloned().collect();
    *reported = warnings;
    new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn until_a_change_is_in_force_policies_of_before_deny_as_well() {
        let read = |clients: &[&str]| {
            let document = |client: &&str| {
                format!(
                    "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: {client} }}\n\
                     spec: {{ accessControl: {{ policies: [{{ client: 'cn:{client}' }}] }} }}\n"
                )
            };
            let text: Vec<_> = clients.iter().map(document).collect();
            let (found, problems) =
                wythe_manifest::parse_resources(&text.join("---\n"), "a.yaml".as_ref());
            assert!(problems.is_empty(), "{problems}");
            found.configurations
        };
        let cases: [[&[&str]; 3]; 4] = [
            [&["a"], &[], &["a"]],
            [&[], &["a"], &["a"]],
            [&["a"], &["a"], &["a"]],
            [&["b", "c"], &["a", "b"], &["b", "c", "a"]],
        ];
        for [now, before, expected] in cases {
            let found = all_policies(&read(now), &read(before));
            assert!(found.is_same(&read(expected)), "{now:?} {before:?}");
        }
    }

    #[test]
    fn a_warning_is_told_once_until_it_was_gone() {
        let [old, new] = ["old", "new"].map(Problem::warning);
        let mut reported = vec![old.clone()];
        let unreported_now = unreported(&mut reported, vec![old.clone(), new.clone()]);
        assert_eq!(unreported_now, std::slice::from_ref(&new));
        assert!(unreported(&mut reported, vec![old.clone(), new.clone()]).is_empty());
        assert!(unreported(&mut reported, vec![new.clone()]).is_empty());
        assert_eq!(unreported(&mut reported, vec![old.clone(), new]), [old]);
    }
}
