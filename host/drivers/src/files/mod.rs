//! Files in a folder that the operator names.

mod bindings;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.bindings.add("localstorage", bindings::open);
}
