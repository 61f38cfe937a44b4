//! Redis and Valkey.

mod client;
mod facts;
mod failure;
mod guard;
mod link;
mod settings;
mod state;
mod tls;

use client::Client;
use settings::{Parsed, Target};
use std::sync::Arc;
use wythe_blocks::{Clients, Registry, Site};

/// The clients of the process, one for each tenant and connection.
type Shared = Arc<Clients<Target, Client>>;

/// Registers `state.redis`.
pub fn register(registry: &mut Registry) {
    let clients = Shared::default();
    let shared = clients.clone();
    registry
        .state
        .add_parsed("redis", settings::parse_state, move |parsed, site| {
            state::open(client(&shared, &parsed, &site), parsed, site)
        });
    registry.state.reaches_out("redis");
}

/// The client of a component: the tenant's own for that connection.
fn client(clients: &Shared, parsed: &Parsed, site: &Site) -> Arc<Client> {
    let target = parsed.target.clone();
    clients.share(&site.tenant, target.clone(), || Client::new(target))
}
