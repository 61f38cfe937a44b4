//! A driver of the crypto block that is a plugin: keys stay in it, and what it answers is held to the sizes that are possible.

use super::plugged::{Effect, Plugged, world};
use crate::bindings::plugin::exports::wythe::plugin::crypto_driver as wit;
use async_trait::async_trait;
use std::sync::Arc;
use wythe_blocks::{
    Result,
    crypto::{Driver, KeyInfo, MAX_WRAPPED, SignatureAlgorithm, WrapAlgorithm},
};

/// Bytes of a wrapped key, and of a signature.
const ANSWER: usize = 2 * MAX_WRAPPED;
/// Bytes of a JWK.
const JWK: usize = 16 << 10;
/// Keys of one component, and bytes of a name.
const KEYS: usize = 10_000;
const NAME: usize = 256;

world! { CryptoWorld: crypto_driver, "wythe:plugin/crypto-plugin@0.1.0" }

struct CryptoDriver {
    plugged: Arc<Plugged<CryptoWorld>>,
}

pub async fn open(plugged: Arc<Plugged<CryptoWorld>>) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(CryptoDriver { plugged }))
}

impl CryptoDriver {
    fn checked(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        if bytes.len() <= ANSWER {
            return Ok(bytes);
        }
        Err(self
            .plugged
            .violation("answered with more bytes than any key or signature has"))
    }

    fn info(&self, info: wit::KeyInfo) -> Result<KeyInfo> {
        let public = info.public.as_deref();
        if public.is_some_and(|jwk| jwk.len() > JWK || holds_a_private_part(jwk)) {
            return Err(self
                .plugged
                .violation("answered with a public key that is none, or is too long"));
        }
        Ok(KeyInfo {
            wrap: info.wrap.into_iter().map(Into::into).collect(),
            unwrap: info.unwrap,
            sign: info.sign.into_iter().map(Into::into).collect(),
            public: info.public,
        })
    }
}

/// A JWK with `d`, `k` or a prime in it would show the key to the app.
fn holds_a_private_part(jwk: &str) -> bool {
    const PRIVATE: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];
    match serde_json::from_str::<serde_json::Value>(jwk) {
        Ok(serde_json::Value::Object(fields)) => {
            PRIVATE.iter().any(|name| fields.contains_key(*name))
        }
        _ => true,
    }
}

#[async_trait]
impl Driver for CryptoDriver {
    async fn describe(&self, key: &str) -> Result<KeyInfo> {
        let key = key.to_owned();
        let info = self
            .plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_describe(store, &key).await??) })
            })
            .await?;
        self.info(info)
    }

    async fn wrap(&self, key: &str, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        let (key, plain) = (key.to_owned(), plain.to_vec());
        let wrapped = self
            .plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move {
                    Ok(driver
                        .call_wrap(store, &key, algorithm.into(), &plain)
                        .await??)
                })
            })
            .await?;
        self.checked(wrapped)
    }

    async fn unwrap(&self, key: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        let (key, wrapped) = (key.to_owned(), wrapped.to_vec());
        let plain = self
            .plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move {
                    Ok(driver
                        .call_unwrap(store, &key, algorithm.into(), &wrapped)
                        .await??)
                })
            })
            .await?;
        self.checked(plain)
    }

    async fn sign(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>> {
        let (key, digest) = (key.to_owned(), digest.to_vec());
        let signature = self
            .plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move {
                    Ok(driver
                        .call_sign(store, &key, algorithm.into(), &digest)
                        .await??)
                })
            })
            .await?;
        self.checked(signature)
    }

    async fn verify(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        let (key, digest) = (key.to_owned(), digest.to_vec());
        let signature = signature.to_vec();
        self.plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move {
                    Ok(driver
                        .call_verify(store, &key, algorithm.into(), &digest, &signature)
                        .await??)
                })
            })
            .await
    }

    async fn names(&self) -> Result<Vec<String>> {
        let names = self
            .plugged
            .run(Effect::Reads, |driver, store, _| {
                Box::pin(async move { Ok(driver.call_names(store).await??) })
            })
            .await?;
        let ordered = names.is_sorted_by(|a, b| a < b);
        if !ordered || names.len() > KEYS || names.iter().any(|name| name.len() > NAME) {
            return Err(self
                .plugged
                .violation("answered with names that are out of order, too many or too long"));
        }
        Ok(names)
    }
}
