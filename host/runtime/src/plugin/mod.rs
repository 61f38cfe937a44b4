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
use std::sync::Arc;
use wythe_blocks::{Host, Registry};

/// Makes the drivers named `wasm` open component files.
pub fn register(registry: &mut Registry, runtime: &Arc<Runtime>, host: &Arc<Host>) {
    let (engine, home) = (runtime.clone(), host.clone());
    registry.lock.add_raw("wasm", move |component, site| {
        lock::open(engine.clone(), home.clone(), component, site)
    registry.jobs.add_raw("wasm", move |component, site| {
        jobs::open(engine.clone(), home.clone(), component, site)
    });
    let (engine, home) = (runtime.clone(), host.clone());
    registry.pubsub.add_raw("wasm", move |component, site| {
        pubsub::open(engine.clone(), home.clone(), component, site)
    });
    let (engine, home) = (runtime.clone(), host.clone());
    registry.secrets.add_raw("wasm", move |component, site| {
        secrets::open(engine.clone(), home.clone(), component, site)
    });
    let (engine, home) = (runtime.clone(), host.clone());
    registry.state.add_raw("wasm", move |component, site| {
        state::open(engine.clone(), home.clone(), component, site)
    });
}
