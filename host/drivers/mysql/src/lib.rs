//! MySQL and MariaDB, by a client of their protocol that is written here: each length that the server says is bounded before it
//! is believed. A pool of connections for each server and tenant, and tables that are made where they are missing.

mod bindings;
mod client;
mod connection;
mod fault;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod held;
mod login;
mod names;
mod rows;
mod schema;
mod session;
mod settings;
mod state;
mod tls;
mod wire;

use wythe_blocks::Registry;

/// Registers the drivers, which reach for a server outside of the host.
pub fn register(registry: &mut Registry) {
    registry
        .bindings
        .add_warned("mysql", bindings::parse, bindings::warnings, bindings::open);
    registry.bindings.reaches_out("mysql");
    registry
        .state
        .add_warned("mysql", state::parse, state::warnings, state::open);
    registry.state.reaches_out("mysql");
}
