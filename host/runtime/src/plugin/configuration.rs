//! A configuration store that is a plugin.

use super::plugged::{Effect, Plugged, world};
use crate::bindings::{
    app::wythe::blocks::configuration as items,
    plugin::exports::wythe::plugin::configuration_driver as wit,
};
use async_trait::async_trait;
use std::sync::Arc;
use wythe_blocks::{
    Error, Result,
    configuration::{Driver, Features, Item, MAX_KEY, NewItem},
};

/// Bytes of a version.
const MAX_VERSION: usize = 256;

world! { ConfigurationWorld: configuration_driver, "wythe:plugin/configuration-plugin@0.1.0" }

struct ConfigurationDriver {
    plugged: Arc<Plugged<ConfigurationWorld>>,
    features: Features,
}

pub async fn open(plugged: Arc<Plugged<ConfigurationWorld>>) -> Result<Arc<dyn Driver>> {
    let features = plugged
        .run(Effect::Reads, |driver, store, _| {
            Box::pin(async move { Ok(driver.call_describe(store).await?) })
        })
        .await?;
    Ok(Arc::new(ConfigurationDriver {
        plugged,
        features: Features {
            durable: features.durable,
            writable: features.writable,
        },
    }))
}

impl ConfigurationDriver {
    fn check_version(&self, version: &str) -> Result<()> {
        match version.len() {
            1..=MAX_VERSION => Ok(()),
            _ => Err(self
                .plugged
                .violation("answered with a version that is empty or longer than 256 bytes")),
        }
    }

    /// `asked` is in any order; none for all items.
    fn check(&self, items: &[items::Item], asked: &[String]) -> Result<()> {
        let violation = |what: &str| Err(self.plugged.violation(what));
        if !items.is_sorted_by(|a, b| a.key < b.key) {
            return violation("answered with items that are out of order, or twice there");
        }
        for item in items {
            if !(1..=MAX_KEY).contains(&item.key.len()) || item.key.contains('\0') {
                return violation(
                    "answered with a key that is empty, longer than 1024 bytes, or has a NUL",
                );
            }
            if !asked.is_empty() && !asked.contains(&item.key) {
                return violation("answered with an item that was not asked for");
            }
            self.check_version(&item.version)?;
        }
        Ok(())
    }

    fn check_writable(&self) -> Result<()> {
        match self.features.writable {
            true => Ok(()),
            false => Err(Error::unsupported("the plugin does not write")),
        }
    }
}

#[async_trait]
impl Driver for ConfigurationDriver {
    fn features(&self) -> Features {
        self.features
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        let asked = keys.to_vec();
        let items = self
            .plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_get(store, &asked).await??) })
            })
            .await?;
        self.check(&items, keys)?;
        let convert = |item: items::Item| Item {
            key: item.key,
            value: item.value,
            version: item.version,
            metadata: item.metadata,
        };
        Ok(items.into_iter().map(convert).collect())
    }

    async fn version(&self) -> Result<String> {
        let version = self
            .plugged
            .run(Effect::Reads, |driver, store, _| {
                Box::pin(async move { Ok(driver.call_version(store).await??) })
            })
            .await?;
        self.check_version(&version)?;
        Ok(version)
    }

    async fn set(&self, items: Vec<NewItem>) -> Result<()> {
        self.check_writable()?;
        let convert = |item: NewItem| wit::NewItem {
            key: item.key,
            value: item.value,
            metadata: item.metadata,
        };
        let items: Vec<_> = items.into_iter().map(convert).collect();
        self.plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_set(store, &items).await??) })
            })
            .await
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        self.check_writable()?;
        self.plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_delete(store, &keys).await??) })
            })
            .await
    }
}
