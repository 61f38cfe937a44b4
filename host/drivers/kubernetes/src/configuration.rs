//! Configuration in a config map, whose keys are the items.

use crate::{
    access::Access,
    client::{Asked, Client, JSON},
    failure::odd,
    object::Metadata,
    secrets::namespace,
    settings::Parsed,
    watch::{Watched, missing},
};
use async_trait::async_trait;
use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use wythe_blocks::{
    Error, Result, Site,
    configuration::{Driver, Features, Item},
};

pub(crate) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let access = Access::of(&parsed, &site)?;
    let namespace = namespace(&parsed, &access, &site)?;
    let client = Client::new(access, parsed.timeout)?;
    let map = ConfigMap {
        about: format!("config map `{}` in namespace `{namespace}`", parsed.map),
        path: format!("/api/v1/namespaces/{namespace}/configmaps/{}", parsed.map),
        server: client
            .version()
            .await
            .map_err(|error| client.named(error))?,
        client,
        namespace,
        name: parsed.map,
        is_closed: AtomicBool::new(false),
    };
    let found = map.object().await;
    found.map_err(|error| map.client.named(error))?;
    Ok(Arc::new(map))
}

/// A config map as the server has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    metadata: Metadata,
    data: Option<BTreeMap<String, String>>,
    binary_data: Option<BTreeMap<String, String>>,
}

struct ConfigMap {
    client: Client,
    namespace: String,
    name: String,
    path: String,
    about: String,
    server: String,
    is_closed: AtomicBool,
}

impl ConfigMap {
    fn client(&self) -> Result<&Client> {
        match self.is_closed.load(Relaxed) {
            false => Ok(&self.client),
            true => Err(Error::unavailable("the store is closed")),
        }
    }

    /// The whole config map.
    async fn object(&self) -> Result<Object> {
        let asked = Asked {
            path: &self.path,
            accept: JSON,
            verb: "get",
            about: &self.about,
        };
        let object = self.client()?.ask(&asked).await?;
        object.ok_or_else(|| missing(&self.about))
    }
}

/// The items of a config map.
fn items(object: Object) -> BTreeMap<String, Item> {
    let mut items = BTreeMap::new();
    let (binary, data) = (object.binary_data, object.data);
    for (name, part, metadata) in [
        ("binaryData", binary, &[("encoding", "base64")][..]),
        ("data", data, &[]),
    ] {
        for (key, value) in part.unwrap_or_default() {
            let mut hasher = blake3::Hasher::new();
            hasher
                .update(name.as_bytes())
                .update(b"\0")
                .update(value.as_bytes());
            let metadata = metadata.iter().map(|(name, value)| {
                let (name, value): (&str, &str) = (name, value);
                (name.to_owned(), value.to_owned())
            });
            let item = Item {
                key: key.clone(),
                value,
                version: hasher.finalize().to_hex()[..32].to_owned(),
                metadata: metadata.collect(),
            };
            items.insert(key, item);
        }
    }
    items
}

#[async_trait]
impl Driver for ConfigMap {
    fn features(&self) -> Features {
        // Writing is for whoever edits the map; what they wrote is as durable as they made it.
        Features {
            durable: false,
            writable: false,
        }
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        let object = self.object().await?;
        let mut items = items(object);
        if !keys.is_empty() {
            let asked: BTreeSet<_> = keys.iter().collect();
            items.retain(|key, _| asked.contains(key));
        }
        Ok(items.into_values().collect())
    }

    async fn version(&self) -> Result<String> {
        let object = self.object().await?;
        let version = object.metadata.version().map(str::to_owned);
        version.ok_or_else(|| odd(&self.about))
    }

    async fn wait(&self, version: &str) -> Result<()> {
        let watched = Watched {
            client: self.client()?,
            namespace: &self.namespace,
            name: &self.name,
            about: &self.about,
        };
        watched.changed(version).await
    }

    fn describe(&self) -> Option<String> {
        let (version, host, about) = (&self.server, self.client.host(), &self.about);
        Some(format!("Kubernetes {version} at {host}, {about}"))
    }

    async fn health(&self) -> Result<()> {
        self.object().await.map(drop)
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
    use serde_json::json;

    #[test]
    fn items_are_keys_and_bytes_say_so() {
        let of = |mut map: serde_json::Value| {
            map["metadata"] = json!({ "resourceVersion": "1" });
            serde_json::from_value::<Object>(map).map(items)
        };
        let map = json!({ "data": { "b": "1", "a": "" }, "binaryData": { "c": "AP8=" } });
        let found = of(map).unwrap();
        let keys: Vec<_> = found.keys().map(String::as_str).collect();
        assert_eq!(keys, ["a", "b", "c"]);
        assert_eq!(found["c"].value, "AP8=");
        let encoding = ("encoding".to_owned(), "base64".to_owned());
        assert_eq!(found["c"].metadata, [encoding]);
        let changed = json!({ "data": { "b": "2", "a": "" } });
        let after = of(changed).unwrap();
        assert_eq!(after["a"], found["a"], "it has not changed");
        assert_ne!(after["b"].version, found["b"].version);
        assert!(of(json!({})).unwrap().is_empty());
        assert!(of(json!({ "data": null })).unwrap().is_empty());
        assert!(of(json!({ "data": { "a": 1 } })).is_err());
        // Another server that speaks JSON has no config map without items.
        assert!(serde_json::from_value::<Object>(json!({})).is_err());
    }
}
