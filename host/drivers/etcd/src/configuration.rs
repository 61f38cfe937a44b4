//! Configuration: a row for each item, whose value is the item's. Metadata, which few items have, is in a row beside them.

use crate::{
    space::{Change, Committed, Row, Space, TRIES, Write, apart, overtaken},
    watch::Watch,
};
use async_trait::async_trait;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::{sleep, timeout};
use wythe_blocks::{
    Error, Result,
    configuration::{Driver, Features, Item, NewItem},
};

/// The row of the metadata, by key: no item is called so.
const METADATA: &str = "||wythe||metadata";
const ABOUT: &str = "the items";
/// Items of one configuration.
const ITEMS: usize = 10_000;
/// Time of one watch, after which the version is looked at all the same, and the pause where there can be none.
const WATCH: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_secs(1);

type Metadata = BTreeMap<String, Vec<(String, String)>>;

pub(crate) fn open(space: Space) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Configuration { space }))
}

struct Configuration {
    space: Space,
}

fn metadata(value: Option<&[u8]>) -> Result<Metadata> {
    let Some(value) = value else {
        return Ok(Metadata::new());
    };
    serde_json::from_slice(value).map_err(|error| {
        let words = format!("the row `{METADATA}` has no metadata of items: delete it there");
        Error::invalid(words).with_source(error)
    })
}

impl Configuration {
    /// Writes items, or deletes those without a value, and what the metadata of all comes to.
    async fn write(
        &self,
        values: &BTreeMap<String, Option<String>>,
        change: impl Fn(&mut Metadata),
    ) -> Result<()> {
        for turn in 0..TRIES {
            let row = self.space.row(METADATA, ABOUT).await?;
            let mut after = metadata(row.value.as_deref())?;
            change(&mut after);
            // It is written by each change, so that no version comes back.
            let text = serde_json::to_vec(&after);
            let text = text.map_err(|_| Error::internal("metadata of no text"))?;
            let mut writes = vec![Write {
                key: METADATA,
                revision: Some(row.revision),
                change: Change::Put(text.into(), 0),
            }];
            writes.extend(values.iter().map(|(key, value)| Write {
                key,
                revision: None,
                change: match value {
                    Some(value) => Change::Put(value.clone().into(), 0),
                    None => Change::Delete,
                },
            }));
            match self.space.commit(&writes, ABOUT).await? {
                Committed::Done(_) => return Ok(()),
                Committed::Overtaken(_) | Committed::Leaseless => apart(turn).await,
            }
        }
        Err(overtaken(ABOUT))
    }

    /// All rows of one moment, by key.
    async fn all(&self) -> Result<Vec<(String, Row)>> {
        let rows = self.space.all(ITEMS + 1, ABOUT).await?;
        let excess = || {
            Error::exhausted(format!(
                "the configuration has more than {ITEMS} items, or more bytes than an answer may: give it a `keyPrefixPath` of its own"
            ))
        };
        rows.ok_or_else(excess)
    }

    /// The rows of some keys and the metadata, of one moment; none where they do not fit into one answer.
    async fn some(&self, keys: &[String]) -> Result<Option<Vec<(String, Row)>>> {
        let asked: Vec<_> = [METADATA]
            .into_iter()
            .chain(keys.iter().map(String::as_str))
            .collect();
        let rows = self.space.rows(&asked, ABOUT).await?;
        let is_whole = rows.len() == asked.len();
        let named = asked.into_iter().map(str::to_owned).zip(rows);
        Ok(is_whole.then(|| named.collect()))
    }
}

#[async_trait]
impl Driver for Configuration {
    fn features(&self) -> Features {
        Features {
            durable: true,
            writable: true,
        }
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        let wanted: BTreeSet<_> = keys.iter().cloned().collect();
        let keys: Vec<_> = wanted.iter().cloned().collect();
        let some = match keys.is_empty() {
            true => None,
            false => self.some(&keys).await?,
        };
        let rows = match some {
            Some(rows) => rows,
            None => self.all().await?,
        };
        let beside = rows.iter().find(|(key, _)| key == METADATA);
        let mut beside = metadata(beside.and_then(|(_, row)| row.value.as_deref()))?;
        let is_wanted = |key: &String| wanted.is_empty() || wanted.contains(key);
        let items = rows.into_iter().filter_map(|(key, row)| {
            // What is no text was written by somebody else, and is no item.
            let value = String::from_utf8(row.value?.into()).ok()?;
            let is_item = key != METADATA && is_wanted(&key);
            is_item.then(|| Item {
                metadata: beside.remove(&key).unwrap_or_default(),
                version: row.revision.to_string(),
                key,
                value,
            })
        });
        Ok(items.collect())
    }

    /// The number of rows and the revision of the last write of one of those that are there. The host's own changes write
    /// the metadata, too; where somebody else deletes a row there is one less.
    async fn version(&self) -> Result<String> {
        let (count, last) = self.space.newest(ABOUT).await?;
        Ok(format!("{count}-{last}"))
    }

    async fn wait(&self, version: &str) -> Result<()> {
        loop {
            // What happens between the look and the watch would be missed the other way round.
            let watch = Watch::begin(&self.space).await;
            if self.version().await? != version {
                return Ok(());
            }
            match watch {
                Ok(mut watch) => {
                    if timeout(WATCH, watch.change()).await.is_ok() {
                        if self.version().await? != version {
                            return Ok(());
                        }
                        // What it said is no change, or it is over: a server that does so all the time is not asked
                        // all the time.
                        sleep(LOOK).await;
                    }
                }
                Err(_) => sleep(LOOK).await,
            }
        }
    }

    async fn set(&self, items: Vec<NewItem>) -> Result<()> {
        let mut values = BTreeMap::new();
        let mut beside = Metadata::new();
        for item in items {
            if item.key == METADATA {
                let words = format!("`{METADATA}` is where the metadata of items is kept");
                return Err(Error::invalid(words));
            }
            values.insert(item.key.clone(), Some(item.value));
            beside.insert(item.key, item.metadata);
        }
        self.write(&values, |metadata| {
            for (key, new) in &beside {
                match new.is_empty() {
                    true => metadata.remove(key),
                    false => metadata.insert(key.clone(), new.clone()),
                };
            }
        })
        .await
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        // No keys are all of them to whoever reads.
        let found = match keys.is_empty() {
            true => Vec::new(),
            false => self.get(&keys).await?,
        };
        let values: BTreeMap<_, _> = found.into_iter().map(|item| (item.key, None)).collect();
        if values.is_empty() {
            return Ok(());
        }
        self.write(&values, |metadata| {
            metadata.retain(|key, _| !values.contains_key(key));
        })
        .await
    }

    fn describe(&self) -> Option<String> {
        self.space.describe()
    }

    async fn health(&self) -> Result<()> {
        self.space.health().await
    }

    async fn close(&self) -> Result<()> {
        self.space.session.close();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
