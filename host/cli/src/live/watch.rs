//! The watch over the directories of tenants: events say that something changed, and a look now and then finds what no event
//! told.

use super::root::Root;
use crate::{
    report,
    watch::{Events, Tree, settle, watcher},
};
use notify::RecommendedWatcher;
use parking_lot::Mutex;
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{Host, time};

/// The time from one look to the next where something was only half written, or an event came.
const SOON: Duration = Duration::from_millis(200);
/// The time in which files that are being written are waited for at the start.
const FIRST: Duration = Duration::from_secs(2);
/// The time in which the tenants that are there are waited for at the start.
const START: Duration = Duration::from_secs(10);
/// The time between two looks without an event: so that looking takes little of a processor, where there are many files.
/// Its end is the longest time between any two looks.
const SELDOM: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
const SHARE: u32 = 50;
/// The part of the time that looking may take where there is always something new: one in five.
const BUSY_SHARE: u32 = 4;
/// Events of files that are held. What is lost beyond is found by a look without one.
const EVENTS: usize = 16_384;

/// Looks for the first time, and serves what is there; what takes too long goes on beside what comes after.
pub async fn first(root: &Arc<Root>) {
    if tokio::time::timeout(START, begin(root)).await.is_err() {
        report::note("! some tenants are not served yet; see `wythe status`");
    }
    root.look_at_certificates().await;
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
    root.follow_certificates();
    let (directory, stopping) = (directory.to_owned(), host.tasks().stopping());
    host.tasks().spawn(async move {
        let watched = watch(root, directory);
        stopping.run_until_cancelled(watched).await;
    });
}

/// The time from one look to the next.
#[derive(Debug, PartialEq, Eq)]
struct Pause {
    /// The time that goes by also where an event came.
    shortest: Duration,
    longest: Duration,
}

impl Pause {
    /// The pause after a look that took so long.
    fn after(is_young: bool, took: Duration) -> Self {
        let limit = *SELDOM.end();
        let shortest = SOON.max(took.saturating_mul(BUSY_SHARE)).min(limit);
        let longest = match is_young {
            true => shortest,
            false => took.saturating_mul(SHARE).clamp(*SELDOM.start(), limit),
        };
        Pause { shortest, longest }
    }
}

async fn watch(root: Arc<Root>, directory: PathBuf) {
    let mut events = match watcher(EVENTS) {
        Ok((watcher, events)) => Some((tree(watcher, &root, &directory).await, events)),
        Err(error) => {
            report::note(&format!(
                "! changes are seen after a second or more: {error}"
            ));
            None
        }
    };
    let (mut is_young, mut took) = (true, Duration::ZERO);
    loop {
        wait(events.as_mut(), Pause::after(is_young, took)).await;
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
async fn tree(watcher: RecommendedWatcher, root: &Arc<Root>, directory: &Path) -> Shared {
    // Events name paths without links.
    let whole = std::fs::canonicalize(directory).unwrap_or_else(|_| directory.to_owned());
    let tree = Arc::new(Mutex::new(Tree::of_tenants(watcher, &whole)));
    let root = root.clone();
    add(&tree, move |tree| {
        if !root.is_alone() {
            tree.watch(&whole);
        }
        for tenant in root.folders().unwrap_or_default().tenants {
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

/// Waits for events, within the pause.
async fn wait(events: Option<&mut (Shared, Events)>, pause: Pause) {
    let Some((tree, events)) = events else {
        return tokio::time::sleep(pause.longest).await;
    };
    let at = |pause| tokio::time::Instant::from(time::deadline(pause));
    let (earliest, until) = (at(pause.shortest), at(pause.longest));
    match tokio::time::timeout_at(until, events.recv()).await {
        Ok(Some(first)) => {
            tokio::time::sleep_until(earliest).await;
            let paths = settle(events, first).await;
            add(tree, move |tree| tree.add_all(paths)).await;
        }
        // Nobody sends any more.
        Ok(None) => tokio::time::sleep_until(until).await,
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_takes_a_bounded_part_of_the_time() {
        let pause = |is_young, took| {
            let Pause { shortest, longest } = Pause::after(is_young, Duration::from_millis(took));
            [shortest, longest].map(|time| time.as_millis())
        };
        assert_eq!(pause(true, 0), [200, 200]);
        assert_eq!(pause(false, 0), [200, 1_000]);
        assert_eq!(pause(true, 100), [400, 400]);
        assert_eq!(pause(false, 100), [400, 5_000]);
        assert_eq!(pause(true, 60_000), [30_000, 30_000]);
        assert_eq!(pause(false, 60_000), [30_000, 30_000]);
    }
}
