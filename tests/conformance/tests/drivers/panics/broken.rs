//! A driver that panics wherever it is asked: each call is an error that says whether something may have happened.

use super::{NAME, host, operator};
use crate::open::component;
use async_trait::async_trait;
use std::sync::Arc;
use wythe_blocks::{
    Key, Kind, Ready, Registry, Result,
    state::{Delete, Driver, Entry, Etag, Features, Put},
};

struct Broken;

#[async_trait]
impl Driver for Broken {
    fn features(&self) -> Features {
        Features {
            transactions: false,
            ttl: false,
            list: false,
            increment: false,
            fence: false,
            durable: false,
            linearizable: false,
            counted: false,
            max_value_bytes: 100,
            max_operations: 1,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        panic!("no {}", key.shown())
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        panic!("no {}", put.key.shown())
    }

    async fn delete(&self, _: Delete) -> Result<()> {
        panic!("no")
    }
}

pub async fn driver() {
    let mut registry = Registry::default();
    registry.state.add_raw("broken", |_, _| async {
        Ok(Ready::new(|| async {
            Ok(Arc::new(Broken) as Arc<dyn Driver>)
        }))
    });
    let host = host(&registry, &[component("state", "broken", "[]")]).await;
    let caller = operator();
    let store = host.state.open(&caller, NAME).expect("the store");
    let read = store.get(&caller, "a").await.expect_err("a get");
    assert_eq!(
        (read.kind(), read.message()),
        (
            Kind::Internal,
            "`get` of `subject` ended by a panic of the host"
        )
    );
    // Nobody can say whether it was written.
    let write = store
        .put(&caller, Put::new("a", "b"))
        .await
        .expect_err("a put");
    assert_eq!(write.kind(), Kind::UnknownOutcome);
}
