//! Every native driver through every case, each pair as a test of its own, and what survives `kill -9`.

mod actors;
mod backends;
mod bindings;
mod configuration;
mod crash;
mod crypto;
mod export;
mod faults;
mod jobs;
mod list;
mod lock;
mod migrate;
mod open;
mod panics;
mod pubsub;
mod quotas;
mod refused;
mod resiliency;
mod secrets;
mod state;
mod tenants;
mod traces;
mod workflow;

use libtest_mimic::Arguments;
use std::{num::NonZero, thread};

/// Tests at once for each core: a test waits more than it computes, for a server, a sync or the end of a pause.
const AT_ONCE: usize = 3;

fn main() -> anyhow::Result<()> {
    if crash::write_if_asked()? {
        return Ok(());
    }
    let mut arguments = Arguments::from_args();
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    arguments.test_threads.get_or_insert(cores * AT_ONCE);
    backends::check()?;
    let groups = [
        list::missing(),
        actors::trials(),
        bindings::trials(),
        configuration::trials(),
        crash::trials(),
        crypto::trials(),
        export::trials(),
        faults::trials(),
        jobs::trials(),
        lock::trials(),
        migrate::trials(),
        panics::trials(),
        pubsub::trials(),
        quotas::trials(),
        refused::trials(),
        resiliency::trials(),
        secrets::trials(),
        state::trials(),
        tenants::trials(),
        traces::trials(),
        workflow::trials(),
    ];
    let trials = groups.into_iter().flatten().collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    backends::end();
    conclusion.exit();
}
