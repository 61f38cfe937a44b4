//! A state driver that is a plugin.

use super::plugged::{Effect, Plugged, world};
use crate::bindings::app::wythe::blocks::state as wit;
use async_trait::async_trait;
use std::{sync::Arc, time::SystemTime};
use wythe_blocks::{
    Key, Result,
    state::{Delete, Driver, Entry, Etag, Features, Operation, Page, Put},
};

/// Bytes of an etag.
const ETAG: usize = 256;

world! { StateWorld: state_driver, "wythe:plugin/state-plugin@0.1.0" }

struct StateDriver {
    plugged: Arc<Plugged<StateWorld>>,
    features: Features,
}

pub async fn open(plugged: Arc<Plugged<StateWorld>>) -> Result<Arc<dyn Driver>> {
    let features = plugged
        .run(Effect::Reads, |driver, store, _| {
            Box::pin(async move { Ok(driver.call_describe(store).await?) })
        })
        .await?;
    Ok(Arc::new(StateDriver {
        plugged,
        features: features.into(),
    }))
}

impl StateDriver {
    fn etag(&self, etag: Etag) -> Result<Etag> {
        if etag.is_empty() || etag.len() > ETAG {
            return Err(self
                .plugged
                .violation("answered with an etag that is empty or longer than 256 bytes"));
        }
        Ok(etag)
    }

    fn entry(&self, entry: wit::Entry) -> Result<Entry> {
        let size = entry.value.len() as u64;
        if size > self.features.max_value_bytes {
            return Err(self
                .plugged
                .violation("answered with a value larger than its features say"));
        }
        let entry = Entry::from(entry);
        let etag = self.etag(entry.etag)?;
        Ok(Entry { etag, ..entry })
    }

    async fn list_now(
        &self,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> Result<wit::Page> {
        self.plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move {
                    Ok(driver
                        .call_list(store, &prefix, cursor.as_deref(), limit)
                        .await??)
                })
            })
            .await
    }
}

fn is_live(entry: &Entry) -> bool {
    entry.expires.is_none_or(|at| at > SystemTime::now())
}

#[async_trait]
impl Driver for StateDriver {
    fn features(&self) -> Features {
        self.features
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let asked = key.clone();
        let answer = self
            .plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_get(store, &asked).await??) })
            })
            .await
            .map_err(|error| key.plain(error))?;
        let entry = answer.map(|entry| self.entry(entry)).transpose()?;
        Ok(entry.filter(is_live))
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        let key = put.key.clone();
        let etag = self
            .plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move {
                    let options = put.options.into();
                    Ok(driver
                        .call_put(store, &put.key, &put.value, &options)
                        .await??)
                })
            })
            .await
            .map_err(|error| key.plain(error))?;
        self.etag(etag)
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        let key = delete.key.clone();
        self.plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move {
                    let condition = delete.condition.into();
                    Ok(driver.call_delete(store, &delete.key, &condition).await??)
                })
            })
            .await
            .map_err(|error| key.plain(error))
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        let keys: Vec<_> = operations.iter().map(Operation::key).cloned().collect();
        let operations: Vec<wit::Operation> = operations.into_iter().map(Into::into).collect();
        let etags = self
            .plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_transact(store, &operations).await??) })
            })
            .await
            .map_err(|error| keys.iter().fold(error, |error, key| key.plain(error)))?;
        if etags.len() != keys.len() {
            return Err(self
                .plugged
                .violation("answered a transaction with another number of etags"));
        }
        etags
            .into_iter()
            .map(|etag| etag.map(|etag| self.etag(etag)).transpose())
            .collect()
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let page = self
            .list_now(prefix.to_owned(), cursor.map(str::to_owned), limit)
            .await?;
        let mut entries = Vec::with_capacity(page.entries.len());
        for (key, entry) in page.entries {
            let entry = self.entry(entry)?;
            if is_live(&entry) {
                entries.push((key, entry));
            }
        }
        Ok(Page {
            entries,
            next: page.next,
        })
    }
}
