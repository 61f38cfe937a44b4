//! Memcached: a cache as a state store, which forgets what it has no room for, and all when it restarts.

mod client;
mod facts;
mod failure;
mod keys;
mod layout;
mod settings;
mod state;
mod wire;

use client::Client;
use settings::Target;
use std::sync::Arc;
use wythe_blocks::{Clients, Registry};

/// Registers state over it.
pub fn register(registry: &mut Registry) {
    // The clients of the process, one for each tenant and list of servers.
    let clients = Arc::<Clients<Target, Client>>::default();
    registry
        .state
        .add_parsed("memcached", settings::parse, move |target, site| {
            let client = clients.share(&site.tenant, target.clone(), || Client::new(target));
            state::open(client)
        });
    registry.state.reaches_out("memcached");
}
