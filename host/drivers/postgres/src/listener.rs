//! The connection by which the server tells of changes. What it misses is found by looking again and again.

use crate::client::Client;
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    task::AbortHandle,
};
use wythe_blocks::Backoff;

const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
/// Notifications that wait to be passed on; one more is lost without harm.
const NOTICES: usize = 1;

/// A task that listens until it is stopped or dropped.
pub(super) struct Listener(AbortHandle);

impl Listener {
    #[expect(
        clippy::disallowed_methods,
        reason = "the task belongs to the driver, which ends it when it is dropped"
    )]
    pub fn start(client: Arc<Client>, channels: Vec<String>, wake: Arc<Notify>) -> Self {
        let task = listen(Arc::downgrade(&client), channels, wake);
        Listener(tokio::spawn(task).abort_handle())
    }

    pub fn stop(&self) {
        self.0.abort();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn listen(client: Weak<Client>, channels: Vec<String>, wake: Arc<Notify>) {
    let mut backoff = BACKOFF;
    while let Some(client) = client.upgrade() {
        let (sender, mut notices) = mpsc::channel(NOTICES);
        let made = client.way().connect(Some(sender)).await;
        drop(client);
        if let Ok(connection) = &made {
            let orders = channels.iter().map(|name| format!("LISTEN \"{name}\";"));
            let order: String = orders.collect();
            if connection.client.batch_execute(&order).await.is_ok() {
                backoff.reset();
                // Something may have come while nobody listened.
                wake.notify_waiters();
                while notices.recv().await.is_some() {
                    wake.notify_waiters();
                }
            }
        }
        drop(made);
        tokio::time::sleep(backoff.fail_apart()).await;
    }
}
