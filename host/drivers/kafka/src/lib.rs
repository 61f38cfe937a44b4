//! Kafka, by its own protocol.

mod api;
mod bindings;
mod client;
mod codec;
mod desk;
mod fault;
mod group;
mod link;
mod login;
mod names;
mod note;
mod producer;
mod pubsub;
mod puller;
mod records;
mod settings;
mod wire;

use client::Client;
use settings::Target;
use std::sync::Arc;
use wythe_blocks::{Clients, Registry, Site};

/// The clients of the process, one for each tenant and cluster.
type Shared = Arc<Clients<Target, Client>>;

/// Registers pub/sub and bindings, which reach for a server outside of the host.
pub fn register(registry: &mut Registry) {
    let clients = Shared::default();
    let shared = clients.clone();
    registry.bindings.add_warned(
        "kafka",
        bindings::settings::parse,
        bindings::settings::warnings,
        move |binding, site| {
            let client = client(&shared, &binding.parsed.target, &site);
            bindings::open(client, binding, site)
        },
    );
    registry.pubsub.add_warned(
        "kafka",
        settings::parse,
        settings::warnings,
        move |parsed, site| pubsub::open(client(&clients, &parsed.target, &site), parsed),
    );
    registry.bindings.reaches_out("kafka");
    registry.pubsub.reaches_out("kafka");
}

/// The client of a component: the tenant's own for that cluster.
fn client(clients: &Shared, target: &Target, site: &Site) -> Arc<Client> {
    clients.share(&site.tenant, target.clone(), || Client::new(target.clone()))
}
