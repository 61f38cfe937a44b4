//! Middleware: what a request from outside goes through before an app is asked, and its answer on the way back.

mod driver;
mod pipeline;
mod preserved;
#[cfg(test)]
mod tests;

pub use driver::{Driver, Visit};
pub use pipeline::{End, Next, Pipeline};
pub use preserved::Preserved;

use crate::{
    Components, Operation, Result, Settings,
    component::Close,
    opening::{self, Opening},
};
use async_trait::async_trait;
use std::sync::Arc;
use wythe_manifest::Name;

/// A request is not tried again: whoever sent it knows whether it may be.
const HANDLE: Operation = Operation::once(0, "handle");

pub(crate) const OPERATIONS: &[Operation] = &[HANDLE];

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
}

pub(crate) type Prepared = opening::Prepared<dyn Driver, ()>;

/// The middleware of a tenant.
pub struct Middleware {
    pub(crate) components: Components<Configured>,
}

impl Default for Middleware {
    fn default() -> Self {
        Middleware {
            components: Components::new("middleware"),
        }
    }
}

impl Middleware {
    pub(crate) async fn add(&self, opening: &Opening<'_>, prepared: Prepared) -> Result<()> {
        let (component, (), driver) = prepared.open().await?;
        let configured = Arc::new(Configured { driver });
        opening.insert(&self.components, OPERATIONS, &component, configured);
        Ok(())
    }

    /// The handlers that these settings put before an app; absent where there are none.
    pub(crate) fn before(
        self: &Arc<Self>,
        settings: &Settings,
        app: &Name,
    ) -> Option<Arc<Pipeline>> {
        let mut all = settings.app_handlers.iter();
        let own = all.find(|one| one.is_for(app))?;
        let pipeline = Pipeline::of(self.clone(), settings, &own.handlers);
        Some(Arc::new(pipeline))
    }

    /// The way in that these settings make; absent where a request has nothing to go through, so that nothing is paid.
    pub(crate) fn pipeline(self: &Arc<Self>, settings: &Settings) -> Option<Arc<Pipeline>> {
        let is_open = settings.handlers.is_empty() && settings.token.is_none();
        if is_open && settings.cors.is_none() {
            return None;
        }
        Some(Arc::new(Pipeline::new(self.clone(), settings)))
    }
}
