//! Configuration in one entry of a bucket, so that all of it changes at once and is read as of one moment.

use crate::{
    bucket::{Bucket, Change, Detail, Row},
    client::Client,
    failure::odd,
    settings::Parsed,
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{
    Error, Result, Site,
    configuration::{Driver, Features, Item, NewItem},
};

/// The key of the entry.
const ITEMS: &str = "items";
const ABOUT: &str = "the items";

pub(super) async fn open(
    client: Arc<Client>,
    parsed: Parsed,
    site: Site,
) -> Result<Arc<dyn Driver>> {
    let bucket = Bucket::open(client, &parsed.bucket, parsed.made, &site.component).await?;
    Ok(Arc::new(Configuration { bucket }))
}

struct Configuration {
    bucket: Bucket,
}

/// An item as it is stored; whoever writes it by hand may leave all but the value out.
#[derive(Clone, Deserialize, PartialEq, Serialize)]
struct StoredItem {
    value: String,
    #[serde(default)]
    version: u64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    metadata: Vec<(String, String)>,
}

type Items = BTreeMap<String, StoredItem>;

fn read(row: &Row) -> Result<Items> {
    let Some(value) = &row.value else {
        return Ok(Items::new());
    };
    serde_json::from_slice(value).map_err(|error| {
        Error::invalid("the entry `items` of the bucket has no items of a configuration: somebody else wrote it; delete it there, or use another bucket")
            .with_source(error)
    })
}

impl Configuration {
    async fn row(&self) -> Result<Row> {
        self.bucket.get(ITEMS, ABOUT).await
    }

    /// Changes items, of which the function is told the version of those that are new.
    async fn change(&self, change: impl Fn(&mut Items, u64)) -> Result<()> {
        let decide = |row: &Row| {
            let before = read(row)?;
            let mut items = before.clone();
            // No two changes follow the same one.
            change(&mut items, row.revision + 1);
            if items == before {
                return Ok(Change::Nothing(()));
            }
            let value = serde_json::to_vec(&items).map_err(|_| odd())?;
            Ok(Change::Put(value.into(), Detail::default(), ()))
        };
        self.bucket.change(ITEMS, ABOUT, false, decide).await?;
        Ok(())
    }
}

#[async_trait]
impl Driver for Configuration {
    fn features(&self) -> Features {
        Features {
            durable: self.bucket.is_durable(),
            writable: true,
        }
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        let mut items = read(&self.row().await?)?;
        if !keys.is_empty() {
            items.retain(|key, _| keys.contains(key));
        }
        let item = |(key, stored): (String, StoredItem)| Item {
            key,
            value: stored.value,
            version: stored.version.to_string(),
            metadata: stored.metadata,
        };
        Ok(items.into_iter().map(item).collect())
    }

    async fn version(&self) -> Result<String> {
        Ok(self.row().await?.revision.to_string())
    }

    async fn set(&self, items: Vec<NewItem>) -> Result<()> {
        self.change(|stored, version| {
            for item in items.clone() {
                let new = StoredItem {
                    value: item.value,
                    version,
                    metadata: item.metadata,
                };
                stored.insert(item.key, new);
            }
        })
        .await
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        self.change(|stored, _| stored.retain(|key, _| !keys.contains(key)))
            .await
    }

    fn describe(&self) -> Option<String> {
        self.bucket.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.bucket.session.health().await
    }

    async fn close(&self) -> Result<()> {
        self.bucket.session.close();
        Ok(())
    }
}
