//! The jobs that a driver stores, in the quota of their tenant (`quotas.jobs`): the store counts them, and those on their way
//! into it count beside.

use super::{Configured, GET, Row};
use crate::{
    Call, Component, Error, Result,
    quota::{Held, Ledger},
};
use parking_lot::Mutex;
use std::sync::Arc;
use wythe_manifest::Metered;

/// The part of its tenant's quota that a store has.
pub struct Stored {
    ledger: Arc<Ledger>,
    /// Absent once the driver is closed: another one may count the same store.
    rows: Mutex<Option<Held>>,
}

impl Stored {
    pub(super) fn new(ledger: Arc<Ledger>) -> Self {
        let rows = Mutex::new(Some(ledger.nothing(Metered::Jobs)));
        Stored { ledger, rows }
    }

    /// Counts what the driver stores. Where it cannot say it now, what was counted last stands until the next write.
    pub(super) fn count(&self, driver: &dyn super::Driver) {
        let mut rows = self.rows.lock();
        if let (Some(rows), Ok(Some(count))) = (&mut *rows, driver.count()) {
            rows.set(count);
        }
    }

    /// Holds nothing more.
    pub(super) fn close(&self) {
        *self.rows.lock() = None;
    }
}

/// A place for a job that is to be written, until it is in the store or refused. `exhausted` where the tenant has as many
/// as it may have, unless it takes the place of one.
pub(super) async fn place(
    component: &Component<Configured>,
    caller: &Call,
    row: &Row,
    overwrite: bool,
) -> Result<Held> {
    let stored = &component.driver().stored;
    component.driver().count();
    if overwrite && !stored.ledger.has(Metered::Jobs, 1) {
        let (app, name) = (row.app.as_str(), row.job.name.as_str());
        let known = component
            .call(caller, GET, |d| d.driver.get(app, name))
            .await?;
        if known.is_some() {
            let mut held = stored.ledger.nothing(Metered::Jobs);
            held.set(1);
            return Ok(held);
        }
    }
    stored.ledger.hold(Metered::Jobs, 1).map_err(advised)
}

/// Says what to do about the quota.
fn advised(error: Error) -> Error {
    error.map_message(|message| {
        format!("{message}; delete some, see `wythe jobs list`, or let the operator raise it")
    })
}
