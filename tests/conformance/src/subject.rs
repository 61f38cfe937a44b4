//! A driver under test, and the way to open it again on the same storage.

use futures::future::BoxFuture;
use std::sync::Arc;
use wythe_blocks::{Result, bindings, configuration, crypto, jobs, lock, pubsub, secrets, state};

/// A function that opens the driver, each time on the same storage.
pub type Open<D> = Arc<dyn Fn() -> BoxFuture<'static, Result<Arc<D>>> + Send + Sync>;

/// A driver that can be told of its end, as all can.
pub trait Closable: Send + Sync {
    fn end(&self) -> BoxFuture<'_, Result<()>>;
}

impl Closable for dyn state::Driver {
    fn end(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(state::Driver::close(self))
    }
}

impl Closable for dyn pubsub::Driver {
    fn end(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(pubsub::Driver::close(self))
    }
}

impl Closable for dyn bindings::Driver {
    fn end(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(bindings::Driver::close(self))
    }
}

impl Closable for dyn configuration::Driver {
    fn end(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(configuration::Driver::close(self))
    }
}

impl Closable for dyn crypto::Driver {
    fn end(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(crypto::Driver::close(self))
    }
}

impl Closable for dyn jobs::Driver {
    fn end(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(jobs::Driver::close(self))
    }
}

impl Closable for dyn lock::Driver {
    fn end(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(lock::Driver::close(self))
    }
}

impl Closable for dyn secrets::Driver {
    fn end(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(secrets::Driver::close(self))
    }
}

pub struct Subject<D: ?Sized> {
    open: Open<D>,
    driver: Arc<D>,
}

impl<D: ?Sized + Closable> Subject<D> {
    /// Opens the driver for the first time.
    pub async fn start(open: Open<D>) -> Self {
        let driver = opened(&open).await;
        Subject { open, driver }
    }

    pub fn driver(&self) -> Arc<D> {
        self.driver.clone()
    }

    /// Restarts the driver: closes it and opens it again, while old copies of it are still about.
    pub async fn reopen(&mut self) {
        self.driver.end().await.expect("the driver can be closed");
        self.driver = opened(&self.open).await;
    }
}

async fn opened<D: ?Sized>(open: &Open<D>) -> Arc<D> {
    open()
        .await
        .unwrap_or_else(|error| panic!("the driver can be opened: {}", error.chain()))
}
