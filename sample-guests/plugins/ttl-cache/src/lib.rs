//! A state driver that keeps entries in memory: at most so many, each for so long, and the longest unused goes first.
//!
//! Metadata of its component:
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `maxEntries` | 10000 | one entry more, and the one that was not used for longest is gone |
//! | `maxBytes` | 41943040 | the same for the bytes of all keys and values; the component's `memory` is 20 MiB more |
//! | `defaultTtl` | none | how long an entry lives whose put names no time to live, such as `90s`, `15m` or `2h` |
//!
//! It is a cache: an entry may be gone before its time, and all are when the host stops. What is there is exact: etags,
//! conditions, fences, transactions, and an expired entry is never seen. The host must run it as a single instance.
mod cache;
mod config;

use std::time::SystemTime;

use cache::Cache;
use config::Config;
use wythe_sdk::plugin::state::{Condition, Entry, Features, Operation, Page, PutOptions};
use wythe_sdk::plugin::{Metadata, Plugin, StateDriver};
use wythe_sdk::wasip2::random::random::get_random_u64;
use wythe_sdk::{Result, timestamp};

struct TtlCache {
    cache: Cache,
}

impl Plugin for TtlCache {
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        // A random start, so that an etag of an instance before this one fits nothing here.
        Ok(Self {
            cache: Cache::new(Config::parse(&metadata)?, get_random_u64() >> 1),
        })
    }
}

impl StateDriver for TtlCache {
    fn describe(&self) -> Features {
        Features {
            transactions: true,
            ttl: true,
            list: true,
            increment: false,
            fence: true,
            durable: false,
            linearizable: true,
            max_value_bytes: cache::MAX_VALUE_BYTES as u64,
            max_operations: cache::MAX_OPERATIONS as u32,
        }
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        Ok(self.cache.get(key, now()))
    }

    fn put(&mut self, key: String, value: Vec<u8>, options: PutOptions) -> Result<String> {
        self.cache.put(key, value, options, now())
    }

    fn delete(&mut self, key: &str, condition: Condition) -> Result<()> {
        self.cache.delete(key, &condition, now())
    }

    fn transact(&mut self, operations: Vec<Operation>) -> Result<Vec<Option<String>>> {
        self.cache.transact(operations, now())
    }

    fn list(&mut self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        Ok(self.cache.list(prefix, cursor, limit as usize, now()))
    }
}

fn now() -> u64 {
    timestamp(SystemTime::now())
}

wythe_sdk::state_plugin!(TtlCache);
