//! The apps of a tenant: they come in two steps, so that all can be called before the first event is delivered, and go.

use super::{Settings, Tenant};
use crate::{App, Error, Result, app::Guard, pubsub::Subscription};
use std::sync::{Arc, atomic::Ordering::SeqCst};
use tokio::sync::MutexGuard;
use wythe_manifest::{Name, Subscription as Declared};

impl Tenant {
    /// Makes an app callable, in place of one with the same id: by HTTP below the prefix `ingress`, by other apps, its
    /// actors by their types, its workflows and activities by their names. Every problem is reported.
    pub async fn admit(&self, app: &Arc<App>, ingress: Option<&str>) -> Result<(), Vec<Error>> {
        let one = |error| vec![error];
        let _turn = self.turn().await.map_err(one)?;
        app.check_probe().map_err(one)?;
        self.guard(app, &self.settings());
        self.routes.route(ingress, app).map_err(one)?;
        app.show(&self.metrics);
        self.invocation.add(app);
        let old = self.apps().insert(app.id().clone(), app.clone());
        let old = old.filter(|old| !Arc::ptr_eq(old, app));
        app.watch_health(old.as_deref(), &self.tasks);
        if let Some(old) = old {
            old.end_health();
        }
        self.offer(app).await
    }

    /// Puts before an app what the settings say, for every call from now on.
    pub(super) fn guard(&self, app: &App, settings: &Settings) {
        let access = self.invocation.access();
        app.judged_by(access);
        let pipeline = self.middleware.before(settings, app.id());
        app.guard(pipeline.map(|pipeline| Guard::new(app.id().clone(), pipeline, access.clone())));
    }

    /// Attaches what an app offers to be called.
    async fn offer(&self, app: &Arc<App>) -> Result<(), Vec<Error>> {
        let mut problems = Vec::new();
        match app.actor_types().await {
            Ok(types) => problems.extend(self.actors.attach(app, types).err()),
            Err(error) => problems.push(vec![error]),
        }
        match (app.workflows().await, app.activities().await) {
            (Ok(workflows), Ok(activities)) => {
                let attached = self.workflow.attach(app, workflows, activities);
                problems.extend(attached.err());
            }
            (Err(error), _) | (_, Err(error)) => problems.push(vec![error]),
        }
        all(problems)
    }

    /// Starts everything that reaches an app without being asked, in place of what it had: events, changes of
    /// configuration, input, its jobs, and what wakes its actors. Every problem is reported; `not-found` where the app is
    /// the tenant's no more.
    pub async fn start(&self, app: &Arc<App>) -> Result<(), Vec<Error>> {
        let one = |error| vec![error];
        let _turn = self.turn_of(app).await.map_err(one)?;
        self.reach(app).await
    }

    /// Waits for the turn to change something of an app, and looks whether it is still the tenant's.
    async fn turn_of(&self, app: &Arc<App>) -> Result<MutexGuard<'_, ()>> {
        let turn = self.turn().await?;
        let is_known = |known: &Arc<App>| Arc::ptr_eq(known, app);
        match self.apps().get(app.id()).is_some_and(is_known) {
            true => Ok(turn),
            false => Err(Error::not_found(format!(
                "app `{}` was removed, or another one has its id",
                app.id()
            ))),
        }
    }

    async fn reach(&self, app: &Arc<App>) -> Result<(), Vec<Error>> {
        let one = |error| vec![error];
        self.subscribe(app).await?;
        let configurations = app.configurations().await.map_err(one)?;
        self.configuration.attach(app, configurations).await?;
        self.listen(app).await?;
        self.jobs.attach(app);
        self.actors.start(app.tenant());
        match self.has_begun.load(SeqCst) {
            // It may be the first one with workflows.
            true => self.workflow.begin(self.name(), &self.state).map_err(one),
            false => Ok(()),
        }
    }

    /// Takes up the workflows that an earlier process left, and runs what comes.
    pub fn begin(&self) -> Result<()> {
        self.has_begun.store(true, SeqCst);
        self.workflow.begin(self.name(), &self.state)
    }

    /// Another version of an app's code answers by now: what it offers and what reaches it is attached anew.
    pub async fn renew(&self, app: &Arc<App>) -> Result<(), Vec<Error>> {
        let _turn = self.turn_of(app).await.map_err(|error| vec![error])?;
        let offered = self.offer(app).await;
        let started = self.reach(app).await;
        all([offered, started].into_iter().filter_map(Result::err))
    }

    /// Removes an app: no call, event or wake reaches it from now on, and what it has under way has 30 s to end. What it
    /// keeps stays where it is kept. False where there is no such app.
    pub async fn remove(self: &Arc<Self>, id: &Name) -> Result<bool> {
        let (tenant, id) = (self.clone(), id.clone());
        self.whole(async move { tenant.remove_now(&id).await })
            .await?
    }

    async fn remove_now(&self, id: &Name) -> Result<bool> {
        let _turn = self.turn().await?;
        let Some(app) = self.apps().remove(id) else {
            return Ok(false);
        };
        app.end_health();
        // Without a prefix it cannot be another's.
        let _ = self.routes.route(None, &app);
        self.invocation.remove(&app);
        self.pubsub.detach(id).await;
        self.configuration.detach(id);
        self.bindings.detach(id).await;
        self.jobs.detach(id).await;
        self.actors.detach(&app).await;
        self.workflow.detach(&app);
        Ok(true)
    }

    /// The tenant's apps, in the order of their ids.
    pub fn all_apps(&self) -> Vec<Arc<App>> {
        self.apps().values().cloned().collect()
    }

    pub(super) async fn listen(&self, app: &Arc<App>) -> Result<(), Vec<Error>> {
        let inputs = app.inputs().await.map_err(|error| vec![error])?;
        self.bindings.attach(app, inputs).await
    }

    /// Subscribes the app to what it exports and what is declared for it; the same topic twice is the app's own, as in
    /// Dapr.
    pub(super) async fn subscribe(&self, app: &Arc<App>) -> Result<(), Vec<Error>> {
        let mut subscriptions = match app.exports().subscriber {
            true => app.subscriptions().await.map_err(|error| vec![error])?,
            // Attached all the same: an earlier version of the app may have been a subscriber.
            false => Vec::new(),
        };
        for declared in &self.settings().subscriptions {
            let known = |s: &Subscription| {
                s.component == declared.component.as_str() && s.topic == declared.topic
            };
            let is_ours = self.name().has(declared.namespace.as_ref());
            // A new version of an app may be no subscriber any more: nothing is delivered to it.
            let is_for_it = is_ours && app.exports().subscriber && app.is_meant_by(declared);
            if is_for_it && !subscriptions.iter().any(known) {
                subscriptions.push(declared.into());
            }
        }
        self.pubsub.attach(app, subscriptions).await
    }
}

impl From<&Declared> for Subscription {
    fn from(declared: &Declared) -> Self {
        Subscription {
            component: declared.component.to_string(),
            topic: declared.topic.clone(),
            rules: declared.rules.clone(),
            default_route: declared.default_route.clone(),
            dead_letter_topic: declared.dead_letter_topic.clone(),
            metadata: declared.metadata.clone(),
        }
    }
}

pub(super) fn all(problems: impl IntoIterator<Item = Vec<Error>>) -> Result<(), Vec<Error>> {
    let problems: Vec<_> = problems.into_iter().flatten().collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(problems),
    }
}
