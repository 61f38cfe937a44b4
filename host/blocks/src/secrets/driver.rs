//! The interface of a secret store, and a value that has no way out but `reveal`.

use crate::Result;
use async_trait::async_trait;
use std::{collections::BTreeMap, fmt, hint::black_box};

/// One secret value: never displayed, never serialised, cleared on drop.
#[derive(Clone, PartialEq, Eq)]
pub struct Value(Vec<u8>);

impl Value {
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Value(bytes.into())
    }

    /// Call it only where the bytes are handed to somebody who may have them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fill(0);
        // The optimiser may not conclude that nobody reads the zeros.
        black_box(&self.0);
    }
}

/// A secret as a store has it now: most have one value, named like the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub values: BTreeMap<String, Value>,
    pub version: Option<String>,
}

impl Found {
    /// A secret of one value, which has the secret's own name.
    pub fn one(name: &str, value: Value) -> Self {
        Found {
            values: BTreeMap::from([(name.to_owned(), value)]),
            version: None,
        }
    }
}

/// The abilities of a driver; conformance proves them and the block relies on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Secrets may have several named values.
    pub multiple_values: bool,
    /// The store can list the names of its secrets.
    pub names: bool,
}

impl Features {
    /// Returns whether a name of a manifest's `requires:` holds; absent for a name that is no feature.
    pub fn has(&self, name: &str) -> Option<bool> {
        Some(match name {
            "multipleValues" => self.multiple_values,
            "names" => self.names,
            _ => return None,
        })
    }

    pub const NAMES: [&'static str; 2] = ["multipleValues", "names"];
}

/// A technology that stores secrets. No error and no log record of it holds a value or a part of one.
#[async_trait]
pub trait Driver: Send + Sync {
    fn features(&self) -> Features;

    /// Reads a secret; absent where there is no such secret. The metadata is the caller's, such as a version to read.
    async fn get(&self, name: &str, metadata: &[(String, String)]) -> Result<Option<Found>>;

    /// The names of all secrets, in order.
    async fn names(&self) -> Result<Vec<String>>;

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
