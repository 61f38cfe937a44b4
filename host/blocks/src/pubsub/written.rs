//! The part of a component of events that the block reads, whatever the driver is.

use super::{Scopes, seal};
use crate::{Error, Result};
use wythe_manifest::Component as Manifest;

/// The part of a component that the block reads itself.
pub(crate) struct Written {
    pub scopes: Scopes,
    pub consumer: Option<String>,
    /// The key of `sealKey`; boxed, since few components have one.
    pub seal_key: Option<Box<[u8; 32]>>,
    /// The key of `sealKeyBefore`, with which nothing is sealed any more.
    pub seal_key_before: Option<Box<[u8; 32]>>,
}

/// Bytes of a secret that is good enough for seals.
const SEAL_KEY: usize = 32;

/// The key of a secret in the metadata.
fn seal_key(component: &mut Manifest, name: &str) -> Result<Option<Box<[u8; 32]>>> {
    let Some(secret) = component.metadata.take(name) else {
        return Ok(None);
    };
    if secret.reveal().len() < SEAL_KEY {
        let error = Error::invalid(format!(
            "`{name}`: expected a secret of {SEAL_KEY} bytes at least, such as `openssl rand -hex 32` prints"
        ));
        return Err(error.at(&component.position_of(name)));
    }
    Ok(Some(Box::new(seal::derived(secret.reveal()))))
}

impl Written {
    pub fn take(component: &mut Manifest) -> Result<Self> {
        let [now, before] = ["sealKey", "sealKeyBefore"].map(|name| seal_key(component, name));
        let consumer = component.metadata.take("consumerID");
        Ok(Written {
            scopes: Scopes::take(component)?,
            consumer: consumer.map(|value| value.reveal().to_owned()),
            seal_key: now?,
            seal_key_before: before?,
        })
    }
}
