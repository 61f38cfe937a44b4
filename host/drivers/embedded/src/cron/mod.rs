//! The clock as an outside system.

mod bindings;
mod schedule;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry
        .bindings
        .add_parsed("cron", bindings::parse, bindings::open);
}
