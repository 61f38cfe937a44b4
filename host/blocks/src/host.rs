//! The host: one field per block, opened from a tenant's resources, with every problem reported.

use crate::{
    Environment, Error, Metrics, Registry, Result, Site, Tasks, bindings::Bindings,
    configuration::Configuration, crypto::Crypto, invocation::Invocation, jobs::Jobs, lock::Lock,
    opening::Opening, pubsub::PubSub, registry, secrets::Secrets, state::State,
};
use std::{path::PathBuf, time::Duration};
use wythe_manifest::{Component as Manifest, Name};

/// What a tenant's components are opened with.
pub struct Settings {
    pub tenant: Name,
    /// Embedded drivers keep their files in `<data>/<tenant>/<component>`.
    pub data: PathBuf,
    /// Bytes of a state value, unless the component says otherwise by `maxValueBytes`.
    pub max_value: u64,
    /// The process's environment.
    pub environment: Environment,
}

/// Every block of one process.
pub struct Host {
    pub bindings: Bindings,
    pub configuration: Configuration,
    pub crypto: Crypto,
    pub invocation: Invocation,
    pub jobs: Jobs,
    pub lock: Lock,
    pub pubsub: PubSub,
    pub secrets: Secrets,
    pub state: State,
    pub metrics: Metrics,
    pub tasks: Tasks,
}

impl Default for Host {
    fn default() -> Self {
        let tasks = Tasks::default();
        Host {
            bindings: Bindings::new(tasks.clone()),
            configuration: Configuration::new(tasks.clone()),
            crypto: Crypto::default(),
            invocation: Invocation::default(),
            jobs: Jobs::new(tasks.clone()),
            lock: Lock::new(tasks.clone()),
            pubsub: PubSub::new(tasks.clone()),
            secrets: Secrets::default(),
            state: State::default(),
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
        let mut problems = Vec::new();
        for component in components.iter().filter(|c| is_of(c, &settings.tenant)) {
            let opened = self.open_one(registry, settings, component);
            let opened = tokio::time::timeout(component.init_timeout, opened).await;
            let result = opened.unwrap_or_else(|_| {
                Err(Error::timeout(format!(
                    "did not open within {:?}",
                    component.init_timeout
                )))
            });
            match result {
                Ok(()) => {}
                Err(error) if component.ignore_errors => {
                    tracing::warn!(component = %component.name, "left out: {}", error.chain());
                }
                Err(error) => problems.push(located(component, error)),
            }
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
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
        };
        match component.block.as_str() {
            "bindings" => self.bindings.add(&opening, component, site).await,
            "configuration" => self.configuration.add(&opening, component, site).await,
            "crypto" => self.crypto.add(&opening, component, site).await,
            "jobs" => self.jobs.add(&opening, component, site).await,
            "lock" => self.lock.add(&opening, component, site).await,
            "pubsub" => self.pubsub.add(&opening, component, site).await,
            "secretstores" => self.secrets.add(&opening, component, site).await,
            "state" => {
                let most = settings.max_value;
                self.state.add(&opening, component, site, most).await
            }
            other => Err(registry::unknown_block(other)),
        }
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

fn located(component: &Manifest, error: Error) -> Error {
    let message = format!(
        "{}: component `{}`: {}",
        component.source,
        component.name,
        error.chain()
    );
    Error::new(error.kind(), message)
}
