//! Keys that are written in the component itself, as a set of JWKs.

use crate::keys::{self, Key, Keys, Ring};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{Error, Result, Site, crypto::Driver};
use wythe_manifest::Secret;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// A set of JWKs (RFC 7517, section 5) as JSON; the name of a key is its `kid`.
    jwks: Secret,
}

pub(super) async fn open(config: Config, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Ring(Set(keys::set(config.jwks.reveal())?))))
}

struct Set(BTreeMap<String, Arc<Key>>);

impl Keys for Set {
    fn find(&self, name: &str) -> Result<Arc<Key>> {
        let found = self.0.get(name).cloned();
        found.ok_or_else(|| Error::not_found(format!("no key `{name}` in `jwks`")))
    }

    fn names(&self) -> Result<Vec<String>> {
        Ok(self.0.keys().cloned().collect())
    }
}
