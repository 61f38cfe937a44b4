//! A driver of the lock block that is a plugin.

use super::plugged::{Effect, Plugged, world};
use crate::{
    bindings::plugin::exports::wythe::plugin::lock_driver as wit,
    wit::{milliseconds, time},
};
use async_trait::async_trait;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    Key, Result,
    lock::{Acquired, Driver, Features, Grant, MAX_TTL},
};

/// The time by which the clock of a service behind a plugin may be ahead of the host's.
const SKEW: Duration = Duration::from_secs(3_600);

world! { LockWorld: lock_driver, "wythe:plugin/lock-plugin@0.1.0" }

struct LockDriver {
    plugged: Arc<Plugged<LockWorld>>,
    features: Features,
}

pub async fn open(plugged: Arc<Plugged<LockWorld>>) -> Result<Arc<dyn Driver>> {
    let features = plugged
        .run(Effect::Reads, |driver, store, _| {
            Box::pin(async move { Ok(driver.call_describe(store).await?) })
        })
        .await?;
    let features = Features {
        durable: features.durable,
    };
    Ok(Arc::new(LockDriver { plugged, features }))
}

impl LockDriver {
    fn end(&self, timestamp: u64) -> Result<SystemTime> {
        let latest = SystemTime::now() + MAX_TTL + SKEW;
        let end = time(timestamp).filter(|end| *end <= latest);
        let what = "answered with a grant that ends later than any may";
        end.ok_or_else(|| self.plugged.violation(what))
    }

    fn grant(&self, grant: wit::Grant) -> Result<Grant> {
        Ok(Grant {
            token: grant.token,
            expires: self.end(grant.expires)?,
            owner: grant.owner,
        })
    }

    fn acquired(&self, acquired: wit::Acquired, owner: &str) -> Result<Acquired> {
        match acquired {
            wit::Acquired::Granted(grant) if grant.owner != owner => {
                let what = "granted a lock to another than who asked for it";
                Err(self.plugged.violation(what))
            }
            wit::Acquired::Granted(grant) => self.grant(grant).map(Acquired::Granted),
            wit::Acquired::Held(expires) => Ok(Acquired::Held {
                expires: expires.map(|end| self.end(end)).transpose()?,
            }),
        }
    }
}

#[async_trait]
impl Driver for LockDriver {
    fn features(&self) -> Features {
        self.features
    }

    async fn acquire(&self, key: &Key, owner: &str, ttl: Duration) -> Result<Acquired> {
        let (whole, asks, ttl) = (key.clone(), owner.to_owned(), milliseconds(ttl));
        let acquired = self
            .plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_acquire(store, &whole, &asks, ttl).await??) })
            })
            .await
            .map_err(|error| key.plain(error))?;
        self.acquired(acquired, owner)
    }

    async fn renew(&self, key: &Key, token: u64, ttl: Duration) -> Result<SystemTime> {
        let (whole, ttl) = (key.clone(), milliseconds(ttl));
        let expires = self
            .plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_renew(store, &whole, token, ttl).await??) })
            })
            .await
            .map_err(|error| key.plain(error))?;
        self.end(expires)
    }

    async fn release(&self, key: &Key, token: u64) -> Result<()> {
        let whole = key.clone();
        self.plugged
            .run(Effect::Writes, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_release(store, &whole, token).await??) })
            })
            .await
            .map_err(|error| key.plain(error))
    }

    async fn holder(&self, key: &Key) -> Result<Option<Grant>> {
        let whole = key.clone();
        let holder = self
            .plugged
            .run(Effect::Reads, move |driver, store, _| {
                Box::pin(async move { Ok(driver.call_holder(store, &whole).await??) })
            })
            .await
            .map_err(|error| key.plain(error))?;
        holder.map(|grant| self.grant(grant)).transpose()
    }
}
