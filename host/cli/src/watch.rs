//! Apps that change while they run: sources are watched, the app is built again, and its new version takes over.

use crate::{
    args::Common,
    boot::{self, Plan},
    build,
    report::{self, Problem},
};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use wythe_blocks::Host;
use wythe_runtime::Guest;

/// An editor writes a file in several steps; after this long without any it is done.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// What builds write and people do not.
const IGNORED: [&str; 4] = [".git", ".wythe", "node_modules", "target"];

/// What a changed file means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    /// This app, by its place in the manifest.
    App(usize),
    /// The manifest or a resource: only a new start reads them.
    Project,
}

/// Watches until the host stops.
pub struct Watch {
    pub common: Common,
    pub plan: Arc<Plan>,
    pub host: Arc<Host>,
    pub guests: Vec<Arc<Guest>>,
}

impl Watch {
    pub fn start(self) -> anyhow::Result<()> {
        let (send, receive) = unbounded_channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = event
                && !matches!(event.kind, EventKind::Access(_))
            {
                // The receiver is gone only when the host stops.
                let _ = send.send(event.paths);
            }
        })?;
        let roots = Roots::of(&self.plan);
        let mut tree = Tree(watcher);
        roots.0.iter().for_each(|(path, _)| tree.add(path));
        let tasks = self.host.tasks.clone();
        tasks.spawn(self.run(roots, tree, receive));
        Ok(())
    }

    async fn run(self, roots: Roots, mut tree: Tree, mut events: UnboundedReceiver<Vec<PathBuf>>) {
        let stopping = self.host.tasks.stopping();
        loop {
            let paths = tokio::select! {
                () = stopping.cancelled() => return,
                paths = settled(&mut events) => paths,
            };
            paths.iter().for_each(|path| tree.add(path));
            let changes: BTreeSet<Change> =
                paths.iter().flat_map(|path| roots.changed(path)).collect();
            for change in changes {
                match change {
                    Change::App(index) => tokio::select! {
                        () = stopping.cancelled() => return,
                        () = self.renew(index) => {}
                    },
                    Change::Project => {
                        report::note(
                            "! the manifest or a resource changed; start again to apply it",
                        );
                    }
                }
            }
        }
    }

    /// The old version serves until the new one is ready, and goes on if that fails.
    async fn renew(&self, index: usize) {
        let (app, guest) = (&self.plan.manifest.apps[index], &self.guests[index]);
        let start = Instant::now();
        if let Err(failure) = build::one(&self.common, app).await {
            return self.keep(app.id.as_str(), &failure.0);
        }
        let built = start.elapsed();
        let swapped = match guest.swap(&app.guest).await {
            Ok(swapped) => swapped,
            Err(errors) => {
                let problems: Vec<_> = errors.into_iter().map(Problem::from).collect();
                return self.keep(app.id.as_str(), &problems);
            }
        };
        if !swapped {
            return;
        }
        let attached = [
            boot::act(&self.host, guest).await,
            boot::attach(&self.plan, &self.host, guest).await,
            boot::attach_workflows(&self.host, guest).await,
        ];
        for problems in attached.into_iter().filter_map(Result::err) {
            report::tell(&self.common, &problems);
        }
        let built = match app.build {
            Some(_) => format!("rebuilt in {}, ", report::time(built)),
            None => String::new(),
        };
        report::note(&format!(
            "! {} changed, {built}swapped without dropping requests",
            app.id
        ));
    }

    fn keep(&self, app: &str, problems: &[Problem]) {
        report::tell(&self.common, problems);
        report::note(&format!(
            "! {app} changed, but the version before it goes on"
        ));
    }
}

/// The paths of the next events, once no more come.
async fn settled(events: &mut UnboundedReceiver<Vec<PathBuf>>) -> Vec<PathBuf> {
    let mut paths = events.recv().await.unwrap_or_default();
    if paths.is_empty() {
        // Nobody sends any more: wait to be stopped instead of asking again and again.
        std::future::pending::<()>().await;
    }
    while let Ok(Some(more)) = tokio::time::timeout(DEBOUNCE, events.recv()).await {
        paths.extend(more);
    }
    paths
}

/// What is watched, and whose it is. Paths are those of the file system, as events name them.
struct Roots(Vec<(PathBuf, Change)>);

impl Roots {
    fn of(plan: &Plan) -> Self {
        let mut roots = Vec::new();
        let mut add = |path: &Path, change| {
            let path = if path.as_os_str().is_empty() {
                Path::new(".")
            } else {
                path
            };
            match fs::canonicalize(path) {
                Ok(path) => roots.push((path, change)),
                Err(error) => {
                    report::note(&format!("! {} is not watched: {error}", path.display()))
                }
            }
        };
        for (index, app) in plan.manifest.apps.iter().enumerate() {
            match app.build {
                Some(_) => app
                    .watch
                    .iter()
                    .for_each(|path| add(path, Change::App(index))),
                None => add(&app.guest, Change::App(index)),
            }
        }
        add(&plan.manifest.file, Change::Project);
        plan.manifest
            .resources_paths
            .iter()
            .for_each(|path| add(path, Change::Project));
        Roots(roots)
    }

    fn changed(&self, path: &Path) -> Vec<Change> {
        let owns = |root: &Path| {
            path.strip_prefix(root)
                .is_ok_and(|below| !below.iter().any(is_ignored))
        };
        let owners = self.0.iter().filter(|(root, _)| owns(root));
        owners.map(|(_, change)| *change).collect()
    }
}

fn is_ignored(name: &std::ffi::OsStr) -> bool {
    IGNORED.iter().any(|ignored| name == *ignored)
}

/// One watch a directory, so that none is spent on what builds write: they fill thousands of directories.
struct Tree(RecommendedWatcher);

impl Tree {
    /// Watches a directory and those below it, or the directory of a file: editors replace a file rather than
    /// write it, and a watch of the file alone would stay with the old one.
    fn add(&mut self, path: &Path) {
        if path.file_name().is_some_and(is_ignored) {
            return;
        }
        if !path.is_dir() {
            if let Some(directory) = path.parent().filter(|directory| directory.is_dir()) {
                self.watch(directory);
            }
            return;
        }
        self.watch(path);
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.add(&entry.path());
            }
        }
    }

    fn watch(&mut self, directory: &Path) {
        if let Err(error) = self.0.watch(directory, RecursiveMode::NonRecursive) {
            tracing::warn!("{} is not watched: {error}", directory.display());
        }
    }
}
