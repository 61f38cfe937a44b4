//! HTTP as an outside system.

mod bindings;
mod target;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry
        .bindings
        .add_parsed("http", bindings::parse, bindings::open);
}
