//! Plugins: guests that are drivers. Each has its own store, limits and grants; the app never links to it.

mod bindings;
mod checks;
mod configuration;
mod crypto;
mod file;
mod jobs;
mod lock;
mod middleware;
mod pace;
mod plugged;
mod pubsub;
mod secrets;
mod settings;
mod state;

use crate::engine::Runtime;
use plugged::{Plugged, World};
use std::{future::Future, sync::Arc};
use wythe_blocks::{Drivers, Error, Ready, Registry, Result, Tenant};

/// A count of attempts that is higher is not believed.
const ATTEMPTS: u32 = 1_000_000;

/// Makes the drivers named `wasm` open component files.
pub fn register(registry: &mut Registry, runtime: &Arc<Runtime>, tenant: &Arc<Tenant>) {
    add(&mut registry.bindings, runtime, tenant, bindings::open);
    let configuration = &mut registry.configuration;
    add(configuration, runtime, tenant, configuration::open);
    add(&mut registry.crypto, runtime, tenant, crypto::open);
    add(&mut registry.jobs, runtime, tenant, jobs::open);
    add(&mut registry.lock, runtime, tenant, lock::open);
    add(&mut registry.pubsub, runtime, tenant, pubsub::open);
    add(&mut registry.secrets, runtime, tenant, secrets::open);
    add(&mut registry.state, runtime, tenant, state::open);
    middleware::register(registry, runtime, tenant);
}

/// `open` asks a plugin that runs what it can do, and makes a driver of it.
fn add<W: World, D: ?Sized + 'static, F>(
    drivers: &mut Drivers<D>,
    runtime: &Arc<Runtime>,
    tenant: &Arc<Tenant>,
    open: fn(Arc<Plugged<W>>) -> F,
) where
    F: Future<Output = Result<Arc<D>>> + Send + 'static,
{
    let (runtime, tenant) = (runtime.clone(), tenant.clone());
    drivers.add_raw("wasm", move |component, site| {
        let loaded = Plugged::<W>::load(runtime.clone(), tenant.clone(), component, site);
        async move {
            let plugged = loaded.await?;
            let open = move || async move { open(plugged.start_first().await?).await };
            Ok::<_, Vec<Error>>(Ready::new(open))
        }
    });
}
