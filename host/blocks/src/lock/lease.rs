//! A lock that was granted, in the hands of its holder.

use super::{Grant, check_ttl, key::LockKey};
use crate::{Call, Result};
use std::time::{Duration, SystemTime};

/// Dropping it gives nothing back: the grant ends by `release` or at its time.
#[derive(Clone)]
pub struct Lease {
    key: LockKey,
    token: u64,
    expires: SystemTime,
}

impl Lease {
    pub(super) fn new(key: LockKey, grant: &Grant) -> Self {
        Lease {
            key,
            token: grant.token,
            expires: grant.expires,
        }
    }

    pub fn token(&self) -> u64 {
        self.token
    }

    /// The end of the lease as far as is known: another holder of the token may have renewed or released it.
    pub fn expires(&self) -> SystemTime {
        self.expires
    }

    /// The grant now ends after `ttl` from now; `conflict` if it was over.
    pub async fn renew(&mut self, caller: &Call, ttl: Duration) -> Result<()> {
        check_ttl(ttl)?;
        self.expires = self.key.renew(caller, self.token, ttl).await?;
        Ok(())
    }

    /// Releases the lock; `conflict` if the grant was over.
    pub async fn release(&self, caller: &Call) -> Result<()> {
        self.key.release(caller, self.token).await
    }
}
