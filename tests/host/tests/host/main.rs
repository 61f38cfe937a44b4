//! Every test of a whole host, in one binary. Started again with `WYTHE_AS_COMMAND`, it is the command itself.

mod access;
mod actors;
mod answers;
mod backends;
mod bad_input;
mod bindings;
mod bytes;
mod cache;
mod command;
mod compile;
mod configuration;
mod connections;
mod corpus;
mod crash;
mod crypto;
mod dashboard;
mod edges;
mod ends;
mod events;
mod expressions;
mod floods;
mod handlers;
mod held;
mod hostile;
mod ingress;
mod invocation;
mod jobs;
mod listeners;
mod lock;
mod outside;
mod pipeline;
mod plugin_conformance;
mod plugins;
mod requests;
mod samples;
mod secrets;
mod seen;
mod serve;
mod shop;
mod swap;
mod traces;
mod workflow;

use libtest_mimic::{Arguments, Trial};
use std::{future::Future, process::ExitCode, thread, time::Duration};

/// The limit of one test, so that one that hangs fails by its name.
const CASE: Duration = Duration::from_secs(600);
/// The limit of one process that a test starts, and waits for: shorter, so that the test hears of it.
const PROCESS: Duration = Duration::from_secs(300);
/// The exit code of a process that took longer.
const OVERDUE: i32 = 124;

#[expect(clippy::print_stderr, reason = "the test that waits reads it")]
fn main() -> ExitCode {
    if std::env::var_os("WYTHE_AS_COMMAND").is_some() {
        // A tenant's process has one thread until it has shut itself in, and ends with its host.
        if std::env::args().nth(1).as_deref() != Some("tenant-process") {
            thread::spawn(|| {
                thread::sleep(PROCESS);
                eprintln!("the test did not end this process in time");
                std::process::exit(OVERDUE);
            });
        }
        // What it starts again is the command as well.
        wythe::compiler::is_the_command(&[("WYTHE_AS_COMMAND", "1")]);
        return wythe::main();
    }
    host_tests::log::listen();
    // One cache for all tests and runs, so that each guest is compiled once.
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    // SAFETY: no other thread runs yet.
    unsafe { std::env::set_var("WYTHE_CACHE_DIR", cache) };
    wythe::compiler::is_the_command(&[("WYTHE_AS_COMMAND", "1")]);
    let trials = groups().into_iter().flatten().collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn groups() -> Vec<Vec<Trial>> {
    vec![
        access::trials(),
        actors::trials(),
        answers::trials(),
        backends::trials(),
        bad_input::trials(),
        bindings::trials(),
        bytes::trials(),
        cache::trials(),
        command::trials(),
        compile::trials(),
        configuration::trials(),
        connections::trials(),
        corpus::trials(),
        crash::trials(),
        crypto::trials(),
        dashboard::trials(),
        listeners::trials(),
        edges::trials(),
        ends::trials(),
        events::trials(),
        expressions::trials(),
        floods::trials(),
        held::trials(),
        hostile::trials(),
        ingress::trials(),
        invocation::trials(),
        lock::trials(),
        outside::trials(),
        handlers::trials(),
        pipeline::trials(),
        jobs::trials(),
        plugin_conformance::trials(),
        plugins::trials(),
        requests::trials(),
        samples::trials(),
        secrets::trials(),
        seen::trials(),
        serve::trials(),
        shop::trials(),
        swap::trials(),
        traces::trials(),
        workflow::trials(),
    ]
}

/// One test, on a runtime of its own.
pub fn case<F>(name: &str, run: fn() -> F) -> Trial
where
    F: Future<Output = anyhow::Result<()>> + 'static,
{
    trial(name, run)
}

/// Does what [`case`] does, for a test that is given something.
pub fn trial<F>(name: &str, run: impl FnOnce() -> F + Send + 'static) -> Trial
where
    F: Future<Output = anyhow::Result<()>> + 'static,
{
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        let ended = runtime.block_on(async { tokio::time::timeout(CASE, run()).await });
        ended
            .unwrap_or_else(|_| Err(anyhow::anyhow!("it did not end within {CASE:?}")))
            .map_err(|error| format!("{error:#}").into())
    })
}
