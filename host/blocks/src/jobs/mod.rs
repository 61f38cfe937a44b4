//! The whole of the jobs block's rules.

mod driver;

pub use driver::{
    Driver, FailurePolicy, Features, Job, Misfire, Page, Row, Settle, Timestamp, Trigger,
};

use crate::{
    App, Components, Result, Tasks,
    component::{self, Close},
    opening::{Opening, require},
};
use async_trait::async_trait;
use std::sync::Arc;
use wythe_manifest::{Component as Manifest, Name};

/// One occurrence on its way into an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    pub name: String,
    /// The same on every attempt, and never that of another occurrence.
    pub id: String,
    pub due: Timestamp,
    /// 1 on the first attempt.
    pub attempt: u32,
    pub data: bytes::Bytes,
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

/// The jobs block.
pub struct Jobs {
    pub(crate) components: Components<Configured>,
    tasks: Tasks,
}

impl Jobs {
    pub fn new(tasks: Tasks) -> Self {
        Jobs {
            components: Components::new("jobs"),
            tasks,
        }
    }

    /// From now on the jobs of this app run in it, in place of one with the same id.
    pub fn attach(&self, tenant: &Name, app: Arc<dyn App>) {
        let _ = (tenant, app, &self.tasks);
    }

    pub(crate) async fn add(
        &self,
        opening: &Opening<'_>,
        component: &mut Manifest,
        site: crate::Site,
    ) -> Result<()> {
        let driver = opening.registry.jobs.open(component, site).await?;
        let features = driver.features();
        require(component, &Features::NAMES, |name| features.has(name))?;
        let configured = Arc::new(Configured { driver });
        opening.insert(&self.components, OPERATIONS, component, configured);
        Ok(())
    }
}
