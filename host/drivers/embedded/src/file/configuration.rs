//! Configuration in a YAML or JSON file, which is read again when it changes. A file that is broken for now changes
//! nothing: the items go on as they were when it was last good.

mod watch;

use crate::shared::configuration::items::{self, Items, Versions};
use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Deserialize;
use std::{path::PathBuf, sync::Arc};
use watch::Watch;
use wythe_blocks::{
    Error, Result, Site,
    blocking::blocking,
    configuration::{Driver, Features, Item},
};
use wythe_manifest::{AnchoredPath, Stamp, Unreadable, parse_document};

/// Bytes of the file.
const LARGEST: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// The file, relative to the resource.
    path: PathBuf,
    /// Separator between the keys of nested objects; default `.`.
    #[serde(default = "dot")]
    separator: String,
}

fn dot() -> String {
    ".".into()
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    let place = site.place(config.path)?;
    blocking(move || {
        let store = Store {
            place,
            separator: config.separator,
            seen: Mutex::default(),
            versions: Versions::new(1),
        };
        store.reload().map_err(Error::invalid)?;
        let store = Arc::new(store);
        let watch = Watch::start(&store)?;
        let driver: Arc<dyn Driver> = Arc::new(Watched { store, watch });
        Ok(driver)
    })
    .await
}

/// The file and what was in it.
struct Store {
    place: AnchoredPath,
    separator: String,
    seen: Mutex<Seen>,
    versions: Versions,
}

#[derive(Default)]
struct Seen {
    /// Content when the file was last read, good or not.
    bytes: Option<Vec<u8>>,
    /// Reason for which the file could not be read the last time.
    lost: Option<String>,
    /// Items of the last time the file was good.
    items: Items,
}

impl Store {
    fn seen(&self) -> parking_lot::MutexGuard<'_, Seen> {
        self.seen.lock()
    }

    /// Reads the file again. An error says what is wrong with it, once for each state of the file.
    fn reload(&self) -> Result<(), String> {
        self.take(self.read())
    }

    fn take(&self, read: Result<Vec<u8>, String>) -> Result<(), String> {
        let mut seen = self.seen();
        let bytes = match read {
            Ok(bytes) if seen.bytes.as_ref() == Some(&bytes) => return Ok(()),
            Ok(bytes) => bytes,
            Err(error) if seen.lost.as_ref() == Some(&error) => return Ok(()),
            Err(error) => {
                seen.bytes = None;
                seen.lost = Some(error.clone());
                return Err(error);
            }
        };
        seen.bytes = Some(bytes.clone());
        seen.lost = None;
        let items = self.parse(&bytes)?;
        if items != seen.items {
            seen.items = items;
            self.versions.notify(self.versions.now() + 1);
        }
        Ok(())
    }

    fn read(&self) -> Result<Vec<u8>, String> {
        let shown = self.place.path().display();
        let read = self.place.open().and_then(|file| file.read(LARGEST));
        read.map_err(|why| match why {
            Unreadable::TooLarge(_) => format!("the configuration file `{shown}` is {why}"),
            _ => format!("the configuration file `{shown}` cannot be read: {why}"),
        })
    }

    fn stamp(&self) -> Option<Stamp> {
        let opened = self.place.open();
        opened.ok().map(|file| file.stamp())
    }

    fn parse(&self, bytes: &[u8]) -> Result<Items, String> {
        let shown = self.place.path().display();
        let wrong = |what: &str| format!("the configuration file `{shown}`: {what}");
        let text = std::str::from_utf8(bytes).map_err(|_| wrong("not UTF-8 text"))?;
        // Whoever writes a file in place empties it first, and the items are not gone for that moment.
        if text.trim().is_empty() {
            return Err(wrong("is empty; write `{}` where there are no items"));
        }
        let tree =
            parse_document(text, self.place.path()).map_err(|problem| match problem.line {
                0 => wrong(&problem.message),
                line => format!(
                    "the configuration file `{shown}:{line}:{}`: {}",
                    problem.column, problem.message
                ),
            })?;
        items::of_tree(&tree, &self.separator).map_err(|what| wrong(&what))
    }
}

struct Watched {
    store: Arc<Store>,
    watch: Watch,
}

#[async_trait]
impl Driver for Watched {
    fn features(&self) -> Features {
        // Writing is for whoever edits the file; what they wrote is as durable as they made it.
        Features {
            durable: false,
            writable: false,
        }
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        Ok(items::select(&self.store.seen().items, keys))
    }

    async fn version(&self) -> Result<String> {
        let _seen = self.store.seen();
        Ok(self.store.versions.now().to_string())
    }

    async fn wait(&self, version: &str) -> Result<()> {
        self.store.versions.wait(version).await
    }

    async fn close(&self) -> Result<()> {
        self.watch.stop();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
