//! A state driver that keeps entries in memory. Replace the map by the technology that you want to offer.
use std::collections::BTreeMap;

use wythe_sdk::plugin::state::{Condition, Entry, Features, Page, PutOptions};
use wythe_sdk::plugin::{Metadata, Plugin, StateDriver};
use wythe_sdk::{Error, Kind, Result};

/// One value serves one component.
struct Driver {
    entries: BTreeMap<String, Entry>,
    max_entries: usize,
    writes: u64,
}

impl Plugin for Driver {
    /// Reads the metadata of the component, as in `resources/statestore.yaml`. An error stops the start of the host.
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        metadata.only(&["maxEntries"])?;
        Ok(Driver {
            entries: BTreeMap::new(),
            max_entries: metadata.number("maxEntries", 10_000)?,
            writes: 0,
        })
    }
}

impl StateDriver for Driver {
    /// Promise only what holds: the host relies on it.
    fn describe(&self) -> Features {
        Features {
            transactions: false,
            ttl: false,
            list: true,
            increment: false,
            fence: false,
            durable: false,
            linearizable: true,
            max_value_bytes: 1 << 20,
            max_operations: 1,
        }
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        Ok(self.entries.get(key).cloned())
    }

    fn put(&mut self, key: String, value: Vec<u8>, options: PutOptions) -> Result<String> {
        self.check(&key, &options.condition)?;
        if !self.entries.contains_key(&key) && self.entries.len() >= self.max_entries {
            return Err(Error::new(Kind::Exhausted, "the store is full; see maxEntries"));
        }
        self.writes += 1;
        let etag = self.writes.to_string();
        let entry = Entry {
            value,
            etag: etag.clone(),
            content_type: options.content_type,
            expires: None,
        };
        self.entries.insert(key, entry);
        Ok(etag)
    }

    fn delete(&mut self, key: &str, condition: Condition) -> Result<()> {
        self.check(key, &condition)?;
        self.entries.remove(key);
        Ok(())
    }

    fn list(&mut self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let after = |key: &str| cursor.is_none_or(|cursor| key > cursor);
        let mut found = self
            .entries
            .iter()
            .filter(|(key, _)| key.starts_with(prefix) && after(key));
        let entries: Vec<_> = found
            .by_ref()
            .take(limit as usize)
            .map(|(key, entry)| (key.clone(), entry.clone()))
            .collect();
        let next = match found.next() {
            Some(_) => entries.last().map(|(key, _)| key.clone()),
            None => None,
        };
        Ok(Page { entries, next })
    }
}

impl Driver {
    fn check(&self, key: &str, condition: &Condition) -> Result<()> {
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => !self.entries.contains_key(key),
            Condition::Matches(etag) => self.entries.get(key).is_some_and(|e| e.etag == *etag),
        };
        if holds {
            Ok(())
        } else {
            Err(Error::new(Kind::Conflict, "somebody else wrote in between"))
        }
    }
}

wythe_sdk::state_plugin!(Driver);
