//! The host: one field per block, opened from a tenant's resources, with every problem reported.

use crate::{
    Component, Error, Metrics, Registry, Result, Site, Tasks,
    invocation::Invocation,
    pubsub::{self, PubSub},
    state::{self, KeyPrefix, State},
};
use std::{path::PathBuf, sync::Arc, time::Duration};
use wythe_manifest::{Component as Manifest, Name};

/// What a tenant's components are opened with.
pub struct Settings {
    pub tenant: Name,
    /// Embedded drivers keep their files in `<data>/<tenant>/<component>`.
    pub data: PathBuf,
    /// Bytes of a state value, unless the component says otherwise by `maxValueBytes`.
    pub max_value: u64,
}

/// Every block of one process.
pub struct Host {
    pub state: State,
    pub pubsub: PubSub,
    pub invocation: Invocation,
    pub metrics: Metrics,
    pub tasks: Tasks,
}

impl Default for Host {
    fn default() -> Self {
        let tasks = Tasks::default();
        Host {
            state: State::default(),
            pubsub: PubSub::new(tasks.clone()),
            invocation: Invocation::default(),
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
        let site = Site {
            tenant: settings.tenant.clone(),
            component: component.name.to_string(),
            directory: settings
                .data
                .join(settings.tenant.as_str())
                .join(component.name.as_str()),
        };
        match component.block.as_str() {
            "state" => {
                self.open_state(registry, settings, &mut component, site)
                    .await
            }
            "pubsub" => {
                self.open_pubsub(registry, settings, &mut component, site)
                    .await
            }
            // Read by `secretKeyRef` when the manifest was resolved.
            "secretstores" => Ok(()),
            other => Err(Error::invalid(format!(
                "no block `{other}` in this build; it has: pubsub, state (and secretstores for secretKeyRef)"
            ))),
        }
    }

    async fn open_state(
        &self,
        registry: &Registry,
        settings: &Settings,
        component: &mut Manifest,
        site: Site,
    ) -> Result<()> {
        let prefix = component.metadata.take("keyPrefix");
        let prefix = KeyPrefix::parse(prefix.as_ref().map_or("", |value| value.reveal()))?;
        let max_value = match component.metadata.take("maxValueBytes") {
            Some(value) => size(value.reveal())?,
            None => settings.max_value,
        };
        // Any state component can serve actors here, so Dapr's mark for one has nothing to add.
        component.metadata.take("actorStateStore");
        let driver = registry.state.open(component, site).await?;
        let features = driver.features();
        require(component, &state::Features::NAMES, |name| {
            features.has(name)
        })?;
        let configured = Arc::new(state::Configured {
            driver,
            prefix,
            max_value,
        });
        let opened = Component::new("state", state::OPERATIONS, component, configured);
        self.state
            .components
            .insert(&self.metrics, settings.tenant.clone(), opened);
        Ok(())
    }

    async fn open_pubsub(
        &self,
        registry: &Registry,
        settings: &Settings,
        component: &mut Manifest,
        site: Site,
    ) -> Result<()> {
        let scopes = pubsub::Scopes::take(component)?;
        let consumer = component
            .metadata
            .take("consumerID")
            .map(|value| value.reveal().to_owned());
        let driver = registry.pubsub.open(component, site).await?;
        let features = driver.features();
        require(component, &pubsub::Features::NAMES, |name| {
            features.has(name)
        })?;
        let configured = Arc::new(pubsub::Configured {
            driver,
            scopes,
            consumer,
        });
        let opened = Component::new("pubsub", pubsub::OPERATIONS, component, configured);
        self.pubsub
            .components
            .insert(&self.metrics, settings.tenant.clone(), opened);
        Ok(())
    }

    /// Ends subscriptions, waits for every task, then closes the drivers; false when a task outlived `limit`.
    pub async fn close(&self, limit: Duration) -> bool {
        let ended = self.tasks.stop(limit).await;
        for component in self.state.components.all() {
            note(
                component.name().as_str(),
                component.driver().driver.close().await,
            );
        }
        for component in self.pubsub.components.all() {
            note(
                component.name().as_str(),
                component.driver().driver.close().await,
            );
        }
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

fn note(component: &str, closed: Result<()>) {
    if let Err(error) = closed {
        tracing::error!(component, "close: {}", error.chain());
    }
}

fn size(text: &str) -> Result<u64> {
    let parsed = text.parse::<wythe_manifest::ByteSize>();
    parsed
        .map(|size| size.0)
        .map_err(|error| Error::invalid(format!("maxValueBytes: {error}")))
}

/// What a manifest requires of a component is checked before anything uses it.
fn require(component: &Manifest, known: &[&str], has: impl Fn(&str) -> Option<bool>) -> Result<()> {
    for name in &component.requires {
        match has(name) {
            Some(true) => {}
            Some(false) => {
                return Err(Error::unsupported(format!(
                    "requires `{name}`, which driver `{}.{}` does not have",
                    component.block, component.driver
                )));
            }
            None => {
                return Err(Error::invalid(format!(
                    "requires `{name}`, which is no feature of {}; expected one of {}",
                    component.block,
                    known.join(", ")
                )));
            }
        }
    }
    Ok(())
}
