//! Configuration in memory, beginning with what is written in the component: for tests and for trying things out.

use crate::shared::configuration::items::{self, Items, Versions};
use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use std::{path::Path, sync::Arc};
use wythe_blocks::{
    Error, Result, Site, Wrong,
    configuration::{Driver, Features, Item, NewItem},
};
use wythe_manifest::parse_document;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// A JSON object of the first items, nested keys joined by `.`; default none.
    #[serde(default)]
    items: String,
}

pub(super) async fn open(items: Items, _: Site) -> Result<Arc<dyn Driver>> {
    Ok(Arc::new(Memory {
        items: Mutex::new(items),
        versions: Versions::new(1),
    }))
}

pub(super) fn parse(config: Config) -> Result<Items, Wrong> {
    let malformed = |place: String, what: &str| {
        let error = Error::invalid(format!("`items`{place}: {what}"));
        Wrong::new("items", error)
    };
    let tree = parse_document(&config.items, Path::new("")).map_err(|problem| {
        let place = format!(" line {}, column {}", problem.line, problem.column);
        let place = if problem.line == 0 { "" } else { &place };
        malformed(place.to_owned(), &problem.message)
    })?;
    let items = items::of_tree(&tree, ".");
    items.map_err(|what| malformed(String::new(), &what))
}

struct Memory {
    items: Mutex<Items>,
    /// Told while the items are locked, so that they are never ahead of it for long enough to be seen.
    versions: Versions,
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Items> {
        self.items.lock()
    }

    /// `run` says whether anything changed.
    fn change(&self, run: impl FnOnce(&mut Items) -> bool) {
        let mut items = self.lock();
        if run(&mut items) {
            self.versions.notify(self.versions.now() + 1);
        }
    }
}

#[async_trait]
impl Driver for Memory {
    fn features(&self) -> Features {
        Features {
            durable: false,
            writable: true,
        }
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        Ok(items::select(&self.lock(), keys))
    }

    async fn version(&self) -> Result<String> {
        let _items = self.lock();
        Ok(self.versions.now().to_string())
    }

    async fn wait(&self, version: &str) -> Result<()> {
        self.versions.wait(version).await
    }

    async fn set(&self, new: Vec<NewItem>) -> Result<()> {
        self.change(|items| {
            let mut changed = false;
            for item in new.into_iter().map(items::item) {
                changed |= items.get(&item.key) != Some(&item);
                items.insert(item.key.clone(), item);
            }
            changed
        });
        Ok(())
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        self.change(|items| {
            let before = items.len();
            keys.iter().for_each(|key| drop(items.remove(key)));
            items.len() != before
        });
        Ok(())
    }
}
