//! An opened store that can be taken away, so that `close` frees its files while others still hold the driver.

use parking_lot::RwLock;
use wythe_blocks::{Error, Result};

pub(crate) struct Handle<T> {
    /// The store's name in messages.
    name: String,
    store: RwLock<Option<T>>,
}

impl<T> Handle<T> {
    pub(crate) fn new(name: String, store: T) -> Self {
        Handle {
            name,
            store: RwLock::new(Some(store)),
        }
    }

    /// `run` is short: `close` waits for it.
    pub(crate) fn with<R>(&self, run: impl FnOnce(&T) -> Result<R>) -> Result<R> {
        // A panic inside `run` leaves the option as it was.
        match &*self.store.read() {
            Some(store) => run(store),
            None => Err(Error::unavailable(format!("{} is closed", self.name))),
        }
    }

    /// Closes the store and puts what `open` makes in its place; until then, and while that fails, it is closed. What
    /// holds a lock on its files has let go before they are opened again, and nobody waits while they are.
    pub(crate) fn reopen(&self, open: impl FnOnce() -> Result<T>) -> Result<()> {
        self.close();
        let opened = open()?;
        *self.store.write() = Some(opened);
        Ok(())
    }

    pub(crate) fn close(&self) {
        let store = self.store.write().take();
        drop(store);
    }
}
