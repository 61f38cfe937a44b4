//! The amounts that one instance may take: memory, tables, handles and bytes per call. The caps are the manifest's.

use wasmtime::{ResourceLimiter, Result, Store};
use wythe_manifest::Limits;

/// Memories, tables and core instances of one component instance.
const MEMORIES: usize = 8;
const TABLES: usize = 16;
const INSTANCES: usize = 32;

/// Counts what an instance takes, over all of its memories and tables together.
pub struct Limiter {
    memory: Budget,
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

    fn grow(&mut self, current: usize, desired: usize) -> bool {
        let used = self.used.saturating_add(desired.saturating_sub(current));
        let fits = used <= self.limit;
        if fits {
            self.used = used;
        }
        fits
    }
}

impl Limiter {
    pub fn new(limits: &Limits) -> Self {
        Limiter {
            memory: Budget::new(usize::try_from(limits.memory).unwrap_or(usize::MAX)),
            table_elements: Budget::new(limits.table_elements as usize),
        }
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        Ok(self.memory.grow(current, desired))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool> {
        Ok(self.table_elements.grow(current, desired))
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
