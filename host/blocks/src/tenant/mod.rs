//! A tenant: the value that has its apps, its components and the tasks of both, and can change while others run.

mod admit;
mod change;
mod numbers;
mod open;
mod replace;
mod report;
mod settings;

pub use open::Checked;
pub use report::Report;
pub use settings::{AppHandlers, Settings};

use crate::{
    App, Error, Logs, Metrics, Resiliency, Result, Routes, Tasks,
    actors::Actors,
    bindings::Bindings,
    component::Changing,
    configuration::Configuration,
    crypto::Crypto,
    invocation::{AccessPolicies, Invocation},
    jobs::Jobs,
    lock::Lock,
    middleware::Middleware,
    pubsub::{PubSub, RuleThread},
    quota::{Ledger, Ledgers},
    secrets::Secrets,
    state::State,
    time,
    workflow::{self, Workflow},
};
use arc_swap::ArcSwap;
use futures::future::join_all;
use parking_lot::{Mutex, MutexGuard};
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, oneshot};
use wythe_manifest::{Component as Manifest, ComponentName, Name};

/// Parts that all tenants of a host share.
#[derive(Clone, Default)]
pub struct Shared {
    pub metrics: Arc<Metrics>,
    pub tasks: Tasks,
    pub routes: Arc<Routes>,
    pub(crate) rules: Arc<RuleThread>,
    pub(crate) jobs: JobPermits,
    pub(crate) ledgers: Arc<Ledgers>,
}

/// Permits for the occurrences of jobs that run at once, of all tenants.
#[derive(Clone)]
pub(crate) struct JobPermits(pub Arc<Semaphore>);

impl Default for JobPermits {
    fn default() -> Self {
        JobPermits(Arc::new(Semaphore::new(crate::jobs::IN_HOST)))
    }
}

/// Every block of one tenant.
pub struct Tenant {
    pub actors: Actors,
    pub bindings: Bindings,
    pub configuration: Configuration,
    pub crypto: Crypto,
    pub invocation: Invocation,
    pub jobs: Jobs,
    pub lock: Lock,
    pub middleware: Arc<Middleware>,
    pub pubsub: Arc<PubSub>,
    /// The policies of its calls.
    pub resiliency: Arc<Resiliency>,
    pub secrets: Secrets,
    pub state: Arc<State>,
    pub workflow: Workflow,
    pub metrics: Arc<Metrics>,
    pub tasks: Tasks,
    /// The use of its quotas.
    pub ledger: Arc<Ledger>,
    /// The last lines of the apps' logs.
    pub logs: Arc<Logs>,
    name: Name,
    routes: Arc<Routes>,
    settings: ArcSwap<Settings>,
    apps: Mutex<BTreeMap<Name, Arc<App>>>,
    /// Components as they are written, by name: their secrets are still references.
    manifests: Mutex<BTreeMap<ComponentName, Manifest>>,
    /// Apps that something of a component reached which could not be opened again after a change.
    orphans: Mutex<BTreeMap<ComponentName, Vec<Name>>>,
    /// Held by whoever changes what the tenant has.
    changes: tokio::sync::Mutex<()>,
    /// Workflows run from now on.
    has_begun: AtomicBool,
    is_closing: AtomicBool,
}

/// The middleware of a tenant, which is before its apps from now on, though nothing of it is open yet.
fn guarded(settings: &Settings, routes: &Routes) -> Arc<Middleware> {
    let middleware = Arc::<Middleware>::default();
    let pipeline = middleware.pipeline(settings);
    routes.guard(&settings.tenant, pipeline);
    middleware
}

/// The policies of calls, and those of who may call what, as they are written.
fn policies(settings: &Settings) -> (Arc<Resiliency>, AccessPolicies) {
    let resiliency = Resiliency::new(settings.tenant.clone());
    resiliency.set(&settings.resiliencies);
    let access = AccessPolicies::new(settings.tenant.clone());
    access.set(&settings.configurations);
    (resiliency, access)
}

impl Tenant {
    /// A tenant with nothing in it.
    pub fn new(settings: Settings, shared: &Shared) -> Arc<Self> {
        let tasks = shared.tasks.child();
        let ledger = shared.ledgers.of(&settings.tenant, &shared.metrics);
        ledger.set(settings.quotas());
        let (resiliency, access) = policies(&settings);
        shared.metrics.watch(&resiliency);
        let (rules, known) = (shared.rules.clone(), ledger.clone());
        let pubsub = Arc::new(PubSub::new(tasks.clone(), rules, known));
        let state = Arc::<State>::default();
        Arc::new(Tenant {
            actors: Actors::new(
                tasks.clone(),
                state.clone(),
                pubsub.clone(),
                ledger.clone(),
                resiliency.clone(),
            ),
            bindings: Bindings::new(tasks.clone(), shared.routes.clone(), ledger.clone()),
            configuration: Configuration::new(tasks.clone()),
            crypto: Crypto::default(),
            invocation: Invocation::new(resiliency.clone(), access),
            jobs: Jobs::new(tasks.clone(), shared.jobs.0.clone(), ledger.clone()),
            lock: Lock::new(tasks.clone()),
            middleware: guarded(&settings, &shared.routes),
            pubsub,
            resiliency,
            secrets: Secrets::default(),
            state,
            workflow: Workflow::new(tasks.clone(), ledger.clone(), settings.data.clone()),
            metrics: shared.metrics.clone(),
            tasks,
            ledger,
            routes: shared.routes.clone(),
            logs: Arc::new(Logs::new(settings.log_bytes())),
            name: settings.tenant.clone(),
            settings: ArcSwap::from_pointee(settings),
            apps: Mutex::default(),
            manifests: Mutex::default(),
            orphans: Mutex::default(),
            changes: tokio::sync::Mutex::default(),
            has_begun: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
        })
    }

    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The settings as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// The tenant's workflows, which are kept in one of its state components.
    pub fn workflows(&self) -> Result<Arc<workflow::Engine>> {
        self.workflow.engine(self.name(), &self.state)
    }

    /// Components that cannot do their work, by name, with the reason; none where all is well.
    pub async fn unwell(&self) -> Vec<(ComponentName, Error)> {
        let asked = join_all(self.blocks().map(|block| block.unwell()));
        let mut unwell: Vec<_> = asked.await.into_iter().flatten().collect();
        unwell.sort_by(|one, other| one.0.cmp(&other.0));
        unwell
    }

    /// Ends subscriptions, waits for every task, then closes the drivers; false when a task outlived `limit`. Nothing comes
    /// to the tenant from now on.
    pub async fn close(&self, limit: Duration) -> bool {
        self.is_closing.store(true, SeqCst);
        let end = time::deadline(limit);
        let ended = self.tasks.stop(limit).await;
        let left = end.saturating_duration_since(Instant::now());
        let _turn = tokio::time::timeout(left, self.changes.lock()).await;
        for block in self.blocks() {
            block.close().await;
        }
        self.release();
        ended
    }

    /// The components of each block.
    fn blocks(&self) -> [&dyn Changing; 9] {
        [
            &self.bindings.components,
            &self.configuration.components,
            &self.crypto.components,
            &self.jobs.components,
            &self.lock.components,
            &self.middleware.components,
            &self.pubsub.components,
            &self.secrets.components,
            &self.state.components,
        ]
    }

    /// Waits for the turn to change what the tenant has; `unavailable` where it closes.
    async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>> {
        let turn = self.changes.lock().await;
        match self.is_closing.load(SeqCst) {
            false => Ok(turn),
            true => Err(Error::unavailable(format!(
                "tenant `{}` is being closed",
                self.name()
            ))),
        }
    }

    /// Does a change to its end, even if the request for it is dropped.
    async fn whole<T: Send + 'static>(
        self: &Arc<Self>,
        change: impl Future<Output = T> + Send + 'static,
    ) -> Result<T> {
        let (sender, done) = oneshot::channel();
        self.tasks.spawn(async move {
            // One that went away does not want the answer.
            let _ = sender.send(change.await);
        });
        done.await
            .map_err(|_| Error::internal("the change ended by a panic of the host"))
    }

    /// Lets go of apps. Guests and plugins hold the tenant, so that otherwise neither would ever go.
    fn release(&self) {
        self.routes.clear(self.name());
        self.apps().clear();
        self.invocation.clear();
        self.actors.clear();
        self.workflow.clear();
        self.jobs.clear();
        self.configuration.clear();
    }

    fn apps(&self) -> MutexGuard<'_, BTreeMap<Name, Arc<App>>> {
        self.apps.lock()
    }

    fn manifests(&self) -> MutexGuard<'_, BTreeMap<ComponentName, Manifest>> {
        self.manifests.lock()
    }

    /// Remembers how a component is written.
    fn know(&self, component: &Manifest) {
        let name = component.name.clone();
        self.manifests().insert(name, component.clone());
    }
}
