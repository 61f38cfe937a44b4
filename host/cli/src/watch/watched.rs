//! The paths of a project that are watched, and what a change of each means.

use crate::{boot::Plan, live::print::IGNORED, report};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    sync::mpsc::{Receiver, channel},
    time::{Instant, timeout_at},
};
use wythe_blocks::time::deadline;
use wythe_manifest::Name;

/// An editor writes a file in several steps; after this long without any it is done.
const DEBOUNCE: Duration = Duration::from_millis(100);
/// The time after which changes are taken although more come.
const LONGEST: Duration = Duration::from_millis(300);
/// Directories that are watched for a tenant, and for a project of one's own.
const WATCHES: usize = 512;
const OWN_WATCHES: usize = 8_192;
/// Directories are watched so deep below a tenant's directory, and so many entries are read for one event.
const DEPTH: usize = 8;
const ENTRIES: usize = 16_384;

/// The meaning of a changed file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// This app, by its id.
    App(Name),
    /// The manifest or a resource.
    Project,
}

/// Paths of events, as they come.
pub type Events = Receiver<Vec<PathBuf>>;

/// A watcher, and the events that it sends. It holds this many: those that come beyond are lost, and who watches must look
/// for itself now and then.
pub fn watcher(limit: usize) -> notify::Result<(RecommendedWatcher, Events)> {
    let (send, receive) = channel(limit);
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        if let Ok(event) = event
            && !matches!(event.kind, EventKind::Access(_))
        {
            // It is full, or the host stops and nobody receives.
            let _ = send.try_send(event.paths);
        }
    })?;
    Ok((watcher, receive))
}

/// The paths of events once no more come, or those that came in a while: some files are written all the time. It is raced
/// with nothing, for what it has taken would be lost.
pub async fn settle(events: &mut Events, first: Vec<PathBuf>) -> Vec<PathBuf> {
    let (mut paths, end) = (first, Instant::from(deadline(LONGEST)));
    loop {
        let next = end.min(deadline(DEBOUNCE).into());
        match timeout_at(next, events.recv()).await {
            Ok(Some(more)) if Instant::now() < end => paths.extend(more),
            Ok(Some(more)) => {
                paths.extend(more);
                return paths;
            }
            Ok(None) | Err(_) => return paths,
        }
    }
}

/// The paths that are watched, those that are to be watched once they are there, and the watches.
pub struct Watched {
    roots: Roots,
    /// Directories of resources that are not there yet.
    awaited: Vec<PathBuf>,
    tree: Tree,
}

impl Watched {
    pub fn of(plan: &Plan, watcher: RecommendedWatcher) -> Self {
        let mut watched = Watched {
            roots: Roots(Vec::new()),
            awaited: Vec::new(),
            tree: Tree::new(watcher),
        };
        watched.follow(plan);
        watched
    }

    /// Watches what another plan names. What the plan before named goes on to be watched, and means nothing.
    pub fn follow(&mut self, plan: &Plan) {
        self.roots = Roots::of(plan);
        self.awaited = plan.manifest.awaited_paths.clone();
        let (roots, tree) = (&self.roots.0, &mut self.tree);
        roots.iter().for_each(|(path, _)| tree.add(path));
        self.awaited.iter().for_each(|path| tree.await_one(path));
    }

    /// Tells what events at these paths mean.
    pub fn changes(&mut self, paths: &[PathBuf]) -> BTreeSet<Change> {
        let (roots, tree) = (&mut self.roots, &mut self.tree);
        paths.iter().for_each(|path| tree.add(path));
        let mut changes = BTreeSet::new();
        for path in self.awaited.extract_if(.., |path| path.is_dir()) {
            if let Ok(path) = fs::canonicalize(path) {
                tree.add(&path);
                roots.0.push((path, Change::Project));
            }
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
        for app in &plan.manifest.apps {
            let change = || Change::App(app.id.clone());
            match app.build {
                Some(_) => app.watch.iter().for_each(|path| add(path, change())),
                None => add(&app.guest, change()),
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
        owners.map(|(_, change)| change.clone()).collect()
    }
}

fn is_ignored(name: &std::ffi::OsStr) -> bool {
    IGNORED.iter().any(|ignored| name == *ignored)
}

/// One watch a directory, so that none is spent on what builds write: they fill thousands of directories.
pub struct Tree {
    watcher: RecommendedWatcher,
    /// The directory of tenants, where there are many.
    root: Option<PathBuf>,
    /// Directories that are watched, by whose they are.
    watched: BTreeMap<PathBuf, BTreeSet<PathBuf>>,
}

impl Tree {
    /// A watch over one project.
    pub fn new(watcher: RecommendedWatcher) -> Self {
        Tree {
            watcher,
            root: None,
            watched: BTreeMap::new(),
        }
    }

    /// A watch over the tenants below a directory. Each has its own bounds.
    pub fn of_tenants(watcher: RecommendedWatcher, root: &Path) -> Self {
        Tree {
            root: Some(root.to_owned()),
            ..Tree::new(watcher)
        }
    }

    /// Watches what events are at: directories with those below them, and those of files, each once.
    pub fn add_all(&mut self, paths: Vec<PathBuf>) {
        let (mut whole, mut of_files) = (BTreeSet::new(), BTreeSet::new());
        for path in paths.into_iter().collect::<BTreeSet<_>>() {
            if path.file_name().is_some_and(is_ignored) {
                continue;
            }
            if is_directory(&path) {
                whole.insert(path);
            } else if let Some(directory) = path.parent() {
                of_files.insert(directory.to_owned());
            }
        }
        for directory in of_files.difference(&whole) {
            if is_directory(directory) {
                self.watch(directory);
            }
        }
        whole.iter().for_each(|path| self.add(path));
    }

    /// Watches a directory and those below it, or the directory of a file: editors replace a file rather than
    /// write it, and a watch of the file alone would stay with the old one. No link is followed, and no more is read
    /// than the bounds allow.
    pub fn add(&mut self, path: &Path) {
        if path.file_name().is_some_and(is_ignored) {
            return;
        }
        if !is_directory(path) {
            if let Some(directory) = path.parent().filter(|directory| is_directory(directory)) {
                self.watch(directory);
            }
            return;
        }
        let mut left = ENTRIES;
        let mut found = vec![(path.to_owned(), self.depth(path))];
        while let Some((path, depth)) = found.pop() {
            if depth > DEPTH || !self.watch(&path) {
                continue;
            }
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            for entry in entries.take(left) {
                left -= 1;
                let is_ignored = is_ignored(&entry.file_name());
                if !is_ignored && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    found.push((entry.path(), depth + 1));
                }
            }
        }
    }

    /// Tells how deep below its tenant's directory a path is. In a project of one's own the count begins with each event.
    fn depth(&self, path: &Path) -> usize {
        let root = self.root.as_ref();
        let below = root.and_then(|root| path.strip_prefix(root).ok());
        below.map_or(0, |below| below.iter().count().saturating_sub(1))
    }

    fn owner(&self, path: &Path) -> (PathBuf, usize) {
        match &self.root {
            None => (PathBuf::new(), OWN_WATCHES),
            Some(root) => {
                let first = path.strip_prefix(root).ok().and_then(|b| b.iter().next());
                (first.map(PathBuf::from).unwrap_or_default(), WATCHES)
            }
        }
    }

    /// Watches the directory in which something on the way to `path` is made first.
    fn await_one(&mut self, path: &Path) {
        let here = |above: &&Path| above.as_os_str().is_empty() || above.is_dir();
        match path.ancestors().skip(1).find(here) {
            Some(above) if above.as_os_str().is_empty() => self.watch(Path::new(".")),
            Some(above) => self.watch(above),
            None => false,
        };
    }

    /// Watches one directory, and says whether its owner has room for it.
    pub fn watch(&mut self, directory: &Path) -> bool {
        let (owner, limit) = self.owner(directory);
        let known = self.watched.entry(owner).or_default();
        if !known.contains(directory) && known.len() >= limit {
            // Those that are gone are watched no more.
            known.retain(|path| is_directory(path));
            if known.len() >= limit {
                tracing::debug!(
                    "{} is not watched: more than {limit} directories",
                    directory.display()
                );
                return false;
            }
        }
        match self.watcher.watch(directory, RecursiveMode::NonRecursive) {
            Ok(()) => {
                known.insert(directory.to_owned());
                true
            }
            Err(error) => {
                tracing::warn!("{} is not watched: {error}", directory.display());
                false
            }
        }
    }
}

/// Says whether a path is a directory itself, and no link to one.
fn is_directory(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
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

    #[test]
    fn a_tenants_links_lead_nowhere_and_its_watches_are_bounded() {
        let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = fs::canonicalize(directory.path()).unwrap();
        let (evil, good) = (root.join("evil"), root.join("good"));
        fs::create_dir_all(good.join("src")).unwrap();
        fs::create_dir_all(evil.join("a/b/c/d/e/f/g/h/i/j")).unwrap();
        fs::create_dir(outside.path().join("below")).unwrap();
        std::os::unix::fs::symlink(outside.path(), evil.join("out")).unwrap();
        let (watcher, _events) = watcher(1).unwrap();
        let mut tree = Tree::of_tenants(watcher, &root);
        tree.add(&evil);
        tree.add(&evil.join("out"));
        let watched = |tree: &Tree, name: &str| tree.watched[Path::new(name)].clone();
        let found = watched(&tree, "evil");
        assert!(found.contains(&evil.join("a/b/c/d/e/f/g/h")), "{found:?}");
        assert_eq!(found.len(), 1 + DEPTH, "{found:?}");
        for number in 0..WATCHES {
            fs::create_dir(evil.join(format!("n{number}"))).unwrap();
        }
        tree.add(&evil);
        assert_eq!(watched(&tree, "evil").len(), WATCHES);
        tree.add(&good);
        assert_eq!(watched(&tree, "good").len(), 2);
        fs::create_dir_all(good.join("new/below")).unwrap();
        tree.add_all(vec![good.join("a"), good.join("new"), evil.join("out/b")]);
        assert_eq!(watched(&tree, "good").len(), 4);
        assert!(!watched(&tree, "evil").contains(&evil.join("out")));
        // What is gone makes room.
        fs::remove_dir_all(evil.join("a")).unwrap();
        assert!(tree.watch(&evil.join("n0")));
        tree.add(&evil);
        assert!(!watched(&tree, "evil").contains(&evil.join("a")));
    }

    #[tokio::test(start_paused = true)]
    async fn events_without_an_end_are_taken_after_a_while() {
        let (send, mut events) = channel(16);
        let steady = async {
            for number in 0.. {
                send.try_send(vec![PathBuf::from(format!("{number}"))])
                    .unwrap();
                tokio::time::sleep(DEBOUNCE / 2).await;
            }
        };
        let paths = tokio::select! {
            paths = settle(&mut events, Vec::new()) => paths,
            () = steady => Vec::new(),
        };
        // None of those that were taken is lost.
        let expected = (0..paths.len()).map(|number| PathBuf::from(format!("{number}")));
        assert!(
            paths.len() >= 4 && paths.iter().cloned().eq(expected),
            "{paths:?}"
        );
    }
}
