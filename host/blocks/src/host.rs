//! The host: one field per block, opened from a tenant's resources, with every problem reported.

use crate::{
    App, Environment, Error, Metrics, Registry, Result, Tasks,
    actors::Actors,
    between,
    bindings::Bindings,
    configuration::Configuration,
    crypto::Crypto,
    invocation::Invocation,
    jobs::Jobs,
    lock::Lock,
    prepared::{Prepared, SECRET_STORES, named},
    pubsub::PubSub,
    secrets::{Looked, Secrets, Stores},
    state::State,
    workflow::{self, Workflow},
};
use futures::{StreamExt, future, stream};
use std::{path::PathBuf, sync::Arc, time::Duration};
use wythe_manifest::{Component as Manifest, ComponentName, Name, SecretScope};

/// Components that are opened at once.
const OPENED_AT_ONCE: usize = 8;

/// The settings that a tenant's components are opened with.
pub struct Settings {
    pub tenant: Name,
    /// The directory of the manifest, which no link below it may lead out of; empty where there is none.
    pub project: PathBuf,
    /// Embedded drivers keep their files in `<data>/<tenant>/<component>`.
    pub data: PathBuf,
    /// Bytes of a state value, unless the component says otherwise by `maxValueBytes`.
    pub max_value: u64,
    /// The process's environment.
    pub environment: Environment,
    /// The secrets that the tenant's apps may have, by store.
    pub scopes: Vec<SecretScope>,
}

impl Settings {
    /// Settings of a tenant without a project: 4 MiB a state value, an empty environment, no scopes.
    pub fn new(tenant: Name, data: impl Into<PathBuf>) -> Self {
        Settings {
            tenant,
            project: PathBuf::new(),
            data: data.into(),
            max_value: 4 << 20,
            environment: Environment::default(),
            scopes: Vec::new(),
        }
    }
}

/// Every block of one process.
pub struct Host {
    pub actors: Actors,
    pub bindings: Bindings,
    pub configuration: Configuration,
    pub crypto: Crypto,
    pub invocation: Invocation,
    pub jobs: Jobs,
    pub lock: Lock,
    pub pubsub: Arc<PubSub>,
    pub secrets: Secrets,
    pub state: Arc<State>,
    pub workflow: Workflow,
    pub metrics: Metrics,
    pub tasks: Tasks,
}

impl Default for Host {
    fn default() -> Self {
        let tasks = Tasks::default();
        let (pubsub, state) = (
            Arc::new(PubSub::new(tasks.clone())),
            Arc::<State>::default(),
        );
        Host {
            actors: Actors::new(tasks.clone(), state.clone(), pubsub.clone()),
            bindings: Bindings::new(tasks.clone()),
            configuration: Configuration::new(tasks.clone()),
            crypto: Crypto::default(),
            invocation: Invocation::default(),
            jobs: Jobs::new(tasks.clone()),
            lock: Lock::new(tasks.clone()),
            pubsub,
            secrets: Secrets::default(),
            state,
            workflow: Workflow::new(tasks.clone()),
            metrics: Metrics::default(),
            tasks,
        }
    }
}

/// A tenant's components, found good and, but for its secret stores, not open yet.
#[derive(Default)]
pub struct Checked {
    ready: Vec<(Manifest, Prepared)>,
    /// Problems of components that may be missing.
    pub left_out: Vec<Error>,
    /// Warnings of what is good, but of which the operator should know.
    pub warnings: Vec<Error>,
}

impl Host {
    /// Checks and opens a tenant's components.
    pub async fn open(
        &self,
        registry: &Registry,
        settings: &Settings,
        components: &[Manifest],
    ) -> Result<(), Vec<Error>> {
        let (checked, problems) = self.check(registry, settings, components).await;
        match problems.is_empty() {
            true => self.open_checked(settings, checked).await,
            false => Err(problems),
        }
    }

    /// Finds every problem of a tenant's components that can be found without opening them. Secret stores are opened,
    /// for settings are in them.
    pub async fn check(
        &self,
        registry: &Registry,
        settings: &Settings,
        components: &[Manifest],
    ) -> (Checked, Vec<Error>) {
        let (others, mut checked, mut problems) =
            self.resolve(registry, settings, components).await;
        problems.extend(between::problems(&others));
        for component in others {
            match Prepared::new(registry, settings, &component).await {
                Ok(prepared) => {
                    checked.warnings.extend(prepared.warnings());
                    checked.ready.push((component, prepared));
                }
                Err(errors) => checked.tell(&component, errors, &mut problems),
            }
        }
        (checked, problems)
    }

    /// Opens what was found good, 8 components at a time, so that a slow one does not keep the others waiting. A component whose problem is not to be ignored is in the answer, by name.
    pub async fn open_checked(
        &self,
        settings: &Settings,
        checked: Checked,
    ) -> Result<(), Vec<Error>> {
        let opened = checked
            .ready
            .into_iter()
            .map(|(component, prepared)| async move {
                let opened = self.open_in_time(settings, &component, prepared).await;
                told(&component, opened)
            });
        let opened = stream::iter(opened).buffered(OPENED_AT_ONCE);
        let problems: Vec<_> = opened.filter_map(future::ready).collect().await;
        match problems.is_empty() {
            true => Ok(()),
            false => Err(problems),
        }
    }

    /// Opens a tenant's secret stores and nothing else. The answer has the other components with the secrets that
    /// they refer to, and every problem so far.
    pub(crate) async fn resolve(
        &self,
        registry: &Registry,
        settings: &Settings,
        components: &[Manifest],
    ) -> (Vec<Manifest>, Checked, Vec<Error>) {
        let own = components.iter().filter(|c| is_of(c, &settings.tenant));
        let own: Vec<&Manifest> = own.collect();
        let mut stores = Stores::new(&settings.tenant, &own);
        let (order, mut problems) = stores.in_order();
        let mut checked = Checked::default();
        for store in order {
            let asked = (&stores, registry, store);
            let Some(resolved) = self.look_up(asked, &mut checked, &mut problems).await else {
                stores.fail(store);
                continue;
            };
            let opened = match Prepared::new(registry, settings, &resolved).await {
                Ok(prepared) => {
                    checked.warnings.extend(prepared.warnings());
                    self.open_in_time(settings, &resolved, prepared).await
                }
                Err(errors) => {
                    stores.fail(store);
                    checked.tell(&resolved, errors, &mut problems);
                    continue;
                }
            };
            if let Err(error) = opened {
                stores.fail(store);
                checked.tell(&resolved, vec![named(&resolved, error)], &mut problems);
            }
        }
        let mut others = Vec::new();
        for component in own.iter().filter(|c| c.block != SECRET_STORES) {
            let asked = (&stores, registry, *component);
            others.extend(self.look_up(asked, &mut checked, &mut problems).await);
        }
        (others, checked, problems)
    }

    /// The component with its secrets; none, if it lacks one. Then what else is wrong with it is told all the same.
    async fn look_up(
        &self,
        (stores, registry, component): (&Stores<'_>, &Registry, &Manifest),
        checked: &mut Checked,
        problems: &mut Vec<Error>,
    ) -> Option<Manifest> {
        let mut errors = match stores.look_up(&self.secrets, component).await {
            Looked::Up(component) if component.metadata.is_whole() => return Some(*component),
            // A variable of the environment that is not set was told when the file was read.
            Looked::Up(_) | Looked::Told => Vec::new(),
            Looked::Wrong(wrong) => wrong.iter().map(Error::from).collect(),
        };
        errors.extend(registry.mistakes(component));
        checked.tell(component, errors, problems);
        None
    }

    async fn open_in_time(
        &self,
        settings: &Settings,
        component: &Manifest,
        prepared: Prepared,
    ) -> Result<()> {
        let opened = prepared.open(self, settings, component);
        let opened = tokio::time::timeout(component.init_timeout, opened).await;
        opened.unwrap_or_else(|_| {
            Err(Error::timeout(format!(
                "did not open within {:?}",
                component.init_timeout
            )))
        })
    }

    /// Makes an app callable, in place of one with the same id.
    pub fn admit(&self, app: &Arc<App>) {
        self.metrics.watch(Arc::downgrade(&app.metrics));
        self.invocation.add(app);
    }

    /// A tenant's workflows, which are kept in one of its state components.
    pub fn workflows(&self, tenant: &Name) -> Result<Arc<workflow::Engine>> {
        self.workflow.engine(tenant, &self.state)
    }

    /// Components that cannot do their work, by name, with the reason; none where all is well.
    pub async fn unwell(&self) -> Vec<(ComponentName, Error)> {
        let mut unwell = self.configuration.components.unwell().await;
        unwell.extend(self.jobs.components.unwell().await);
        unwell.extend(self.lock.components.unwell().await);
        unwell.extend(self.pubsub.components.unwell().await);
        unwell.extend(self.state.components.unwell().await);
        unwell.sort_by(|one, other| one.0.cmp(&other.0));
        unwell
    }

    /// Ends subscriptions, waits for every task, then closes the drivers; false when a task outlived `limit`.
    pub async fn close(&self, limit: Duration) -> bool {
        let ended = self.tasks.stop(limit).await;
        self.bindings.components.close().await;
        self.configuration.components.close().await;
        self.crypto.components.close().await;
        self.jobs.components.close().await;
        self.lock.components.close().await;
        self.pubsub.components.close().await;
        self.secrets.components.close().await;
        self.state.components.close().await;
        self.release();
        ended
    }

    /// Lets go of apps and components. Guests and plugins hold the host, so that otherwise neither would ever go.
    fn release(&self) {
        self.invocation.clear();
        self.actors.clear();
        self.workflow.clear();
        self.jobs.clear();
        self.bindings.components.clear();
        self.configuration.clear();
        self.crypto.components.clear();
        self.lock.components.clear();
        self.pubsub.components.clear();
        self.secrets.components.clear();
        self.state.components.clear();
    }
}

/// A component without a namespace is every tenant's.
fn is_of(component: &Manifest, tenant: &Name) -> bool {
    component
        .namespace
        .as_ref()
        .is_none_or(|namespace| namespace == tenant)
}

impl Checked {
    /// Problems of one component, which stop the start unless it may be missing.
    fn tell(&mut self, component: &Manifest, errors: Vec<Error>, problems: &mut Vec<Error>) {
        match component.ignore_errors {
            true => self.left_out.extend(errors),
            false => problems.extend(errors),
        }
    }
}

/// A problem of opening for the answer, unless it is to be ignored.
fn told(component: &Manifest, opened: Result<()>) -> Option<Error> {
    let error = named(component, opened.err()?);
    if component.ignore_errors {
        tracing::warn!(component = %component.name, "left out: {}", error.message());
        return None;
    }
    Some(error)
}
