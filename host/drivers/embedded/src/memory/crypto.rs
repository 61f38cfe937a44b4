//! Keys that are written in the component itself, as a set of JWKs.

use crate::shared::keys::{self, Key, Keys, Ring};
use async_trait::async_trait;
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{Error, Result, Site, Wrong, crypto::Driver};
use wythe_manifest::Secret;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// A set of JWKs (RFC 7517, section 5) as JSON; the name of a key is its `kid`.
    jwks: Secret,
}

pub(super) fn parse(config: Config) -> Result<Set, Wrong> {
    let keys = keys::set(config.jwks.reveal());
    keys.map(Set).map_err(|error| Wrong::new("jwks", error))
}

pub(super) async fn open(set: Set, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Ring(set)))
}

pub(super) struct Set(BTreeMap<String, Arc<Key>>);

#[async_trait]
impl Keys for Set {
    async fn find(&self, name: &str) -> Result<Arc<Key>> {
        let found = self.0.get(name).cloned();
        found.ok_or_else(|| Error::not_found(format!("no key `{name}` in `jwks`")))
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
}
