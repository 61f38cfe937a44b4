//! Redis and Valkey.

mod bindings;
mod client;
mod configuration;
mod facts;
mod failure;
mod guard;
mod link;
mod lock;
mod pubsub;
mod settings;
mod state;

use client::Client;
use settings::{Parsed, Target};
use std::sync::Arc;
use wythe_blocks::{Clients, Registry, Site};

/// The clients of the process, one for each tenant and connection.
type Shared = Arc<Clients<Target, Client>>;

/// Registers state, pub/sub, locks, configuration and bindings over it.
pub fn register(registry: &mut Registry) {
    let clients = Shared::default();
    let shared = clients.clone();
    registry
        .bindings
        .add_parsed("redis", settings::parse_plain, move |parsed, site| {
            bindings::open(client(&shared, &parsed, &site), site)
        });
    let shared = clients.clone();
    registry
        .configuration
        .add_parsed("redis", settings::parse_plain, move |parsed, site| {
            configuration::open(client(&shared, &parsed, &site), site)
        });
    let shared = clients.clone();
    registry
        .lock
        .add_parsed("redis", settings::parse_plain, move |parsed, site| {
            lock::open(client(&shared, &parsed, &site), site)
        });
    let shared = clients.clone();
    registry
        .pubsub
        .add_parsed("redis", settings::parse_pubsub, move |parsed, site| {
            pubsub::open(client(&shared, &parsed, &site), parsed, site)
        });
    registry
        .state
        .add_parsed("redis", settings::parse_state, move |parsed, site| {
            state::open(client(&clients, &parsed, &site), parsed, site)
        });
    registry.bindings.reaches_out("redis");
    registry.configuration.reaches_out("redis");
    registry.lock.reaches_out("redis");
    registry.pubsub.reaches_out("redis");
    registry.state.reaches_out("redis");
}

/// The client of a component: the tenant's own for that connection.
fn client(clients: &Shared, parsed: &Parsed, site: &Site) -> Arc<Client> {
    let target = parsed.target.clone();
    clients.share(&site.tenant, target.clone(), || Client::new(target))
}
