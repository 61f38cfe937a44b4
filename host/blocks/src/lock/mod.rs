//! The whole of the lock block's rules.

mod driver;

pub use driver::{Acquired, Driver, Features, Grant};

use crate::{
    Components, Result,
    component::{self, Close},
    opening::{Opening, require},
};
use async_trait::async_trait;
use std::sync::Arc;
use wythe_manifest::Component as Manifest;

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

/// The lock block.
pub struct Lock {
    pub(crate) components: Components<Configured>,
}

impl Default for Lock {
    fn default() -> Self {
        Lock {
            components: Components::new("lock"),
        }
    }
}

impl Lock {
    pub(crate) async fn add(
        &self,
        opening: &Opening<'_>,
        component: &mut Manifest,
        site: crate::Site,
    ) -> Result<()> {
        let driver = opening.registry.lock.open(component, site).await?;
        let features = driver.features();
        require(component, &Features::NAMES, |name| features.has(name))?;
        let configured = Arc::new(Configured { driver });
        opening.insert(&self.components, OPERATIONS, component, configured);
        Ok(())
    }
}

/// A lock that was granted.
pub struct Lease {}
