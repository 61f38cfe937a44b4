//! Files beside the project, written by people.

mod bindings;
mod configuration;
mod crypto;
mod reader;
mod secrets;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    registry.bindings.add("localstorage", bindings::open);
    for name in ["dapr.localstorage", "local.keys"] {
        registry.crypto.add(name, crypto::open);
    }
    registry
        .configuration
        .add("local.file", configuration::open);
    registry.secrets.add("local.file", secrets::open);
}
