//! PostgreSQL, by its own protocol: a pool of connections for each server and tenant, and tables that are made where they are
//! missing.

mod bindings;
mod client;
mod configuration;
mod connect;
mod fault;
mod held;
mod jobs;
mod listener;
mod lock;
mod meter;
mod names;
mod pubsub;
mod schema;
mod settings;
mod state;
mod sweep;
mod tls;

use wythe_blocks::Registry;

/// Registers the drivers, which reach for a server outside of the host.
pub fn register(registry: &mut Registry) {
    for name in ["postgres", "postgresql"] {
        registry
            .state
            .add_warned(name, state::parse, state::warnings, state::open);
        registry.state.reaches_out(name);
        registry
            .bindings
            .add_warned(name, bindings::parse, bindings::warnings, bindings::open);
        registry.bindings.reaches_out(name);
    }
    registry.configuration.add_warned(
        "postgresql",
        configuration::parse,
        configuration::warnings,
        configuration::open,
    );
    registry.configuration.reaches_out("postgresql");
    registry
        .jobs
        .add_warned("postgresql", jobs::parse, jobs::warnings, jobs::open);
    registry.jobs.reaches_out("postgresql");
    registry
        .lock
        .add_warned("postgresql", lock::parse, lock::warnings, lock::open);
    registry.lock.reaches_out("postgresql");
    registry
        .pubsub
        .add_warned("postgresql", pubsub::parse, pubsub::warnings, pubsub::open);
    registry.pubsub.reaches_out("postgresql");
}
