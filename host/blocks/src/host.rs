//! The host: one field per block, opened from a tenant's resources, with every problem reported.

use crate::{
    Environment, Error, Metrics, Registry, Result, Site, Tasks,
    actors::Actors,
    bindings::Bindings,
    configuration::Configuration,
    crypto::Crypto,
    invocation::Invocation,
    jobs::Jobs,
    lock::Lock,
    opening::Opening,
    pubsub::PubSub,
    registry,
    scrub::Secrets as Scrub,
    secrets::{Looked, Secrets, Stores},
    state::State,
    workflow::{self, Workflow},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use wythe_manifest::{Component as Manifest, ComponentName, Name, SecretScope};

/// The block that is opened before the others.
const SECRET_STORES: &str = "secretstores";

/// What a tenant's components are opened with.
pub struct Settings {
    pub tenant: Name,
    /// Embedded drivers keep their files in `<data>/<tenant>/<component>`.
    pub data: PathBuf,
    /// Bytes of a state value, unless the component says otherwise by `maxValueBytes`.
    pub max_value: u64,
    /// The process's environment.
    pub environment: Environment,
    /// Which secrets the tenant's apps may have, by store.
    pub scopes: Vec<SecretScope>,
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

impl Host {
    /// Opens a tenant's components. A component whose problem is not to be ignored is in the answer, by name.
    pub async fn open(
        &self,
        registry: &Registry,
        settings: &Settings,
        components: &[Manifest],
    ) -> Result<(), Vec<Error>> {
        let (others, mut problems) = self.resolve(registry, settings, components).await;
        for component in &others {
            let opened = self.open_in_time(registry, settings, component).await;
            problems.extend(told(component, opened));
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    /// Opens a tenant's secret stores and nothing else. The answer has the other components with the secrets that
    /// they refer to, and every problem so far.
    pub async fn resolve(
        &self,
        registry: &Registry,
        settings: &Settings,
        components: &[Manifest],
    ) -> (Vec<Manifest>, Vec<Error>) {
        let own = components.iter().filter(|c| is_of(c, &settings.tenant));
        let own: Vec<&Manifest> = own.collect();
        let mut stores = Stores::new(&settings.tenant, &own);
        let (order, mut problems) = stores.in_order();
        for store in order {
            let Some(resolved) = self.look_up(&stores, store, &mut problems).await else {
                stores.fail(store);
                continue;
            };
            let opened = self.open_in_time(registry, settings, &resolved).await;
            if opened.is_err() {
                stores.fail(store);
            }
            problems.extend(told(&resolved, opened));
        }
        let mut others = Vec::new();
        for component in own.iter().filter(|c| c.block != SECRET_STORES) {
            others.extend(self.look_up(&stores, component, &mut problems).await);
        }
        (others, problems)
    }

    /// The component with its secrets; none, if it lacks one.
    async fn look_up(
        &self,
        stores: &Stores<'_>,
        component: &Manifest,
        problems: &mut Vec<Error>,
    ) -> Option<Manifest> {
        match stores.look_up(&self.secrets, component).await {
            Looked::Up(component) => return Some(*component),
            Looked::Told => {}
            Looked::Wrong(wrong) if component.ignore_errors => {
                for problem in wrong {
                    tracing::warn!(component = %component.name, "left out: {problem}");
                }
            }
            Looked::Wrong(wrong) => {
                let errors = wrong.into_iter();
                problems.extend(errors.map(|problem| Error::invalid(problem.to_string())));
            }
        }
        None
    }

    async fn open_in_time(
        &self,
        registry: &Registry,
        settings: &Settings,
        component: &Manifest,
    ) -> Result<()> {
        let opened = self.open_one(registry, settings, component);
        let opened = tokio::time::timeout(component.init_timeout, opened).await;
        opened.unwrap_or_else(|_| {
            Err(Error::timeout(format!(
                "did not open within {:?}",
                component.init_timeout
            )))
        })
    }

    /// A tenant's workflows, which are kept in one of its state components.
    pub fn workflows(&self, tenant: &Name) -> Result<Arc<workflow::Engine>> {
        self.workflow.engine(tenant, &self.state)
    }

    async fn open_one(
        &self,
        registry: &Registry,
        settings: &Settings,
        component: &Manifest,
    ) -> Result<()> {
        let mut component = component.clone();
        let component = &mut component;
        let beside = component.source.file.parent().map(PathBuf::from);
        let site = Site {
            tenant: settings.tenant.clone(),
            component: component.name.to_string(),
            directory: settings
                .data
                .join(settings.tenant.as_str())
                .join(component.name.as_str()),
            beside: beside.unwrap_or_default(),
            environment: settings.environment.clone(),
        };
        let opening = Opening {
            registry,
            metrics: &self.metrics,
            tenant: &settings.tenant,
            data: &settings.data,
        };
        match component.block.as_str() {
            "bindings" => self.bindings.add(&opening, component, site).await,
            "configuration" => self.configuration.add(&opening, component, site).await,
            "crypto" => self.crypto.add(&opening, component, site).await,
            "jobs" => self.jobs.add(&opening, component, site).await,
            "lock" => self.lock.add(&opening, component, site).await,
            "pubsub" => self.pubsub.add(&opening, component, site).await,
            SECRET_STORES => {
                let mut scopes = settings.scopes.iter();
                let scope = scopes.find(|scope| scope.store == component.name).cloned();
                self.secrets.add(&opening, component, site, scope).await
            }
            "state" => {
                let most = settings.max_value;
                self.state.add(&opening, component, site, most).await
            }
            other => Err(registry::unknown_block(other)),
        }
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
        ended
    }
}

/// A component without a namespace is every tenant's.
fn is_of(component: &Manifest, tenant: &Name) -> bool {
    component
        .namespace
        .as_ref()
        .is_none_or(|namespace| namespace == tenant)
}

/// A problem of opening for the answer, unless it is to be ignored.
fn told(component: &Manifest, opened: Result<()>) -> Option<Error> {
    let error = opened.err()?;
    let text = Scrub::of(component).hide(error.chain());
    if component.ignore_errors {
        tracing::warn!(component = %component.name, "left out: {text}");
        return None;
    }
    let message = format!(
        "{}: component `{}`: {text}",
        component.source, component.name
    );
    Some(Error::new(error.kind(), message))
}
