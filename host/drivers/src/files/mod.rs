//! Files beside the project, written by people.

mod bindings;
mod configuration;
mod secrets;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.bindings.add("localstorage", bindings::open);
    registry
        .configuration
        .add("local.file", configuration::open);
    registry.secrets.add("local.file", secrets::open);
}
