//! The whole of the configuration block's rules.

mod driver;

pub use driver::{Driver, Features, Item, NewItem};

use crate::{
    App, Components, Error, Result, Tasks,
    component::{self, Close},
    opening::{Opening, require},
};
use async_trait::async_trait;
use std::sync::Arc;
use wythe_manifest::{Component as Manifest, Grants, Name};

/// What an app wants to hear of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscription {
    pub component: String,
    /// Empty: all items.
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

pub(crate) const OPERATIONS: &[component::Operation] = &[];

/// A driver with what its component says.
pub struct Configured {
    pub driver: Arc<dyn Driver>,
}

#[async_trait]
impl Close for Configured {
    async fn close(&self) -> Result<()> {
        self.driver.close().await
    }
}

/// The configuration block.
pub struct Configuration {
    pub(crate) components: Components<Configured>,
    tasks: Tasks,
}

impl Configuration {
    pub fn new(tasks: Tasks) -> Self {
        Configuration {
            components: Components::new("configuration"),
            tasks,
        }
    }

    /// Starts an app's subscriptions, in place of those it had. Every problem is reported, and then nothing was started.
    pub async fn attach(
        &self,
        tenant: &Name,
        app: Arc<dyn App>,
        grants: Arc<Grants>,
        subscriptions: Vec<Subscription>,
    ) -> Result<(), Vec<Error>> {
        let _ = (tenant, app, grants, subscriptions, &self.tasks);
        Ok(())
    }

    pub(crate) async fn add(
        &self,
        opening: &Opening<'_>,
        component: &mut Manifest,
        site: crate::Site,
    ) -> Result<()> {
        let driver = opening.registry.configuration.open(component, site).await?;
        let features = driver.features();
        require(component, &Features::NAMES, |name| features.has(name))?;
        let configured = Arc::new(Configured { driver });
        opening.insert(&self.components, OPERATIONS, component, configured);
        Ok(())
    }
}
