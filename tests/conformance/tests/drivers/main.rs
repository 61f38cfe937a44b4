//! Every native driver through every case, each pair as a test of its own, and what survives `kill -9`.

mod crash;
mod open;

use conformance::{Closable, Open, Subject, pubsub, state};
use futures::future::BoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use std::{path::Path, sync::Arc};

const STATE: [&str; 3] = ["memory", "redb", "sled"];
const PUBSUB: [&str; 2] = ["memory", "redb"];

fn main() -> anyhow::Result<()> {
    if crash::write_if_asked()? {
        return Ok(());
    }
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for driver in STATE {
        let features = features(open::state(driver), |driver| driver.features());
        for case in state::CASES {
            let name = format!("state::{driver}::{}", case.name);
            trials.push(trial(
                name,
                (case.needs)(&features),
                open::state(driver),
                case.run,
            ));
        }
    }
    for driver in PUBSUB {
        let open = || open::pubsub(driver, pubsub::BACKLOG);
        let features = features(open(), |driver| driver.features());
        for case in pubsub::CASES {
            let name = format!("pubsub::{driver}::{}", case.name);
            trials.push(trial(name, (case.needs)(&features), open(), case.run));
        }
    }
    trials.extend(crash::trials());
    libtest_mimic::run(&arguments, trials).exit();
}

/// Opens a driver in the directory that it is given.
type Opener<D> = Arc<dyn Fn(&Path) -> Open<D> + Send + Sync>;

fn trial<D: ?Sized + Closable + 'static>(
    name: String,
    reason: Option<&'static str>,
    open: Opener<D>,
    run: fn(Subject<D>) -> BoxFuture<'static, ()>,
) -> Trial {
    let name = reason.map_or(name.clone(), |reason| format!("{name} ({reason})"));
    Trial::test(name, move || {
        let directory = tempfile::tempdir()?;
        let open = open(directory.path());
        runtime()?.block_on(async { run(Subject::start(open).await).await });
        Ok::<(), Failed>(())
    })
    .with_ignored_flag(reason.is_some())
}

fn features<D: ?Sized + Closable, F>(open: Opener<D>, read: impl Fn(&D) -> F) -> F {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = runtime().expect("a runtime");
    runtime.block_on(async { read(&*Subject::start(open(directory.path())).await.driver()) })
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}
