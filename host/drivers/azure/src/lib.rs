//! Azure Storage, and servers that speak like it: requests by HTTP, signed with the account's key.

mod bindings;
mod client;
mod container;
mod fault;
mod settings;
mod sign;
mod state;

use client::Shared;
use wythe_blocks::Registry;

/// Registers the drivers, which reach for services outside of the host.
pub fn register(registry: &mut Registry) {
    let clients = Shared::default();
    let shared = clients.clone();
    registry.bindings.add_warned(
        "azure.blobstorage",
        bindings::blobs::parse,
        bindings::blobs::warnings,
        move |parsed, site| bindings::blobs::open(shared.clone(), parsed, site),
    );
    registry.bindings.reaches_out("azure.blobstorage");
    let shared = clients.clone();
    registry.bindings.add_warned(
        "azure.storagequeues",
        bindings::queues::parse,
        bindings::queues::warnings,
        move |parsed, site| bindings::queues::open(shared.clone(), parsed, site),
    );
    registry.bindings.reaches_out("azure.storagequeues");
    registry.state.add_warned(
        "azure.blobstorage",
        state::parse,
        state::warnings,
        move |parsed, site| state::open(clients.clone(), parsed, site),
    );
    registry.state.reaches_out("azure.blobstorage");
}
