//! MQTT 3.1.1: packets by `rumqttc`, sessions of our own.

mod bindings;
mod desk;
mod fault;
mod link;
mod publisher;
mod pubsub;
mod session;
mod settings;

use wythe_blocks::Registry;

/// Registers pub/sub and bindings, which reach for a server outside of the host.
pub fn register(registry: &mut Registry) {
    registry
        .bindings
        .add_parsed("mqtt3", settings::parse_binding, bindings::open);
    registry
        .pubsub
        .add_parsed("mqtt3", settings::parse_pubsub, pubsub::open);
    registry.bindings.reaches_out("mqtt3");
    registry.pubsub.reaches_out("mqtt3");
}
