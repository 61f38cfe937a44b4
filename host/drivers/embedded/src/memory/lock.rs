//! Locks in a map; they end with the process.

use crate::shared::lock::{Answer, Locks, Moment, Order, mixed_up};
use async_trait::async_trait;
use parking_lot::Mutex;
use serde::Deserialize;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    Key, Result, Site,
    lock::{Acquired, Driver, Features, Grant},
};

/// Grants whose time is over that each order forgets: more than an order can add.
const SWEEP: usize = 4;

/// A config without settings.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {}

pub(super) async fn open(_: Config, _: Site) -> Result<Arc<dyn Driver>> {
    let locks = Locks::new(Locks::first());
    Ok(Arc::new(Memory(Mutex::new(locks))))
}

struct Memory(Mutex<Locks>);

impl Memory {
    fn run(&self, order: &Order) -> Result<Answer> {
        let mut locks = self.0.lock();
        let now = Moment::now();
        for key in locks.over(now, SWEEP) {
            locks.remove(&key);
        }
        locks.apply(order, now)
    }
}

#[async_trait]
impl Driver for Memory {
    fn features(&self) -> Features {
        Features { durable: false }
    }

    async fn acquire(&self, key: &Key, owner: &str, ttl: Duration) -> Result<Acquired> {
        let (key, owner) = (key.clone(), owner.to_owned());
        match self.run(&Order::Acquire { key, owner, ttl })? {
            Answer::Acquired(acquired) => Ok(acquired),
            other => Err(mixed_up(&other)),
        }
    }

    async fn renew(&self, key: &Key, token: u64, ttl: Duration) -> Result<SystemTime> {
        let key = key.clone();
        match self.run(&Order::Renew { key, token, ttl })? {
            Answer::Renewed(expires) => Ok(expires),
            other => Err(mixed_up(&other)),
        }
    }

    async fn release(&self, key: &Key, token: u64) -> Result<()> {
        let key = key.clone();
        self.run(&Order::Release { key, token }).map(drop)
    }

    async fn holder(&self, key: &Key) -> Result<Option<Grant>> {
        let key = key.clone();
        match self.run(&Order::Holder { key })? {
            Answer::Holder(grant) => Ok(grant),
            other => Err(mixed_up(&other)),
        }
    }
}
