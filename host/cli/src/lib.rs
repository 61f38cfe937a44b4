//! The command `wythe` as a library, so that tests and benchmarks start a host the way people do.
//!
//! ```no_run
//! fn main() -> std::process::ExitCode {
//!     wythe::main()
//! }
//! ```

mod args;
pub mod boot;
mod build;
pub mod check;
pub mod choice;
mod commands;
pub mod compiler;
mod control;
mod dashboard;
mod embedded;
mod hold;
mod isolation;
mod live;
mod log;
mod owner;
mod port;
mod private;
mod project;
pub mod report;
pub mod serve;
mod signals;
mod traces;
mod watch;

use anyhow::Context;
use args::{Args, Command};
use clap::Parser;
use report::Outcome;
use std::process::ExitCode;

/// Reads the arguments of the process and does what they say.
#[expect(
    clippy::disallowed_methods,
    reason = "the command reads the environment, and no other thread runs yet"
)]
pub fn main() -> ExitCode {
    if std::env::var_os("RUST_LIB_BACKTRACE").is_none() {
        // With RUST_BACKTRACE set, each error that the engine makes and drops on its way would walk the stack, and a fresh
        // instance takes nearly twice as long. Panics keep their backtraces.
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    }
    if let Some(done) = compiler::work() {
        return done;
    }
    compiler::is_the_command(&[]);
    if let Some(done) = isolation::child::work() {
        return done;
    }
    let args = Args::parse();
    if let Err(problem) = log::start(&args.common, args.command.is_each_request_logged()) {
        return report::fail(&args.common, &anyhow::Error::msg(problem).into());
    }
    let outcome = match workers() {
        Ok(runtime) => runtime.block_on(dispatch(&args)),
        Err(error) => Err(error.into()),
    };
    let code = outcome.unwrap_or_else(|failure| report::fail(&args.common, &failure));
    log::flush();
    code
}

/// Polls of tasks between two looks at sockets, timers and tasks of other threads, where a thread always has some to
/// poll. One that computes holds its thread for 2 ms: with tokio's 61 polls a request waited for 120 ms.
const LOOK: u32 = 8;

/// The runtime with its threads. Tokio panics where the system refuses one of them.
fn workers() -> anyhow::Result<tokio::runtime::Runtime> {
    let built = std::panic::catch_unwind(|| {
        tokio::runtime::Builder::new_multi_thread()
            .event_interval(LOOK)
            .global_queue_interval(LOOK)
            .enable_all()
            .build()
    });
    let refused =
        "this system starts no threads for the host; see `ulimit -u` and the limits of its cgroup";
    match built {
        Ok(built) => built.context(refused),
        Err(_) => Err(anyhow::anyhow!(refused)),
    }
}

async fn dispatch(args: &Args) -> Outcome {
    let common = &args.common;
    match &args.command {
        Command::Bindings(bindings) => commands::bindings::bindings(common, bindings).await,
        Command::Build(build) => commands::build::build(common, build).await,
        Command::Completions(completions) => commands::completions::completions(completions),
        Command::Crypto(crypto) => commands::crypto::crypto(common, crypto).await,
        Command::Configuration(configuration) => {
            commands::configuration::configuration(common, configuration).await
        }
        Command::Dashboard(dashboard) => commands::dashboard::dashboard(common, dashboard).await,
        Command::Inspect(inspect) => commands::inspect::inspect(common, inspect).await,
        Command::Invoke(invoke) => commands::invoke::invoke(common, invoke).await,
        Command::Lock(lock) => commands::lock::lock(common, lock).await,
        Command::Logs(logs) => commands::logs::logs(common, logs).await,
        Command::Ps(ps) => commands::status::ps(common, ps).await,
        Command::Serve(serve) => commands::serve::serve(common, serve).await,
        Command::Status(status) => commands::status::status(common, status).await,
        Command::Stop(stop) => commands::stop::stop(common, stop).await,
        Command::Tenants(tenants) => commands::tenants::tenants(common, tenants).await,
        Command::Actor(actor) => commands::actor::actor(common, actor).await,
        Command::Jobs(jobs) => commands::jobs::jobs(common, jobs).await,
        Command::Migrate(migrate) => commands::migrate::migrate(common, migrate).await,
        Command::New(new) => commands::new::new(common, new),
        Command::Publish(publish) => commands::publish::publish(common, publish).await,
        Command::PubSub(pubsub) => commands::pubsub::pubsub(common, pubsub).await,
        Command::Run(run) => commands::run::run(common, run).await,
        Command::Secrets(secrets) => commands::secrets::secrets(common, secrets).await,
        Command::State(state) => commands::state::state(common, state).await,
        Command::Validate(validate) => commands::validate::validate(common, validate).await,
        Command::Wit(wit) => commands::wit::wit(common, wit),
        Command::Workflow(workflow) => commands::workflow::workflow(common, workflow).await,
    }
}
