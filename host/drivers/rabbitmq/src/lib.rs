//! RabbitMQ, by AMQP 0-9-1.

mod address;
mod bindings;
mod client;
mod consumer;
mod fault;
mod kit;
mod link;
mod publisher;
mod pubsub;
mod queue;
mod scan;
mod settings;

use client::Client;
use settings::Target;
use std::sync::Arc;
use wythe_blocks::{Clients, Registry, Site};

/// The clients of the process, one for each tenant and connection.
type Shared = Arc<Clients<Target, Client>>;

/// Registers pub/sub and bindings, which reach for a server outside of the host.
pub fn register(registry: &mut Registry) {
    let clients = Shared::default();
    let shared = clients.clone();
    registry
        .bindings
        .add_parsed("rabbitmq", settings::parse_binding, move |parsed, site| {
            bindings::open(client(&shared, &parsed.target, &site), parsed, site)
        });
    registry
        .pubsub
        .add_parsed("rabbitmq", settings::parse_pubsub, move |parsed, site| {
            pubsub::open(client(&clients, &parsed.target, &site), parsed, site)
        });
    registry.bindings.reaches_out("rabbitmq");
    registry.pubsub.reaches_out("rabbitmq");
}

/// The client of a component: the tenant's own for that connection.
fn client(clients: &Shared, target: &Target, site: &Site) -> Arc<Client> {
    clients.share(&site.tenant, target.clone(), || Client::new(target.clone()))
}
