//! Plugins: guests that are drivers. Each has its own store, limits and grants; the app never links to it.

mod bindings;
mod checks;
mod configuration;
mod crypto;
mod jobs;
mod lock;
mod pace;
mod plugged;
mod pubsub;
mod secrets;
mod settings;
mod state;

use crate::engine::Runtime;
use plugged::{Plugged, World};
use std::{future::Future, sync::Arc};
use wythe_blocks::{Drivers, Error, Host, Ready, Registry, Result};

/// A count of attempts that is higher is not believed.
const ATTEMPTS: u32 = 1_000_000;

/// Makes the drivers named `wasm` open component files.
pub fn register(registry: &mut Registry, runtime: &Arc<Runtime>, host: &Arc<Host>) {
    add(&mut registry.bindings, runtime, host, bindings::open);
    let configuration = &mut registry.configuration;
    add(configuration, runtime, host, configuration::open);
    add(&mut registry.crypto, runtime, host, crypto::open);
    add(&mut registry.jobs, runtime, host, jobs::open);
    add(&mut registry.lock, runtime, host, lock::open);
    add(&mut registry.pubsub, runtime, host, pubsub::open);
    add(&mut registry.secrets, runtime, host, secrets::open);
    add(&mut registry.state, runtime, host, state::open);
}

/// `open` asks a plugin that runs what it can do, and makes a driver of it.
fn add<W: World, D: ?Sized + 'static, F>(
    drivers: &mut Drivers<D>,
    runtime: &Arc<Runtime>,
    host: &Arc<Host>,
    open: fn(Arc<Plugged<W>>) -> F,
) where
    F: Future<Output = Result<Arc<D>>> + Send + 'static,
{
    let (runtime, host) = (runtime.clone(), host.clone());
    drivers.add_raw("wasm", move |component, site| {
        let loaded = Plugged::<W>::load(runtime.clone(), host.clone(), component, site);
        async move {
            let plugged = loaded.await?;
            let open = move || async move { open(plugged.start_first().await?).await };
            Ok::<_, Vec<Error>>(Ready::new(open))
        }
    });
}
