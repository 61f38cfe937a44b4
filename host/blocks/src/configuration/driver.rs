//! The interface of a configuration store's driver, and the records that go both ways.

use crate::{Error, Result};
use async_trait::async_trait;
use std::time::Duration;

/// The interval between two looks at the version of a driver that cannot wait by itself.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub key: String,
    pub value: String,
    /// An opaque version, which changes whenever the item does.
    pub version: String,
    pub metadata: Vec<(String, String)>,
}

/// An item that an operator writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewItem {
    pub key: String,
    pub value: String,
    pub metadata: Vec<(String, String)>,
}

/// The abilities of a driver; conformance proves them and the block relies on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// The driver keeps what was written over a restart and power loss.
    pub durable: bool,
    /// Items can be set and deleted through the driver.
    pub writable: bool,
}

impl Features {
    /// Returns whether a name of a manifest's `requires:` holds; absent for a name that is no feature.
    pub fn has(&self, name: &str) -> Option<bool> {
        Some(match name {
            "durable" => self.durable,
            "writable" => self.writable,
            _ => return None,
        })
    }

    pub const NAMES: [&'static str; 2] = ["durable", "writable"];
}

/// A technology that stores configuration.
#[async_trait]
pub trait Driver: Send + Sync {
    fn features(&self) -> Features;

    /// The items with these keys, absent ones left out; all of them where no key is given. In the order of keys, and
    /// all of one moment.
    async fn get(&self, keys: &[String]) -> Result<Vec<Item>>;

    /// Opaque version of the whole store; another one after every change of an item.
    async fn version(&self) -> Result<String>;

    /// Waits until the version is not this one any more. Dropping the future loses nothing.
    async fn wait(&self, version: &str) -> Result<()> {
        while self.version().await? == version {
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Writes all of the items, or none.
    async fn set(&self, items: Vec<NewItem>) -> Result<()> {
        let _ = items;
        Err(Error::unsupported("the driver does not write"))
    }

    /// Deletes all of the items, or none; deleting what is absent is ok.
    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        let _ = keys;
        Err(Error::unsupported("the driver does not write"))
    }

    /// The server that it speaks to, in one line for operators: its name, version and address, and no secret.
    fn describe(&self) -> Option<String> {
        None
    }

    /// An error while the driver cannot do its work, and knows it without trying.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the driver, once, after the last call.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
