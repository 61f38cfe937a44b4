//! Notices that the file changes: by the system's word for its directory, since editors replace files rather than
//! write them, and by a look once a second for file systems that say nothing.

use super::Store;
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use parking_lot::Mutex;
use std::{
    path::Path,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, SystemTime},
};
use wythe_blocks::{Error, Result};
use wythe_manifest::Stamp;

/// Pause between two looks while no change is heard of.
const LOOK: Duration = Duration::from_secs(1);
/// A file is written in several steps; after this long without any it is done.
const SETTLED: Duration = Duration::from_millis(50);
/// Steps that are waited for before it is read all the same.
const STEPS: usize = 40;
/// Reads that a change may disturb before one counts all the same.
const ROUNDS: usize = 10;

/// A thread that reads the file again when it changes.
pub(super) struct Watch(Mutex<Option<Running>>);

struct Running {
    words: Sender<Word>,
    /// Speaks as long as it is kept.
    _watcher: Option<RecommendedWatcher>,
}

enum Word {
    Changed,
    End,
}

impl Watch {
    pub fn start(store: &Arc<Store>) -> Result<Self> {
        let (words, heard) = mpsc::channel();
        let watcher = watch(store.place.path(), words.clone()).inspect_err(|error| {
            let shown = store.place.path().display();
            tracing::warn!(
                "changes of `{shown}` are seen a second later than they could be: {error}"
            );
        });
        let store = store.clone();
        std::thread::Builder::new()
            .name("configuration".into())
            .spawn(move || run(&store, &heard))
            .map_err(|error| {
                Error::unavailable("no thread to watch the configuration file").with_source(error)
            })?;
        Ok(Watch(Mutex::new(Some(Running {
            words,
            _watcher: watcher.ok(),
        }))))
    }

    /// The thread only reads, so nobody has to wait for its end.
    pub fn stop(&self) {
        let running = self.0.lock().take();
        if let Some(running) = running {
            // The thread is gone before only if it panicked.
            let _ = running.words.send(Word::End);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop();
    }
}

fn watch(path: &Path, words: Sender<Word>) -> notify::Result<RecommendedWatcher> {
    let name = path.file_name().map(ToOwned::to_owned);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        let is_own = |event: &Event| event.paths.iter().any(|p| p.file_name() == name.as_deref());
        // To read the file is an event, too.
        let changes = |event: &Event| !matches!(event.kind, EventKind::Access(_)) && is_own(event);
        if event.as_ref().map_or(true, changes) {
            // The thread is gone only when nobody wants to know any more.
            let _ = words.send(Word::Changed);
        }
    })?;
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    watcher.watch(directory, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Begins with a read, since the file may have changed before it was watched.
fn run(store: &Store, heard: &Receiver<Word>) {
    let mut seen = None;
    let mut is_said = true;
    loop {
        if is_said || store.stamp() != seen {
            let Some(now) = read(store, heard) else {
                return;
            };
            seen = now;
        }
        is_said = match heard.recv_timeout(LOOK) {
            Ok(Word::Changed) => true,
            Err(RecvTimeoutError::Timeout) => false,
            _ => return,
        };
    }
}

/// Reads the file between two changes of it; none if there is nothing to watch for any more.
fn read(store: &Store, heard: &Receiver<Word>) -> Option<Option<Stamp>> {
    let mut rounds = 0;
    loop {
        if !settled(store, heard) {
            return None;
        }
        let before = store.stamp();
        let read = store.read();
        rounds += 1;
        // What was read while it changed may be a part: a file is emptied before it is written.
        if store.stamp() == before || rounds == ROUNDS {
            if let Err(error) = store.take(read) {
                tracing::warn!("{error}; the items go on as they were when it was last good");
            }
            return Some(before);
        }
    }
}

/// Waits for the end of the steps; false if there is nothing to watch for any more.
fn settled(store: &Store, heard: &Receiver<Word>) -> bool {
    for _ in 0..STEPS {
        match heard.recv_timeout(SETTLED) {
            Err(RecvTimeoutError::Timeout) if has_rested(store) => return true,
            Ok(Word::Changed) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Word::End) | Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
    true
}

fn has_rested(store: &Store) -> bool {
    let age = store
        .stamp()
        .map(|stamp| SystemTime::now().duration_since(stamp.changed()));
    // A file of the future rests, too: its clock is another one.
    age.is_none_or(|age| age.map_or(true, |age| age >= SETTLED))
}
