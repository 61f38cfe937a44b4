//! etcd, by the JSON gateway that each of its servers has from version 3.4 on.
//!
//! Each write is one transaction of the server, which compares the revisions that were read before it.

mod client;
mod configuration;
mod fault;
mod lease;
mod lock;
mod settings;
mod space;
mod state;
mod watch;
mod wire;

use client::{Client, Shared};
use settings::Parsed;
use space::Space;
use std::sync::Arc;
use wythe_blocks::{Registry, Result, Site};

/// Registers state, locks and configuration, which reach for a server outside of the host.
pub fn register(registry: &mut Registry) {
    let clients = Shared::default();
    let shared = clients.clone();
    registry.configuration.add_warned(
        "etcd",
        settings::parse_items,
        settings::warnings,
        move |parsed, site| {
            let space = space(&shared, parsed, &site);
            async move { configuration::open(space?.opened().await?) }
        },
    );
    registry.configuration.reaches_out("etcd");
    let shared = clients.clone();
    registry.lock.add_warned(
        "etcd",
        settings::parse_locks,
        settings::warnings,
        move |parsed, site| {
            let space = space(&shared, parsed, &site);
            async move { lock::open(space?.opened().await?) }
        },
    );
    registry.lock.reaches_out("etcd");
    registry.state.add_warned(
        "etcd",
        settings::parse,
        settings::warnings,
        move |parsed, site| {
            let space = space(&clients, parsed, &site);
            async move { state::open(space?.opened().await?) }
        },
    );
    registry.state.reaches_out("etcd");
}

/// The rows of a component, by its tenant's client for that cluster.
fn space(clients: &Shared, parsed: Parsed, site: &Site) -> Result<Space> {
    let made = Client::new(parsed.target.clone())?;
    let client = clients.share(&site.tenant, parsed.target, || made);
    Ok(Space::new(
        Arc::clone(&client),
        parsed.bounds,
        &parsed.prefix,
    ))
}
