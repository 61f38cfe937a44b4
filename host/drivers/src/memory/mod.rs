//! Memory: fast, and gone with the process. `in-memory` is what Dapr calls it.

mod bindings;
mod pubsub;
mod state;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    for name in ["in-memory", "memory"] {
        registry.bindings.add(name, bindings::open);
        registry.pubsub.add(name, pubsub::open);
        registry.state.add(name, state::open);
    }
}
