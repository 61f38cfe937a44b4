//! The hosts outside that a tenant asks something of now, each counted once (`quotas.outgoingHosts`).

use super::Ledger;
use crate::Result;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};
use wythe_manifest::Metered;

/// The number of requests under way to each host.
#[derive(Debug, Default)]
pub(super) struct Hosts(Mutex<HashMap<String, usize>>);

#[cfg(test)]
impl Hosts {
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}

/// A request under way to a host, until it is dropped.
#[derive(Debug)]
pub struct Reached {
    ledger: Arc<Ledger>,
    host: String,
}

impl Ledger {
    /// Counts a host for as long as a request to it is under way; `exhausted` where it is one too many.
    pub fn reach(self: &Arc<Self>, host: &str) -> Result<Reached> {
        let mut hosts = self.hosts.0.lock();
        match hosts.entry(host.to_owned()) {
            Entry::Occupied(mut known) => *known.get_mut() += 1,
            Entry::Vacant(vacant) => {
                self.draw(Metered::OutgoingHosts, 1)?;
                vacant.insert(1);
            }
        }
        Ok(Reached {
            ledger: self.clone(),
            host: host.to_owned(),
        })
    }
}

impl Drop for Reached {
    fn drop(&mut self) {
        let mut hosts = self.ledger.hosts.0.lock();
        let Some(count) = hosts.get_mut(&self.host) else {
            return;
        };
        *count -= 1;
        if *count == 0 {
            hosts.remove(&self.host);
            self.ledger.give_back(Metered::OutgoingHosts, 1);
        }
    }
}
