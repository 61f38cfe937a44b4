//! Apps that change while they run: sources are watched, the app is built again, and its new version takes over.

use crate::{
    args::Common,
    boot::Plan,
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
use wythe_blocks::Tenant;
use wythe_runtime::Loaded;

/// An editor writes a file in several steps; after this long without any it is done.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// Directories that builds write and people do not.
const IGNORED: [&str; 4] = [".git", ".wythe", "node_modules", "target"];

/// The meaning of a changed file.
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
    pub tenant: Arc<Tenant>,
    pub apps: Vec<Loaded>,
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
        let watched = Watched::of(&self.plan, watcher);
        let tasks = self.tenant.tasks.clone();
        tasks.spawn(self.run(watched, receive));
        Ok(())
    }

    async fn run(self, mut watched: Watched, mut events: UnboundedReceiver<Vec<PathBuf>>) {
        let stopping = self.tenant.tasks.stopping();
        loop {
            let paths = tokio::select! {
                () = stopping.cancelled() => return,
                paths = settled(&mut events) => paths,
            };
            for change in watched.changes(&paths) {
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
        let (app, loaded) = (&self.plan.manifest.apps[index], &self.apps[index]);
        let start = Instant::now();
        if let Err(failure) = build::one(&self.common, app).await {
            return self.refuse(app.id.as_str(), &failure.0);
        }
        let built = start.elapsed();
        let swapped = match loaded.guest.swap(&app.guest).await {
            Ok(swapped) => swapped,
            Err(errors) => {
                let problems: Vec<_> = errors.into_iter().map(Problem::from).collect();
                return self.refuse(app.id.as_str(), &problems);
            }
        };
        if !swapped {
            return;
        }
        if let Err(errors) = self.tenant.renew(&loaded.app).await {
            let problems: Vec<_> = errors.into_iter().map(Problem::from).collect();
            report::show(&self.common, &problems);
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

    fn refuse(&self, app: &str, problems: &[Problem]) {
        report::show(&self.common, problems);
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

/// The paths that are watched, those that are to be watched once they are there, and the watches.
struct Watched {
    roots: Roots,
    /// Directories of resources that are not there yet.
    awaited: Vec<PathBuf>,
    tree: Tree,
}

impl Watched {
    fn of(plan: &Plan, watcher: RecommendedWatcher) -> Self {
        let mut watched = Watched {
            roots: Roots::of(plan),
            awaited: plan.manifest.awaited_paths.clone(),
            tree: Tree(watcher),
        };
        let (roots, tree) = (&watched.roots.0, &mut watched.tree);
        roots.iter().for_each(|(path, _)| tree.add(path));
        watched.awaited.iter().for_each(|path| tree.await_one(path));
        watched
    }

    /// Tells what events at these paths mean.
    fn changes(&mut self, paths: &[PathBuf]) -> BTreeSet<Change> {
        let (roots, tree) = (&mut self.roots, &mut self.tree);
        paths.iter().for_each(|path| tree.add(path));
        let mut changes = BTreeSet::new();
        for path in self.awaited.extract_if(.., |path| path.is_dir()) {
            tree.add(&path);
            roots
                .0
                .extend(fs::canonicalize(path).map(|path| (path, Change::Project)));
            changes.insert(Change::Project);
        }
        changes.extend(paths.iter().flat_map(|path| roots.changed(path)));
        changes
    }
}

/// The paths that are watched, and whose they are. Paths are those of the file system, as events name them.
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

    /// Watches the directory in which something on the way to `path` is made first.
    fn await_one(&mut self, path: &Path) {
        let here = |above: &&Path| above.as_os_str().is_empty() || above.is_dir();
        match path.ancestors().skip(1).find(here) {
            Some(above) if above.as_os_str().is_empty() => self.watch(Path::new(".")),
            Some(above) => self.watch(above),
            None => {}
        }
    }

    fn watch(&mut self, directory: &Path) {
        if let Err(error) = self.0.watch(directory, RecursiveMode::NonRecursive) {
            tracing::warn!("{} is not watched: {error}", directory.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot;

    #[test]
    fn a_directory_of_resources_that_comes_later_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(directory.path()).unwrap();
        let manifest = "version: 1\nname: shop\napps: [{ appID: cart, guest: cart.wasm }]\n";
        fs::write(root.join("wythe.yaml"), manifest).unwrap();
        let (plan, _) = boot::read(&root);
        let (said, heard) = std::sync::mpsc::channel();
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // Nobody listens any more only when the test is over.
            let _ = said.send(event.map(|event| event.paths).unwrap_or_default());
        });
        let mut watched = Watched::of(&plan.unwrap(), watcher.unwrap());
        // Each is heard of by a watch, of a directory that came a moment before in the last case.
        for name in ["resources", ".dapr", ".dapr/resources"] {
            fs::create_dir(root.join(name)).unwrap();
            let mut changes = BTreeSet::new();
            let is_meant = name != ".dapr";
            while !changes.contains(&Change::Project) && (is_meant || changes.is_empty()) {
                let paths = heard.recv_timeout(Duration::from_secs(60)).unwrap();
                let is_it = paths.contains(&root.join(name));
                changes = watched.changes(&paths);
                if is_it && !is_meant {
                    break;
                }
            }
        }
        assert_eq!(watched.awaited, [] as [PathBuf; 0]);
        let file = root.join("resources/a.yaml");
        assert!(watched.changes(&[file]).contains(&Change::Project));
    }
}
