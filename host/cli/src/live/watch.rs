//! The watch over the directories of tenants: events say that something changed, and a look now and then finds what no event
//! told.

use super::{folder, root::Root};
use crate::{
    report,
    watch::{Events, Tree, settle, watcher},
};
use notify::RecommendedWatcher;
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{Host, time};

/// The time until the next look where something was only half written.
const SOON: Duration = Duration::from_millis(200);
/// The time in which files that are being written are waited for at the start.
const FIRST: Duration = Duration::from_secs(2);
/// The time in which the tenants that are there are waited for at the start.
const START: Duration = Duration::from_secs(10);
/// The time between two looks without an event: so that looking takes little of a processor, where there are many files.
const SELDOM: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
const SHARE: u32 = 50;

/// Looks for the first time, and serves what is there; what takes too long goes on beside what comes after.
pub async fn first(root: &Arc<Root>) {
    if tokio::time::timeout(START, begin(root)).await.is_err() {
        report::note("! some tenants are not served yet; see `wythe status`");
    }
}

/// Serves what is there. Files that are only half written are waited for, for a while.
async fn begin(root: &Arc<Root>) {
    let begun = Instant::now();
    loop {
        let look = root.look().await;
        let is_young = look.is_young && begun.elapsed() < FIRST;
        // Closed once all has ended.
        look.start().recv().await;
        if !is_young {
            return;
        }
        tokio::time::sleep(SOON).await;
    }
}

/// Watches until the host stops.
pub fn start(root: Arc<Root>, directory: &Path, host: &Arc<Host>) {
    let (directory, stopping) = (directory.to_owned(), host.tasks().stopping());
    host.tasks().spawn(async move {
        let watched = watch(root, directory);
        stopping.run_until_cancelled(watched).await;
    });
}

async fn watch(root: Arc<Root>, directory: PathBuf) {
    let mut events = match watcher() {
        Ok((watcher, events)) => Some((tree(watcher, &directory).await, events)),
        Err(error) => {
            report::note(&format!(
                "! changes are seen after a second or more: {error}"
            ));
            None
        }
    };
    let (mut is_young, mut took) = (true, Duration::ZERO);
    loop {
        let pause = match is_young {
            true => SOON,
            false => (took * SHARE).clamp(*SELDOM.start(), *SELDOM.end()),
        };
        wait(events.as_mut(), pause).await;
        let look = root.look().await;
        (is_young, took) = (look.is_young, look.took);
        if !look.is_idle() {
            // Beside the next looks: one tenant does not wait for another.
            drop(look.start());
        }
    }
}

/// A tree that is added to on threads that may wait.
type Shared = Arc<Mutex<Tree>>;

/// Watches the root itself, and each tenant's directory with those below.
async fn tree(watcher: RecommendedWatcher, directory: &Path) -> Shared {
    // Events name paths without links.
    let whole = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let tree = Arc::new(Mutex::new(Tree::of_tenants(watcher, &whole)));
    add(&tree, move |tree| {
        tree.watch(&whole);
        for tenant in folder::list(&whole).unwrap_or_default().tenants {
            if let Ok(path) = std::fs::canonicalize(&tenant.path) {
                tree.add(&path);
            }
        }
    })
    .await;
    tree
}

async fn add(tree: &Shared, change: impl FnOnce(&mut Tree) + Send + 'static) {
    let tree = tree.clone();
    let added = tokio::task::spawn_blocking(move || change(&mut tree.lock()));
    if let Err(error) = added.await {
        tracing::error!("directories of tenants are not watched: {error}");
    }
}

/// Waits for events, no longer than the pause.
async fn wait(events: Option<&mut (Shared, Events)>, pause: Duration) {
    let Some((tree, events)) = events else {
        return tokio::time::sleep(pause).await;
    };
    let until = time::deadline(pause).into();
    match tokio::time::timeout_at(until, events.recv()).await {
        Ok(Some(first)) => {
            let paths: BTreeSet<PathBuf> = settle(events, first).await.into_iter().collect();
            add(tree, move |tree| {
                paths.iter().for_each(|path| tree.add(path));
            })
            .await;
        }
        // Nobody sends any more.
        Ok(None) => tokio::time::sleep_until(until).await,
        Err(_) => {}
    }
}
