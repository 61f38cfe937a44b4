//! Secrets of an engine of version 2, as Dapr finds them: below a directory, each with several values or one text.

use crate::{
    client::{Client, odd},
    settings::{Kind, Parsed, is_path},
};
use async_trait::async_trait;
use serde_json::Value as Json;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use wythe_blocks::{
    Error, Result, Site,
    secrets::{Driver, Features, Found, Value},
};
use wythe_client::encode;

/// Names of one store, and directories that are looked into.
const NAMES: usize = 100_000;
const DIRECTORIES: usize = 1_000;

pub(crate) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let store = Vault {
        client: Client::new(&parsed, &site)?,
        engine: parsed.engine,
        prefix: parsed.prefix,
        kind: parsed.kind,
        is_closed: AtomicBool::new(false),
    };
    let named = |error: Error| {
        let (host, chain) = (store.client.host(), error.chain());
        error.map_message(|_| format!("Vault at {host}: {chain}"))
    };
    store.health().await.map_err(named)?;
    Ok(Arc::new(store))
}

struct Vault {
    client: Client,
    engine: String,
    prefix: String,
    kind: Kind,
    is_closed: AtomicBool,
}

impl Vault {
    /// The path of a secret, or of a directory that ends with a slash, in a part of the engine.
    fn path(&self, part: &str, name: &str) -> String {
        let (engine, prefix) = (encode(&self.engine, "/"), encode(&self.prefix, "/"));
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("/v1/{engine}/{part}/{prefix}{slash}{}", encode(name, "/"))
    }

    fn client(&self) -> Result<&Client> {
        match self.is_closed.load(Relaxed) {
            false => Ok(&self.client),
            true => Err(Error::unavailable("the store is closed")),
        }
    }

    /// The values of a secret's data.
    fn values(&self, name: &str, data: &Json) -> Option<BTreeMap<String, Value>> {
        match self.kind {
            Kind::Text => {
                let text = data.to_string();
                Some(BTreeMap::from([(name.to_owned(), Value::new(text))]))
            }
            Kind::Map => {
                let pairs = data.as_object()?.iter().map(|(key, value)| {
                    let text = match value {
                        Json::String(text) => text.clone(),
                        other => other.to_string(),
                    };
                    (key.clone(), Value::new(text))
                });
                Some(pairs.collect())
            }
        }
    }

    /// The names in a directory, those of directories with a slash at their ends.
    async fn list(&self, directory: &str) -> Result<Vec<String>> {
        let about = "the names of the secrets";
        let path = self.path("metadata", directory);
        let Some(answer) = self.client()?.ask("LIST", &path, about).await? else {
            return Ok(Vec::new());
        };
        let keys = answer
            .get("data")
            .and_then(|data| data.get("keys")?.as_array());
        let keys = keys.ok_or_else(|| odd(about))?.iter();
        let names: Option<Vec<_>> = keys.map(|key| key.as_str()).collect();
        let names = names.ok_or_else(|| odd(about))?;
        // A server that names something elsewhere would have it asked for.
        let own = names
            .into_iter()
            .filter(|name| is_path(name.trim_end_matches('/')));
        Ok(own.map(|name| format!("{directory}{name}")).collect())
    }
}

#[async_trait]
impl Driver for Vault {
    fn features(&self) -> Features {
        Features {
            multiple_values: self.kind == Kind::Map,
            names: true,
        }
    }

    async fn get(&self, name: &str, metadata: &[(String, String)]) -> Result<Option<Found>> {
        if !is_path(name) {
            return Ok(None);
        }
        let written = metadata.iter().find(|(known, _)| known == "version_id");
        let version = match written.map(|(_, version)| version.parse::<u64>()) {
            // The newest one.
            None => 0,
            Some(Ok(version)) => version,
            Some(Err(_)) => {
                return Err(Error::invalid(
                    "expected metadata `version_id` to be a number",
                ));
            }
        };
        let about = format!("the secret `{name}`");
        let path = format!("{}?version={version}", self.path("data", name));
        let Some(answer) = self.client()?.ask("GET", &path, &about).await? else {
            return Ok(None);
        };
        let data = answer.get("data").ok_or_else(|| odd(&about))?;
        let number = data
            .get("metadata")
            .and_then(|metadata| metadata.get("version")?.as_u64());
        match data.get("data") {
            // A version that was deleted.
            Some(Json::Null) => Ok(None),
            None => Err(odd(&about)),
            Some(data) => Ok(Some(Found {
                values: self.values(name, data).ok_or_else(|| odd(&about))?,
                version: number.map(|number| number.to_string()),
            })),
        }
    }

    async fn names(&self) -> Result<Vec<String>> {
        let (mut names, mut directories, mut count) = (Vec::new(), vec![String::new()], 0);
        while let Some(directory) = directories.pop() {
            count += 1;
            for name in self.list(&directory).await? {
                match name.ends_with('/') {
                    true => directories.push(name),
                    false => names.push(name),
                }
            }
            if names.len() > NAMES || count + directories.len() > DIRECTORIES {
                return Err(Error::exhausted(format!(
                    "the store has more than {NAMES} names or {DIRECTORIES} directories; give the component a narrower `vaultKVPrefix`"
                )));
            }
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    fn describe(&self) -> Option<String> {
        let (host, engine, prefix) = (self.client.host(), &self.engine, &self.prefix);
        Some(format!("Vault at {host}, secrets of `{engine}/{prefix}`"))
    }

    /// Shows the token, which every policy allows but one that says otherwise.
    async fn health(&self) -> Result<()> {
        let path = "/v1/auth/token/lookup-self";
        let about = "the component's token";
        match self.client()?.ask("GET", path, about).await? {
            Some(_) => Ok(()),
            None => Err(odd(about)),
        }
    }

    async fn close(&self) -> Result<()> {
        self.is_closed.store(true, Relaxed);
        self.client.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_encoded_and_lead_nowhere_else() {
        assert_eq!(encode("a b/c?d#e%", "/"), "a%20b/c%3Fd%23e%25");
        assert!(is_path("a/b.c"));
        for name in ["", "/a", "a/", "a//b", "a/../b", ".", "a\nb"] {
            assert!(!is_path(name), "{name:?}");
        }
    }
}
