//! A lock service in memory. Tokens begin at the time of its start, so they grow over its restarts; grants end with it.
//!
//! It must run as a single instance. A lock whose name ends in `!trap`, `!thief` or `!never` is granted by a fault, to
//! somebody else, or for longer than any grant may last, which shows what a host makes of a service that cannot be trusted.
mod locks;

use std::time::{Instant, SystemTime};

use locks::{Locks, Moment};
use wythe_sdk::plugin::lock::{Acquired, Features, Grant, LockDriver};
use wythe_sdk::plugin::{Metadata, Plugin};
use wythe_sdk::{Result, timestamp};

struct Locksmith {
    locks: Locks,
    start: Instant,
}

impl Plugin for Locksmith {
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        metadata.only(&[])?;
        // A grant takes longer than a microsecond, so the clock is never overtaken.
        let first = timestamp(SystemTime::now()) * 1_000;
        Ok(Self {
            locks: Locks::new(first),
            start: Instant::now(),
        })
    }
}

impl Locksmith {
    fn now(&self) -> Moment {
        Moment {
            since: self.start.elapsed(),
            wall: timestamp(SystemTime::now()),
        }
    }
}

impl LockDriver for Locksmith {
    fn describe(&self) -> Features {
        Features { durable: false }
    }

    fn acquire(&mut self, key: &str, owner: &str, ttl: u64) -> Result<Acquired> {
        let now = self.now();
        let mut acquired = self.locks.acquire(key, owner, ttl, now);
        if let Acquired::Granted(grant) = &mut acquired {
            match key.rsplit_once('!') {
                Some((_, "trap")) => panic!("trapped, as asked"),
                Some((_, "thief")) => grant.owner = "thief".to_owned(),
                Some((_, "never")) => grant.expires = u64::MAX,
                _ => {}
            }
        }
        Ok(acquired)
    }

    fn renew(&mut self, key: &str, token: u64, ttl: u64) -> Result<u64> {
        let now = self.now();
        self.locks.renew(key, token, ttl, now)
    }

    fn release(&mut self, key: &str, token: u64) -> Result<()> {
        let now = self.now();
        self.locks.release(key, token, now)
    }

    fn holder(&mut self, key: &str) -> Result<Option<Grant>> {
        Ok(self.locks.holder(key, self.now()))
    }
}

wythe_sdk::lock_plugin!(Locksmith);
