//! A store whose connections outlive the runtime of a host that is killed, as they do where the store is a process of its own.

use async_trait::async_trait;
use std::sync::Arc;
use tokio::runtime::Handle;
use wythe_blocks::{
    Key, Result,
    state::{Delete, Driver, Entry, Etag, Features, Operation, Page, Put},
};

/// The store does its work in the runtime in which it was opened.
pub(super) struct Elsewhere {
    store: Arc<dyn Driver>,
    home: Handle,
}

impl Elsewhere {
    pub fn new(store: Arc<dyn Driver>) -> Self {
        let home = Handle::current();
        Elsewhere { store, home }
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl Future<Output = Result<T>> + Send + 'static,
    ) -> Result<T> {
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
