//! The whole of the crypto block's rules: who may use which key, what a message looks like, and what a driver is asked.

mod algorithm;
mod driver;
#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;
mod key;
mod lanes;
mod scheme;
mod transform;

pub use algorithm::MAX_WRAPPED;
pub use driver::{Driver, KeyInfo, SignatureAlgorithm, WrapAlgorithm, not_unwrapped};
pub use key::Key;
pub use scheme::Cipher;
pub use transform::{EncryptOptions, Transform};

use crate::{
    Call, Component, Components, Error, Kind, Result,
    component::{self, Close},
    opening::{self, Opening},
};
use async_trait::async_trait;
use lanes::Lanes;
use scheme::{Collector, HEADER, SEGMENT, TAG};
use std::sync::Arc;

/// Bytes that are encrypted, signed or taken in one piece.
pub const MAX_DATA: usize = 4 << 20;
/// The most bytes that a message of that much data may come to.
const MAX_MESSAGE: usize = MAX_DATA + HEADER + (MAX_DATA / SEGMENT) * TAG;
const MAX_NAME: usize = 256;

// None of them changes anything, so each may be tried again.
const DESCRIBE: component::Operation = component::Operation::idempotent(0, "describe");
const WRAP: component::Operation = component::Operation::idempotent(1, "wrap");
const UNWRAP: component::Operation = component::Operation::idempotent(2, "unwrap");
const SIGN: component::Operation = component::Operation::idempotent(3, "sign");
const VERIFY: component::Operation = component::Operation::idempotent(4, "verify");
const NAMES: component::Operation = component::Operation::idempotent(5, "names");

pub(crate) const OPERATIONS: &[component::Operation] =
    &[DESCRIBE, WRAP, UNWRAP, SIGN, VERIFY, NAMES];

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

/// The crypto block.
pub struct Crypto {
    pub(crate) components: Components<Configured>,
    lanes: Lanes,
}

impl Default for Crypto {
    fn default() -> Self {
        Crypto {
            components: Components::new("crypto"),
            lanes: Lanes::default(),
        }
    }
}

impl Crypto {
    pub(crate) async fn add(&self, opening: &Opening<'_>, prepared: Prepared) -> Result<()> {
        let (component, (), driver) = prepared.open().await?;
        let configured = Arc::new(Configured { driver });
        opening.insert(&self.components, OPERATIONS, &component, configured);
        Ok(())
    }

    /// Checks grant and scope, and that the key is there, once for many calls.
    pub async fn open_key(&self, caller: &Call, component: &str, name: &str) -> Result<Key> {
        check_name(name)?;
        caller.require_grant(
            |grants| grants.crypto(component, name),
            format_args!("key `{name}` of crypto component `{component}`"),
            "crypto",
            format_args!("{component}/{name}"),
        )?;
        let component = self.components.find(caller, component)?;
        let info = describe(caller, &*component.enter(caller).await?, name).await?;
        Ok(Key::new(component, name, info, self.lanes.of(caller)))
    }

    /// Decrypts a message by the key that it names.
    pub async fn decrypt_named(
        &self,
        caller: &Call,
        component: &str,
        data: &[u8],
    ) -> Result<Vec<u8>> {
        check_message(data)?;
        let name = key_of(data)?;
        let key = self.open_key(caller, component, &name).await?;
        key.decrypt(caller, data).await
    }

    /// Every key with what it is good for, or with what is wrong with it. For the operator.
    pub async fn keys(
        &self,
        caller: &Call,
        component: &str,
    ) -> Result<Vec<(String, Result<KeyInfo>)>> {
        let component = self.components.enter(caller, component).await?;
        let names = component.call(caller, NAMES, |d| d.driver.names()).await?;
        let mut keys = Vec::with_capacity(names.len());
        for name in names {
            let info = describe(caller, &component, &name).await;
            keys.push((name, info));
        }
        Ok(keys)
    }
}

/// The key that a message names, by its beginning. Nothing of it is authentic before the key has decrypted it.
pub fn key_of(message: &[u8]) -> Result<String> {
    let header = Collector::default().push(message)?;
    let (header, _) = header.ok_or_else(scheme::undecryptable)?;
    header
        .key
        .ok_or_else(|| Error::invalid("the message names no key; open the key that decrypts it"))
}

async fn describe(caller: &Call, component: &Component<Configured>, name: &str) -> Result<KeyInfo> {
    let described = component.call(caller, DESCRIBE, |d| d.driver.describe(name));
    described.await.map_err(|error| match error.kind() {
        Kind::NotFound => Error::not_found(format!(
            "no key `{name}` in crypto component `{}`",
            component.name()
        )),
        _ => error,
    })
}

fn check_name(name: &str) -> Result<()> {
    if (1..=MAX_NAME).contains(&name.len()) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a key's name has 1 to {MAX_NAME} bytes and no control characters"
    )))
}

fn check_data(data: &[u8]) -> Result<()> {
    if data.len() <= MAX_DATA {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{} bytes to encrypt in one piece; at most {MAX_DATA} are taken, more goes through `encryptor`",
        data.len()
    )))
}

fn check_message(data: &[u8]) -> Result<()> {
    if data.len() <= MAX_MESSAGE {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a message of {} bytes to decrypt in one piece; at most {MAX_MESSAGE} are taken, more goes through `decryptor`",
        data.len()
    )))
}

#[cfg(test)]
mod tests;
