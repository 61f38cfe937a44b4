//! An opened key: the lookup, the scope and the grant are settled.

use super::{
    Configured, EncryptOptions, KeyInfo, MAX_WRAPPED, SIGN, SignatureAlgorithm, Transform, UNWRAP,
    VERIFY, WRAP, WrapAlgorithm, check_data, check_message, lanes::Lane, not_unwrapped,
};
use crate::{Call, Error, Result, Slot, component::Use, work};
use std::sync::Arc;
use tokio::sync::SemaphorePermit;

/// The most bytes of an answer: no wrapped key and no signature of any algorithm is longer.
const MAX_ANSWER: usize = 2 * MAX_WRAPPED;

/// A key of a component. What it is made of stays with the driver.
#[derive(Clone)]
pub struct Key {
    component: Arc<Slot<Configured>>,
    name: String,
    info: Arc<KeyInfo>,
    /// The lane of the app that opened it.
    lane: Lane,
}

impl Key {
    pub(super) fn new(
        component: Arc<Slot<Configured>>,
        name: &str,
        info: KeyInfo,
        lane: Lane,
    ) -> Self {
        Key {
            component,
            name: name.to_owned(),
            info: Arc::new(info),
            lane,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn info(&self) -> &KeyInfo {
        &self.info
    }

    /// Encrypts at most 4 MiB of data into a message.
    pub async fn encrypt(
        &self,
        caller: &Call,
        data: &[u8],
        options: EncryptOptions,
    ) -> Result<Vec<u8>> {
        check_data(data)?;
        let mut transform = self.encryptor(caller, options).await?;
        whole(caller, &mut transform, data).await
    }

    /// Decrypts a message, with one error for every way to fail.
    pub async fn decrypt(&self, caller: &Call, data: &[u8]) -> Result<Vec<u8>> {
        check_message(data)?;
        whole(caller, &mut self.decryptor(), data).await
    }

    pub async fn encryptor(&self, caller: &Call, options: EncryptOptions) -> Result<Transform> {
        Transform::encrypt(caller, self, options).await
    }

    pub fn decryptor(&self) -> Transform {
        Transform::decrypt(self.clone())
    }

    pub async fn wrap(
        &self,
        caller: &Call,
        plain: &[u8],
        algorithm: WrapAlgorithm,
    ) -> Result<Vec<u8>> {
        algorithm.check_plain(plain)?;
        let (_place, component) = self.enter(caller).await?;
        let done = component.call(caller, WRAP, |d| {
            d.driver.wrap(&self.name, algorithm, plain)
        });
        work::charged_to(caller, done).await
    }

    /// Unwraps a key, with one error for every way to fail, but for an algorithm that is none of this key's.
    pub async fn unwrap(
        &self,
        caller: &Call,
        wrapped: &[u8],
        algorithm: WrapAlgorithm,
    ) -> Result<Vec<u8>> {
        if wrapped.len() > MAX_ANSWER {
            return Err(not_unwrapped());
        }
        let (_place, component) = self.enter(caller).await?;
        let done = component.call(caller, UNWRAP, |d| {
            d.driver.unwrap(&self.name, algorithm, wrapped)
        });
        work::charged_to(caller, done).await
    }

    pub async fn sign(
        &self,
        caller: &Call,
        digest: &[u8],
        algorithm: SignatureAlgorithm,
    ) -> Result<Vec<u8>> {
        algorithm.check_digest(digest)?;
        let (_place, component) = self.enter(caller).await?;
        let done = component.call(caller, SIGN, |d| {
            d.driver.sign(&self.name, algorithm, digest)
        });
        work::charged_to(caller, done).await
    }

    /// Verifies a signature: false for one that is not this key's, whatever is wrong with it.
    pub async fn verify(
        &self,
        caller: &Call,
        digest: &[u8],
        signature: &[u8],
        algorithm: SignatureAlgorithm,
    ) -> Result<bool> {
        algorithm.check_digest(digest)?;
        if signature.len() > MAX_ANSWER {
            return Ok(false);
        }
        let (_place, component) = self.enter(caller).await?;
        let done = component.call(caller, VERIFY, |d| {
            d.driver.verify(&self.name, algorithm, digest, signature)
        });
        work::charged_to(caller, done).await
    }

    /// Waits for a permit of the app's lane. The caller pays for what is done there.
    async fn enter(&self, caller: &Call) -> Result<(SemaphorePermit<'_>, Use<Configured>)> {
        Ok((
            self.lane.enter(caller).await?,
            self.component.enter(caller).await?,
        ))
    }

    /// The public half as a JWK.
    pub fn public(&self) -> Result<String> {
        self.info.public.clone().ok_or_else(|| {
            Error::unsupported(format!(
                "key `{}` is symmetric and has no public half",
                self.name
            ))
        })
    }
}

async fn whole(caller: &Call, transform: &mut Transform, data: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len());
    for chunk in data.chunks(super::MAX_DATA) {
        out.append(&mut transform.push(caller, chunk).await?);
    }
    out.append(&mut transform.finish().await?);
    Ok(out)
}
