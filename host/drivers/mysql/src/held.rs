//! The client of a driver until the driver is closed.

use crate::client::{Client, Lent};
use parking_lot::RwLock;
use std::sync::Arc;
use wythe_blocks::{Error, Result};

/// The client, and nothing once the driver is closed.
pub(super) struct Held(RwLock<Option<Arc<Client>>>);

impl Held {
    pub fn new(client: Arc<Client>) -> Self {
        Held(RwLock::new(Some(client)))
    }

    pub fn client(&self) -> Result<Arc<Client>> {
        let client = self.0.read().clone();
        client.ok_or_else(|| Error::unavailable("the store is closed"))
    }

    pub async fn lend(&self) -> Result<Lent> {
        self.client()?.lend().await
    }

    pub async fn health(&self) -> Result<()> {
        self.client()?.health().await
    }

    pub fn describe(&self) -> Option<String> {
        self.client().ok().map(|client| client.describe())
    }

    pub fn close(&self) {
        self.0.write().take();
    }
}
