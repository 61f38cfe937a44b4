//! The amounts that one instance may take: memory, tables, handles and bytes per call. The caps are the manifest's.

use crate::ctx::Identity;
use std::sync::Arc;
use wasmtime::{ResourceLimiter, Result, Store};
use wythe_blocks::{Meters, quota::Held};
use wythe_manifest::{Limits, Metered};

/// Memories, tables and core instances of one component instance.
const MEMORIES: usize = 8;
const TABLES: usize = 16;
const INSTANCES: usize = 32;

/// Counts what an instance takes, over all of its memories and tables together.
pub struct Limiter {
    memory: Budget,
    /// The part of it that the tenant's quota has, with what refused more.
    held: Held,
    refused: Option<wythe_blocks::Error>,
    /// True where the last growth was refused by the limit itself.
    is_over: bool,
    meters: Arc<Meters>,
    table_elements: Budget,
}

struct Budget {
    limit: usize,
    used: usize,
}

impl Budget {
    fn new(limit: usize) -> Self {
        Budget { limit, used: 0 }
    }

    fn fits(&self, more: usize) -> bool {
        self.used.saturating_add(more) <= self.limit
    }
}

impl Limiter {
    /// The limits of an instance whose memory is its tenant's, too.
    pub fn new(identity: &Identity) -> Self {
        let (limits, ledger) = (&identity.limits, &identity.tenant.ledger);
        Limiter {
            is_over: false,
            meters: identity.meters.clone(),
            memory: Budget::new(usize::try_from(limits.memory).unwrap_or(usize::MAX)),
            held: ledger.nothing(Metered::Memory),
            refused: None,
            table_elements: Budget::new(limits.table_elements as usize),
        }
    }

    /// Begins another call, which answers for its own refusals.
    pub fn begin(&mut self) {
        self.refused = None;
        self.is_over = false;
    }

    /// Says whether memory was refused last by the limit.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// The reason why memory was refused last, if it was the tenant's quota.
    pub fn refused(&self) -> Option<&wythe_blocks::Error> {
        self.refused.as_ref()
    }
}

impl Drop for Limiter {
    fn drop(&mut self) {
        self.meters.shrank(self.memory.used as u64);
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let more = desired.saturating_sub(current);
        self.is_over = !self.memory.fits(more);
        if self.is_over {
            return Ok(false);
        }
        if let Err(error) = self.held.grow(more as u64) {
            self.refused = Some(error);
            return Ok(false);
        }
        self.memory.used += more;
        self.meters.grew(more as u64);
        self.refused = None;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        let more = desired.saturating_sub(current);
        let fits = self.table_elements.fits(more);
        if fits {
            self.table_elements.used += more;
        }
        Ok(fits)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        TABLES
    }

    fn memories(&self) -> usize {
        MEMORIES
    }
}

/// Sets the caps that live in the store itself.
pub fn apply<T>(store: &mut Store<T>, limits: &Limits) {
    let bytes = usize::try_from(limits.hostcall_bytes).unwrap_or(usize::MAX);
    store.set_hostcall_fuel(bytes);
    let handles = limits.handles as usize;
    store.set_max_component_handles(handles);
}
