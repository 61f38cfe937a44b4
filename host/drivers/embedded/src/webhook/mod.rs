//! Requests of outside systems to a path of the host.

mod bindings;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry
        .bindings
        .add_parsed("webhook", bindings::parse, bindings::open);
}
