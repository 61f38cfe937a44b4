//! The ledgers of tenants by name: a tenant that comes back pays for what an earlier one of its name still has.

use super::Ledger;
use crate::Metrics;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};
use wythe_manifest::Name;

/// Ledgers that something holds: their tenant, or a call of it that has not ended.
#[derive(Debug, Default)]
pub(crate) struct Ledgers(Mutex<HashMap<Name, Weak<Ledger>>>);

impl Ledgers {
    /// The ledger of a tenant, which is that of an earlier one where something of that is still held.
    pub fn of(&self, tenant: &Name, metrics: &Metrics) -> Arc<Ledger> {
        let mut known = self.0.lock();
        if let Some(ledger) = known.get(tenant).and_then(Weak::upgrade) {
            return ledger;
        }
        known.retain(|_, ledger| ledger.strong_count() > 0);
        let ledger = Ledger::new(tenant.clone());
        known.insert(tenant.clone(), Arc::downgrade(&ledger));
        metrics.watch(&ledger);
        ledger
    }
}
