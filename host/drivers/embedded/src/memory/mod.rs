//! Memory: fast, and gone with the process. `in-memory` is what Dapr calls it.

mod bindings;
mod configuration;
mod crypto;
mod jobs;
mod lock;
mod pubsub;
mod secrets;
mod state;

use wythe_blocks::Registry;

pub(crate) fn register(registry: &mut Registry) {
    for name in ["in-memory", "memory"] {
        registry.bindings.add(name, bindings::open);
        registry
            .crypto
            .add_parsed(name, crypto::parse, crypto::open);
        registry
            .configuration
            .add_parsed(name, configuration::parse, configuration::open);
        registry.jobs.add(name, jobs::open);
        registry.jobs.counts(name);
        registry.lock.add(name, lock::open);
        registry.pubsub.add(name, pubsub::open);
        registry.pubsub.counts(name);
        registry
            .secrets
            .add_parsed(name, secrets::parse, secrets::open);
        registry.state.add(name, state::open);
        registry.state.counts(name);
    }
    registry
        .crypto
        .add_parsed("dapr.jwks", crypto::parse, crypto::open);
}
