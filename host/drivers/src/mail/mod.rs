//! Mail as an outside system.

mod bindings;
mod letter;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.bindings.add("smtp", bindings::open);
}
