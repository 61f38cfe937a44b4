//! Plugins: guests that are drivers. Each has its own store, limits and grants; the app never links to it.

mod bindings;
mod configuration;
mod crypto;
mod jobs;
mod lock;
mod plugged;
mod pubsub;
mod secrets;
mod settings;
mod state;

use crate::engine::Runtime;
use std::{future::Future, sync::Arc};
use wythe_blocks::{Drivers, Host, Registry, Result, Site};
use wythe_manifest::Component;

/// A count of attempts that is higher is not believed.
const ATTEMPTS: u32 = 1_000_000;

/// Makes the drivers named `wasm` open component files.
pub fn register(registry: &mut Registry, runtime: &Arc<Runtime>, host: &Arc<Host>) {
    add(&mut registry.bindings, runtime, host, bindings::open);
    add(
        &mut registry.configuration,
        runtime,
        host,
        configuration::open,
    );
    add(&mut registry.crypto, runtime, host, crypto::open);
    add(&mut registry.jobs, runtime, host, jobs::open);
    add(&mut registry.lock, runtime, host, lock::open);
    add(&mut registry.pubsub, runtime, host, pubsub::open);
    add(&mut registry.secrets, runtime, host, secrets::open);
    add(&mut registry.state, runtime, host, state::open);
}

fn add<D: ?Sized + 'static, F>(
    drivers: &mut Drivers<D>,
    runtime: &Arc<Runtime>,
    host: &Arc<Host>,
    open: impl Fn(Arc<Runtime>, Arc<Host>, Component, Site) -> F + Send + Sync + 'static,
) where
    F: Future<Output = Result<Arc<D>>> + Send + 'static,
{
    let (runtime, host) = (runtime.clone(), host.clone());
    drivers.add_raw("wasm", move |component, site| {
        open(runtime.clone(), host.clone(), component, site)
    });
}
