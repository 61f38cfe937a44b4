//! The interface of a lock technology, and the records that go both ways.

use crate::{Key, Result};
use async_trait::async_trait;
use std::time::{Duration, SystemTime};

/// A lock that somebody holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The token, which grows with every grant of a key, for ever, also over restarts of a durable driver.
    pub token: u64,
    pub expires: SystemTime,
    /// The app that asked for it. Owner and token together prove a grant.
    pub owner: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acquired {
    Granted(Grant),
    /// Somebody holds it; until when, as far as the driver knows.
    Held {
        expires: Option<SystemTime>,
    },
}

/// The abilities of a driver; conformance proves them and the block relies on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Grants and tokens are kept over a restart and survive power loss.
    pub durable: bool,
}

impl Features {
    /// Returns whether a name of a manifest's `requires:` holds; absent for a name that is no feature.
    pub fn has(&self, name: &str) -> Option<bool> {
        Some(match name {
            "durable" => self.durable,
            _ => return None,
        })
    }

    pub const NAMES: [&'static str; 1] = ["durable"];
}

/// A technology that grants locks. Keys arrive scoped and checked; a message names one by [`Key::shown`]. A grant whose time is over is no grant.
#[async_trait]
pub trait Driver: Send + Sync {
    fn features(&self) -> Features;

    /// Answers at once: waiting is the block's part.
    async fn acquire(&self, key: &Key, owner: &str, ttl: Duration) -> Result<Acquired>;

    /// Returns when the grant ends now. `conflict` unless the token's grant is still alive.
    async fn renew(&self, key: &Key, token: u64, ttl: Duration) -> Result<SystemTime>;

    /// Releases a lock; `conflict` unless the token's grant is still alive.
    async fn release(&self, key: &Key, token: u64) -> Result<()>;

    /// The grant that is alive, if there is one.
    async fn holder(&self, key: &Key) -> Result<Option<Grant>>;

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
