//! A store whose connections outlive the runtime of a host that is killed, as they do where the store is a process of its own.

use async_trait::async_trait;
use std::sync::Arc;
use tokio::{
    runtime::{Handle, Id},
    sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
};
use wythe_blocks::{
    Key, Result,
    state::{Delete, Driver, Entry, Etag, Features, Operation, Page, Put},
};

/// The store does its work in the runtime in which it was opened, for one runtime of a host at a time.
pub(super) struct Elsewhere {
    store: Arc<dyn Driver>,
    home: Handle,
    asker: Asker,
}

/// The runtime that asks. Each question that is under way has a guard of it, whether anybody still waits for the answer or not.
type Asker = Arc<RwLock<Option<Id>>>;

impl Elsewhere {
    pub fn new(store: Arc<dyn Driver>) -> Self {
        let home = Handle::current();
        Elsewhere {
            store,
            home,
            asker: Asker::default(),
        }
    }

    /// The turn of a host, once all is over that another one asked for. A bed's host takes the store for its own and reads once,
    /// at its start, which rows have something to be done: a write of a host that is dead, which the server commits behind that
    /// look, would have its rows wait for the next start.
    async fn turn(&self) -> OwnedRwLockReadGuard<Option<Id>> {
        let own = Some(Handle::current().id());
        let turn = self.asker.clone().read_owned().await;
        if *turn == own {
            return turn;
        }
        drop(turn);
        let mut turn = self.asker.clone().write_owned().await;
        *turn = own;
        OwnedRwLockWriteGuard::downgrade(turn)
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
        let turn = self.turn().await;
        let question = async move {
            let _turn = turn;
            question.await
        };
        match self.home.spawn(question).await {
            Ok(answer) => answer,
            // The test is over, and nobody waits any more.
            Err(error) if error.is_cancelled() => std::future::pending().await,
            Err(error) => panic!("the store panics: {error}"),
        }
    }
}

#[async_trait]
impl Driver for Elsewhere {
    fn features(&self) -> Features {
        self.store.features()
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let (store, key) = (self.store.clone(), key.clone());
        self.ask(async move { store.get(&key).await }).await
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        let store = self.store.clone();
        self.ask(async move { store.put(put).await }).await
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        let store = self.store.clone();
        self.ask(async move { store.delete(delete).await }).await
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        let store = self.store.clone();
        self.ask(async move { store.transact(operations).await })
            .await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let store = self.store.clone();
        let (prefix, cursor) = (prefix.to_owned(), cursor.map(str::to_owned));
        self.ask(async move { store.list(&prefix, cursor.as_deref(), limit).await })
            .await
    }

    async fn close(&self) -> Result<()> {
        self.store.close().await
    }
}
