//! An input by files: each is delivered once it is whole, and put away once the app has it.

use super::{
    folder::{Done, Folder},
    pattern::Pattern,
    waiting::{Ready, Waiting},
};
use crate::shared::directories;
use async_trait::async_trait;
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use serde::Deserialize;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Error, Result, Site, Wrong,
    bindings::{Delivery, Driver, Features, Sink},
    blocking::blocking,
};

/// The directory is looked at so often even if nothing is heard of it: not every file system tells.
const RESCAN: Duration = Duration::from_secs(3);
/// Pause between two looks, however many changes are heard of.
const SHORTEST: Duration = Duration::from_millis(100);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The directory, relative to the resource; made where it is missing.
    path: PathBuf,
    /// The names that are meant; default `*`.
    pattern: Option<String>,
    /// `delete`, the default, or `move:` and the name of a directory below.
    done: Option<String>,
}

/// A config that was found good.
pub(super) struct Parsed {
    path: PathBuf,
    pattern: Pattern,
    done: Done,
}

pub(super) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let wrong = |key: &'static str, what| Wrong::new(key, Error::invalid(format!("{key}: {what}")));
    let pattern = config.pattern.as_deref().unwrap_or("*").parse::<Pattern>();
    let done = done(config.done.as_deref().unwrap_or("delete"));
    Ok(Parsed {
        path: config.path,
        pattern: pattern.map_err(|error: String| wrong("pattern", error))?,
        done: done.map_err(|error| wrong("done", error))?,
    })
}

pub(super) async fn open(parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let place = site.place(parsed.path)?;
    let (pattern, done) = (parsed.pattern, parsed.done);
    blocking(move || {
        let directory = directories::open(&place)?;
        let folder = Folder::open(directory, pattern, done).map_err(|error| {
            Error::unavailable(format!(
                "`{}` cannot be opened; expected a directory that can be read and written",
                place.path().display()
            ))
            .with_source(error)
        })?;
        let (path, folder) = (place.path().to_owned(), Arc::new(folder));
        Ok(Arc::new(Inbox { path, folder }) as Arc<dyn Driver>)
    })
    .await
}

fn done(text: &str) -> Result<Done, String> {
    match text.split_once(':') {
        None if text == "delete" => Ok(Done::Delete),
        Some(("move", below)) if is_plain(below) => Ok(Done::Move(below.to_owned())),
        _ => Err(format!(
            "`{}`; expected `delete`, or `move:` and the name of a directory below, such as `move:done`",
            text.escape_debug()
        )),
    }
}

/// One step down, and never up or away.
fn is_plain(name: &str) -> bool {
    !["", ".", ".."].contains(&name) && !name.contains(|c: char| c == '/' || c.is_control())
}

struct Inbox {
    path: PathBuf,
    folder: Arc<Folder>,
}

#[async_trait]
impl Driver for Inbox {
    fn features(&self) -> Features {
        Features {
            operations: Vec::new(),
            input: true,
            redelivers: true,
            secrets: false,
        }
    }

    async fn read(&self, sink: Arc<dyn Sink>, stop: CancellationToken) -> Result<()> {
        let changed = Arc::new(Notify::new());
        let _watching = watch(&self.path, changed.clone());
        let mut waiting = Waiting::default();
        while !stop.is_cancelled() {
            let found = self.on_disk(Folder::scan).await;
            let found = found.map_err(|error| {
                Error::unavailable("the directory cannot be read; the log has the cause")
                    .with_source(error)
            })?;
            for file in waiting.see(found, Instant::now()) {
                if stop.is_cancelled() {
                    break;
                }
                self.handle(&mut waiting, file, &*sink).await;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = until_next(&waiting, &changed) => {}
            }
        }
        Ok(())
    }
}

async fn until_next(waiting: &Waiting, changed: &Notify) {
    let now = Instant::now();
    let rescan = now + RESCAN;
    let next = waiting.next().unwrap_or(rescan).min(rescan);
    tokio::select! {
        () = changed.notified() => {}
        () = tokio::time::sleep_until(next) => {}
    }
    tokio::time::sleep_until(now + SHORTEST).await;
}

/// Starts a watcher; where there is none, files are found a little later.
fn watch(path: &Path, changed: Arc<Notify>) -> Option<RecommendedWatcher> {
    let heard = move |_| changed.notify_one();
    let watching = notify::recommended_watcher(heard).and_then(|mut watcher| {
        watcher.watch(path, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    let reported = |error: &notify::Error| {
        tracing::warn!("the directory is looked at every {RESCAN:?} only: {error}")
    };
    watching.inspect_err(reported).ok()
}

impl Inbox {
    async fn on_disk<T: Send + 'static>(
        &self,
        run: impl FnOnce(&Folder) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let folder = self.folder.clone();
        let task = tokio::task::spawn_blocking(move || run(&folder));
        task.await.unwrap_or_else(|error| Err(error.into()))
    }

    async fn handle(&self, waiting: &mut Waiting, file: Ready, sink: &dyn Sink) {
        if !file.taken {
            match self.deliver(&file, sink).await {
                Outcome::Taken => waiting.taken(&file.name),
                Outcome::Refused => return waiting.failed(&file.name, Instant::now()),
                Outcome::Changed => return waiting.forget(&file.name),
            }
        }
        let (name, stamp) = (file.name.clone(), file.stamp);
        let finished = self
            .on_disk(move |folder| folder.finish(&name, stamp))
            .await;
        match finished {
            Ok(()) => waiting.forget(&file.name),
            Err(error) => {
                tracing::warn!(
                    "`{}` was delivered and cannot be put away: {error}",
                    file.name
                );
                waiting.failed(&file.name, Instant::now());
            }
        }
    }

    async fn deliver(&self, file: &Ready, sink: &dyn Sink) -> Outcome {
        let (name, stamp, max_bytes) = (file.name.clone(), file.stamp, sink.max_bytes());
        let read = self.on_disk(move |folder| folder.read(&name, stamp, max_bytes));
        let data = match read.await {
            Ok(Some(data)) => data,
            Ok(None) => return Outcome::Changed,
            Err(error) => {
                tracing::warn!("`{}` cannot be read: {error}", file.name);
                return Outcome::Refused;
            }
        };
        let delivery = Delivery {
            data,
            metadata: vec![("fileName".into(), file.name.clone())],
            attempt: file.attempt,
        };
        match sink.deliver(delivery).await {
            Ok(_) => Outcome::Taken,
            Err(_) => Outcome::Refused,
        }
    }
}

enum Outcome {
    Taken,
    Refused,
    /// The file is not the one that was seen.
    Changed,
}

#[cfg(test)]
mod tests;
