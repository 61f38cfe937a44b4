//! The whole of the configuration block's rules: what may be asked for, what a version is, and who hears of changes.

mod delivery;
mod driver;
mod keys;
mod listening;
pub mod pairs;
mod watcher;

pub use driver::{Driver, Features, Item, NewItem};
pub use keys::{MAX_KEY, MAX_KEYS};

use crate::{
    Call, Components, Error, Result, Slot, Tasks,
    component::{self, Close, Use},
    opening::{self, Opening, require},
};
use async_trait::async_trait;
use listening::{Listeners, Watchers};
use std::sync::Arc;

const GET: component::Operation = component::Operation::idempotent(0, "get");
const VERSION: component::Operation = component::Operation::idempotent(1, "version");
const WAIT: component::Operation = component::Operation::idempotent(2, "wait").of_host();
const SET: component::Operation = component::Operation::once(3, "set");
const DELETE: component::Operation = component::Operation::once(4, "delete");

pub(crate) const OPERATIONS: &[component::Operation] = &[GET, VERSION, WAIT, SET, DELETE];

/// Items as they were at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The items in the order of their keys.
    pub items: Vec<Item>,
    /// The version: another one if and only if anything of the items is another.
    pub version: String,
}

/// The items whose changes an app wants to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    pub component: String,
    /// The keys; empty for all items.
    pub keys: Vec<String>,
}

/// Items on their way into an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub component: String,
    /// The subscription's id.
    pub subscription: String,
    pub items: Vec<Item>,
    pub removed: Vec<String>,
}

/// A driver with what its component says.
pub struct Configured {
    pub driver: Arc<dyn Driver>,
}

#[async_trait]
impl Close for Configured {
    async fn close(&self) -> Result<()> {
        self.driver.close().await
    }

    async fn health(&self) -> Result<()> {
        self.driver.health().await
    }

    fn describe(&self) -> Option<String> {
        self.driver.describe()
    }
}

pub(crate) type Prepared = opening::Prepared<dyn Driver, ()>;

/// The configuration block.
pub struct Configuration {
    pub(crate) components: Components<Configured>,
    tasks: Tasks,
    listeners: Listeners,
    watchers: Watchers,
}

impl Configuration {
    pub fn new(tasks: Tasks) -> Self {
        Configuration {
            components: Components::new("configuration"),
            tasks,
            listeners: Listeners::default(),
            watchers: Watchers::default(),
        }
    }

    pub(crate) async fn add(&self, opening: &Opening<'_>, prepared: Prepared) -> Result<()> {
        let (component, (), driver) = prepared.open().await?;
        let features = driver.features();
        require(&component, |name| features.has(name))?;
        let configured = Arc::new(Configured { driver });
        opening.insert(&self.components, OPERATIONS, &component, configured);
        Ok(())
    }

    /// The items with these keys, absent ones left out; all items where no key is given.
    pub async fn get(&self, caller: &Call, component: &str, asked: &[String]) -> Result<Snapshot> {
        let asked = keys::checked(asked)?;
        let store = self.granted(caller, component)?.enter(caller).await?;
        let items = store.call(caller, GET, |d| d.driver.get(&asked)).await?;
        let version = keys::version_of(&items);
        Ok(Snapshot { items, version })
    }

    /// Does what `get` does, or returns none if nothing of it has changed since `version`.
    pub async fn changed(
        &self,
        caller: &Call,
        component: &str,
        asked: &[String],
        version: &str,
    ) -> Result<Option<Snapshot>> {
        let snapshot = self.get(caller, component, asked).await?;
        Ok((snapshot.version != version).then_some(snapshot))
    }

    /// Writes all of the items, or none, for the operator.
    pub async fn set(&self, caller: &Call, component: &str, items: Vec<NewItem>) -> Result<()> {
        let asked: Vec<_> = items.iter().map(|item| item.key.clone()).collect();
        keys::checked(&asked)?;
        let store = self.writable(caller, component).await?;
        store
            .call(caller, SET, |d| d.driver.set(items.clone()))
            .await
    }

    /// Deletes all of the items, or none, for the operator; an item that is absent is fine.
    pub async fn delete(&self, caller: &Call, component: &str, asked: Vec<String>) -> Result<()> {
        let asked = keys::checked(&asked)?;
        let store = self.writable(caller, component).await?;
        store
            .call(caller, DELETE, |d| d.driver.delete(asked.clone()))
            .await
    }

    /// The component, if the caller's manifest grants it.
    fn granted(&self, caller: &Call, component: &str) -> Result<Arc<Slot<Configured>>> {
        caller.require_grant(
            |grants| grants.configuration(component),
            format_args!("the configuration `{component}`"),
            "configuration",
            component,
        )?;
        self.components.find(caller, component)
    }

    async fn writable(&self, caller: &Call, component: &str) -> Result<Use<Configured>> {
        if caller.grants().is_some() {
            return Err(Error::denied(
                "configuration is changed by the operator alone",
            ));
        }
        let store = self.components.enter(caller, component).await?;
        if !store.driver().driver.features().writable {
            return Err(Error::unsupported(format!(
                "configuration component `{component}` is read-only; its features say so; change it where it is kept"
            )));
        }
        Ok(store)
    }
}

#[cfg(test)]
mod tests;
