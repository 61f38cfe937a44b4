//! The whole of the crypto block's rules.

mod driver;

pub use driver::{Driver, KeyInfo, SignatureAlgorithm, WrapAlgorithm};

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

/// The crypto block.
pub struct Crypto {
    pub(crate) components: Components<Configured>,
}

impl Default for Crypto {
    fn default() -> Self {
        Crypto {
            components: Components::new("crypto"),
        }
    }
}

impl Crypto {
    pub(crate) async fn add(
        &self,
        opening: &Opening<'_>,
        component: &mut Manifest,
        site: crate::Site,
    ) -> Result<()> {
        let driver = opening.registry.crypto.open(component, site).await?;
        require(component, &[], |_| None)?;
        let configured = Arc::new(Configured { driver });
        opening.insert(&self.components, OPERATIONS, component, configured);
        Ok(())
    }
}

/// An opened key.
pub struct Key {}

/// A message on its way through the encryption scheme.
pub struct Transform {}
