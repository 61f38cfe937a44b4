//! The watch over the directories of tenants: events say that something changed, and a look now and then finds what no event
//! told.

use super::{folder, root::Root};
use crate::{
    report,
    watch::{Events, Tree, settled, watcher},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{Host, Tasks};

/// The time until the next look where something was only half written.
const SOON: Duration = Duration::from_millis(200);
/// The time in which files that are being written are waited for at the start.
const FIRST: Duration = Duration::from_secs(2);
/// The time between two looks without an event: so that looking takes little of a processor, where there are many files.
const SELDOM: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(30);
const SHARE: u32 = 50;

/// Looks for the first time, and serves what is there. Files that are only half written are waited for, for a while.
pub async fn first(root: &Arc<Root>) {
    let begun = Instant::now();
    loop {
        let look = root.look().await;
        let is_young = look.is_young && begun.elapsed() < FIRST;
        look.act().await;
        if !is_young {
            return;
        }
        tokio::time::sleep(SOON).await;
    }
}

/// Watches until the host stops.
pub fn start(root: Arc<Root>, directory: &Path, host: &Arc<Host>) {
    let (directory, stopping) = (directory.to_owned(), host.tasks().stopping());
    let tasks = host.tasks().clone();
    host.tasks().spawn(async move {
        let watched = watch(root, directory, tasks);
        stopping.run_until_cancelled(watched).await;
    });
}

async fn watch(root: Arc<Root>, directory: PathBuf, tasks: Tasks) {
    let mut events = match watcher() {
        Ok((watcher, events)) => Some((Tree(watcher), events)),
        Err(error) => {
            report::note(&format!(
                "! changes are seen after a second or more: {error}"
            ));
            None
        }
    };
    if let Some((tree, _)) = &mut events {
        follow(tree, &directory);
    }
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
            tasks.spawn(look.act());
        }
    }
}

/// Watches the root itself, and each tenant's directory with those below.
fn follow(tree: &mut Tree, directory: &Path) {
    tree.watch(directory);
    for tenant in folder::list(directory).unwrap_or_default().tenants {
        tree.add(&tenant.path);
    }
}

/// Waits for events, no longer than the pause.
async fn wait(events: Option<&mut (Tree, Events)>, pause: Duration) {
    let Some((tree, events)) = events else {
        return tokio::time::sleep(pause).await;
    };
    if let Ok(paths) = tokio::time::timeout(pause, settled(events)).await {
        paths.iter().for_each(|path| tree.add(path));
    }
}
