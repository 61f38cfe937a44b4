//! NATS with JetStream.
//!
//! The protocol is spoken here and by no client library: what a server may send has bounds, and a call that was not sent
//! is told from one whose answer is missing.

mod batch;
mod bucket;
mod client;
mod configuration;
mod failure;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod link;
mod lock;
mod nkey;
mod pubsub;
mod settings;
mod state;
mod wire;

use client::Client;
use settings::{Parsed, Target};
use std::sync::Arc;
use wythe_blocks::{Clients, Error, Registry, Result, Site};
use wythe_manifest::Secret;
use wythe_net::{Hidden, Tls};

/// The clients of the process, one for each tenant and connection.
type Shared = Arc<Clients<Target, Client>>;

/// Bytes of a file of certificates, or of a key.
const MAX_PEM: u64 = 1 << 20;

/// Registers state, pub/sub, locks and configuration over it.
pub fn register(registry: &mut Registry) {
    let clients = Shared::default();
    let shared = clients.clone();
    registry.configuration.add_warned(
        "jetstream",
        settings::parse_rows,
        settings::warnings,
        move |parsed, site| {
            let client = client(&shared, &parsed, &site);
            async move { configuration::open(client?, parsed, site).await }
        },
    );
    let shared = clients.clone();
    registry.lock.add_warned(
        "jetstream",
        settings::parse_rows,
        settings::warnings,
        move |parsed, site| {
            let client = client(&shared, &parsed, &site);
            async move { lock::open(client?, parsed, site).await }
        },
    );
    let shared = clients.clone();
    registry.pubsub.add_warned(
        "jetstream",
        settings::parse_events,
        settings::warnings,
        move |parsed, site| {
            let client = client(&shared, &parsed, &site);
            async move { pubsub::open(client?, parsed, site).await }
        },
    );
    registry.state.add_warned(
        "jetstream",
        settings::parse_rows,
        settings::warnings,
        move |parsed, site| {
            let client = client(&clients, &parsed, &site);
            async move { state::open(client?, parsed, site).await }
        },
    );
    registry.configuration.reaches_out("jetstream");
    registry.lock.reaches_out("jetstream");
    registry.pubsub.reaches_out("jetstream");
    registry.state.reaches_out("jetstream");
}

/// The client of a component: the tenant's own for that connection.
fn client(clients: &Shared, parsed: &Parsed, site: &Site) -> Result<Arc<Client>> {
    let mut target = parsed.target.clone();
    let written = &mut target.written;
    let [authority, certificate, key] = written.names;
    for (name, text) in [
        (authority, &mut written.authority),
        (certificate, &mut written.certificate),
    ] {
        if let Some(text) = text {
            *text = pem(text, name, site)?;
        }
    }
    if let Some(Hidden(text)) = &mut written.key {
        *text = Secret::new(pem(text.reveal(), key, site)?);
    }
    let tls = Tls::new("natsURL", written.clone()).map_err(Error::from)?;
    Ok(clients.share(&site.tenant, target.clone(), || Client::new(target, tls)))
}

/// The text of certificates or of a key, from its file where the path of one is written.
fn pem(text: &str, setting: &str, site: &Site) -> Result<String> {
    if text.contains("-----BEGIN") {
        return Ok(text.to_owned());
    }
    let unread = |why: String| Error::invalid(format!("`{setting}` cannot be read: {why}"));
    let file = site.place(text)?.open();
    let file = file.map_err(|error| unread(error.to_string()))?;
    let bytes = file.read(MAX_PEM);
    let bytes = bytes.map_err(|error| unread(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| unread("it is no text".to_owned()))
}
