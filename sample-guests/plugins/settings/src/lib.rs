//! A configuration store in memory, which begins with the component's metadata: each name with its value.
//!
//! It is gone with its instance, so it suits what is written again at every start. The names `lie-order`, `lie-key` and
//! `lie-version` are no items: each makes the store lie in its own way, which shows what a host makes of it.
use std::collections::BTreeMap;

use wythe_sdk::Result;
use wythe_sdk::plugin::configuration::{ConfigurationDriver, Features, Item, NewItem};
use wythe_sdk::plugin::{Metadata, Plugin};

const LIES: [&str; 3] = ["lie-order", "lie-key", "lie-version"];

struct Settings {
    items: BTreeMap<String, Item>,
    /// The version of the last change.
    version: u64,
    lies: Vec<String>,
}

impl Plugin for Settings {
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        let (lies, names) = metadata
            .names()
            .partition::<Vec<_>, _>(|name| LIES.contains(name));
        let mut settings = Self {
            items: BTreeMap::new(),
            version: 1,
            lies: lies.into_iter().map(str::to_owned).collect(),
        };
        for name in names {
            settings.put(NewItem {
                key: name.to_owned(),
                value: metadata.get(name).unwrap_or_default().to_owned(),
                metadata: Vec::new(),
            });
        }
        Ok(settings)
    }
}

impl Settings {
    fn put(&mut self, new: NewItem) {
        let old = self.items.get(&new.key);
        if old.is_some_and(|old| old.value == new.value && old.metadata == new.metadata) {
            return;
        }
        self.version += 1;
        let item = Item {
            key: new.key.clone(),
            value: new.value,
            version: self.version.to_string(),
            metadata: new.metadata,
        };
        self.items.insert(new.key, item);
    }

    fn lies(&self, how: &str) -> bool {
        self.lies.iter().any(|lie| lie == how)
    }
}

impl ConfigurationDriver for Settings {
    fn describe(&self) -> Features {
        Features {
            durable: false,
            writable: true,
        }
    }

    fn get(&mut self, keys: &[String]) -> Result<Vec<Item>> {
        let asked = |key: &String| keys.is_empty() || self.lies("lie-key") || keys.contains(key);
        let found = self.items.iter().filter(|(key, _)| asked(key));
        let mut items: Vec<_> = found.map(|(_, item)| item.clone()).collect();
        if self.lies("lie-order") {
            items.reverse();
        }
        if self.lies("lie-version") {
            items.iter_mut().for_each(|item| item.version.clear());
        }
        Ok(items)
    }

    fn version(&mut self) -> Result<String> {
        Ok(self.version.to_string())
    }

    fn set(&mut self, items: Vec<NewItem>) -> Result<()> {
        items.into_iter().for_each(|item| self.put(item));
        Ok(())
    }

    fn delete(&mut self, keys: &[String]) -> Result<()> {
        let before = self.items.len();
        self.items.retain(|key, _| !keys.contains(key));
        self.version += u64::from(self.items.len() != before);
        Ok(())
    }
}

wythe_sdk::configuration_plugin!(Settings);
