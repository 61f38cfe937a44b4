//! A case and a driver become a test of their own; a case that the driver cannot run is ignored, with the reason in its name.

use crate::{Closable, Open, Subject};
use futures::future::BoxFuture;
use libtest_mimic::{Failed, Trial};
use std::{path::Path, sync::Arc};

/// Opens the driver in the directory that it is given.
pub type Opener<D> = Arc<dyn Fn(&Path) -> Open<D> + Send + Sync>;

/// `reason` is why the driver cannot run the case, if it cannot.
pub fn trial<D: ?Sized + Closable + 'static>(
    name: String,
    reason: Option<&'static str>,
    open: Opener<D>,
    run: impl FnOnce(Subject<D>) -> BoxFuture<'static, ()> + Send + 'static,
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

/// The features that the driver says it has.
pub fn features<D: ?Sized + Closable, F>(open: &Opener<D>, read: impl Fn(&D) -> F) -> F {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = runtime().expect("a runtime");
    runtime.block_on(async { read(&*Subject::start(open(directory.path())).await.driver()) })
}

/// Two threads, so that what races does.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}
