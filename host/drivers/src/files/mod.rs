//! Files beside the project, written by people.

mod bindings;
mod secrets;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.bindings.add("localstorage", bindings::open);
    registry.secrets.add("local.file", secrets::open);
}
