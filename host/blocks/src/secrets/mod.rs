//! The whole of the secrets block's rules.

mod driver;

pub use driver::{Driver, Features, Found, Value};

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

/// The secrets block.
pub struct Secrets {
    pub(crate) components: Components<Configured>,
}

impl Default for Secrets {
    fn default() -> Self {
        Secrets {
            components: Components::new("secretstores"),
        }
    }
}

impl Secrets {
    pub(crate) async fn add(
        &self,
        opening: &Opening<'_>,
        component: &mut Manifest,
        site: crate::Site,
    ) -> Result<()> {
        let driver = opening.registry.secrets.open(component, site).await?;
        let features = driver.features();
        require(component, &Features::NAMES, |name| features.has(name))?;
        let configured = Arc::new(Configured { driver });
        opening.insert(&self.components, OPERATIONS, component, configured);
        Ok(())
    }
}

/// A secret that was found, for use or for sight.
pub struct Secret {}
