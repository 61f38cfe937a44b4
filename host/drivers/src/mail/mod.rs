//! Mail as an outside system.

mod bindings;
mod letter;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry
        .bindings
        .add_parsed("smtp", bindings::parse, bindings::open);
}
