//! Keys that are written in the component itself, as a JWK set; `dapr.jwks` is what Dapr calls it.

use crate::keys::{self, Key};
use async_trait::async_trait;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{
    Error, Result, Site,
    crypto::{Driver, KeyInfo, SignatureAlgorithm, WrapAlgorithm},
};
use wythe_manifest::Secret;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// A JWK set (RFC 7517); a key's name is its `kid`.
    jwks: Secret,
}

pub(super) async fn open(config: Config, _: Site) -> Result<Arc<dyn Driver>> {
    let keys = keys::set(config.jwks.reveal())?;
    Ok(Arc::new(Memory(keys)))
}

struct Memory(BTreeMap<String, Key>);

impl Memory {
    fn key(&self, name: &str) -> Result<&Key> {
        let missing = || Error::not_found(format!("no key `{name}`"));
        self.0.get(name).ok_or_else(missing)
    }
}

#[async_trait]
impl Driver for Memory {
    async fn describe(&self, key: &str) -> Result<KeyInfo> {
        Ok(self.key(key)?.info())
    }

    async fn wrap(&self, key: &str, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        self.key(key)?.wrap(algorithm, plain)
    }

    async fn unwrap(&self, key: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        self.key(key)?.unwrap(algorithm, wrapped)
    }

    async fn sign(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>> {
        self.key(key)?.sign(algorithm, digest)
    }

    async fn verify(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        self.key(key)?.verify(algorithm, digest, signature)
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
}
