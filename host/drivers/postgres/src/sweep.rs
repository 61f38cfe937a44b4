//! The removal of rows whose time is over: a few at a time, none that somebody writes at the moment.

use crate::{held::Held, names::Table};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::task::AbortHandle;

/// Rows that are removed by one statement.
const BATCH: u64 = 1_000;

/// The statement that removes a batch of those rows of which a condition holds.
pub(super) fn removal(table: &Table, condition: &str) -> String {
    format!(
        "DELETE FROM {table} WHERE ctid = ANY (ARRAY(SELECT ctid FROM {table} WHERE {condition} \
         LIMIT {BATCH} FOR UPDATE SKIP LOCKED))"
    )
}

/// A task that looks again and again, until it is stopped or dropped.
pub(super) struct Sweeper(Option<AbortHandle>);

impl Sweeper {
    /// An interval of zero means never.
    #[expect(
        clippy::disallowed_methods,
        reason = "the sweeper belongs to the driver, which ends it when it is dropped"
    )]
    pub fn start(held: &Arc<Held>, sql: String, every: Duration) -> Self {
        if every.is_zero() {
            return Sweeper(None);
        }
        let task = sweep(Arc::downgrade(held), sql, every);
        Sweeper(Some(tokio::spawn(task).abort_handle()))
    }

    pub fn stop(&self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.stop();
    }
}

async fn sweep(held: Weak<Held>, sql: String, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let Some(held) = held.upgrade() else { return };
        while let Ok(BATCH) = once(&held, &sql).await {}
    }
}

/// Removes a batch; an error is one of the database, which those who ask it hear of as well.
async fn once(held: &Held, sql: &str) -> Result<u64, ()> {
    let lent = held.lend().await.map_err(drop)?;
    lent.execute(sql, &[]).await.map_err(drop)
}
