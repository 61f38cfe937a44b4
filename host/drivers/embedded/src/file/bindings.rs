//! Files in a folder, as Dapr's `localstorage`: a name never leads out of it, and what is created is on the disk.

use crate::shared::directories;
use async_trait::async_trait;
use bytes::Bytes;
use cap_std::fs::{Dir, OpenOptions};
use serde::Deserialize;
use std::{
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio::sync::Semaphore;
use wythe_blocks::{
    Error, Permit, Result, Site,
    bindings::{Driver, Features, Outcome, Request},
    blocking::blocking,
};

/// Bytes of one part of a name, as file systems have it.
const MAX_PART: usize = 255;
const MAX_NAME: usize = 1_024;
const FILE_NAME: &str = "fileName";
/// Directory of files until they are whole.
const TEMPORARY: &str = ".wythe-temporary";
/// Age at which an unfinished file is nobody's.
const STALE: Duration = Duration::from_secs(3_600);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The folder, relative to the resource file; made where it is missing.
    root_path: PathBuf,
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    let place = site.place(config.root_path)?;
    blocking(move || {
        let opened = directories::open(&place)?;
        let opened = Folder::open(opened).map_err(|error| {
            Error::unavailable(format!(
                "`{}` cannot be opened; expected a folder that can be read and written",
                place.path().display()
            ))
            .with_source(error)
        })?;
        Ok(Arc::new(Files {
            folder: Arc::new(opened),
            lists: Arc::new(Semaphore::new(LISTS)),
        }) as Arc<dyn Driver>)
    })
    .await
}

/// Lists of one storage that are made at once: each is a walk over a disk.
const LISTS: usize = 4;
/// Bytes that a name takes in a list beside its text.
const OF_NAME: usize = 64;

struct Files {
    folder: Arc<Folder>,
    lists: Arc<Semaphore>,
}

/// The handles, not the path: what becomes of the path later leads nowhere else.
struct Folder {
    root: Dir,
    temporary: Dir,
}

impl Folder {
    fn open(root: Dir) -> io::Result<Self> {
        let temporary = directories::make_below(&root, Path::new(TEMPORARY))?;
        for entry in temporary.entries()?.flatten() {
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.map(|at| SystemTime::now().duration_since(at.into_std()));
            if matches!(age, Ok(Ok(age)) if age > STALE) {
                let _ = entry.remove_file();
            }
        }
        Ok(Folder { root, temporary })
    }

    /// Returns once the file and its name are on the disk.
    fn create(&self, name: &str, data: &[u8]) -> Result<()> {
        let (folders, last) = parts(name)?;
        let folder = self
            .folder(&folders, true)
            .map_err(|error| reported(name, error))?;
        let unfinished = wythe_blocks::random::name()?;
        let written = self
            .write(&unfinished, data)
            .and_then(|()| self.temporary.rename(&unfinished, &folder, last));
        if let Err(error) = written {
            let _ = self.temporary.remove_file(&unfinished);
            return Err(reported(name, error));
        }
        sync(&folder).map_err(uncertain)
    }

    fn write(&self, unfinished: &str, data: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = self
            .temporary
            .open_with(unfinished, options.write(true).create_new(true))?;
        file.write_all(data)?;
        file.sync_all()
    }

    fn get(&self, name: &str, max_bytes: u64) -> Result<Bytes> {
        let (folders, last) = parts(name)?;
        let read = || {
            let folder = self.folder(&folders, false)?;
            // Opening what is no file could wait for ever.
            if !folder.metadata(last)?.is_file() {
                return Err(ErrorKind::IsADirectory.into());
            }
            let mut data = Vec::new();
            folder
                .open(last)?
                .take(max_bytes + 1)
                .read_to_end(&mut data)?;
            Ok(data)
        };
        let data = read().map_err(|error| reported(name, error))?;
        if data.len() as u64 > max_bytes {
            return Err(Error::invalid(format!(
                "the file `{name}` has more than {max_bytes} bytes; see `maxDataBytes`"
            )));
        }
        Ok(data.into())
    }

    fn delete(&self, name: &str) -> Result<()> {
        let (folders, last) = parts(name)?;
        let folder = self
            .folder(&folders, false)
            .map_err(|error| reported(name, error))?;
        folder
            .remove_file(last)
            .map_err(|error| reported(name, error))?;
        sync(&folder).map_err(uncertain)
    }

    /// The names of all files below a folder, in order. Links are not followed. `held` grows with the list.
    fn list(
        &self,
        name: Option<&str>,
        max_bytes: u64,
        held: &mut Option<Permit>,
    ) -> Result<Vec<String>> {
        let (mut found, mut bytes) = (Vec::new(), 0);
        // Names, not handles: however many folders there are, one is open at a time.
        let mut left = vec![self.start(name)?];
        while let Some(prefix) = left.pop() {
            let folders: Vec<&str> = prefix.split_terminator('/').collect();
            let folder = self.folder(&folders, false).map_err(unavailable)?;
            for entry in folder.entries().map_err(unavailable)? {
                let entry = entry.map_err(unavailable)?;
                let Ok(name) = entry.file_name().into_string() else {
                    continue;
                };
                let kind = entry.file_type().map_err(unavailable)?;
                let whole = format!("{prefix}{name}");
                if kind.is_dir() && whole != TEMPORARY {
                    left.push(format!("{whole}/"));
                } else if kind.is_file() {
                    bytes += whole.len() as u64 + 3;
                    held.as_mut()
                        .map_or(Ok(()), |held| held.grow(whole.len() + OF_NAME))?;
                    found.push(whole);
                }
                if bytes > max_bytes {
                    return Err(Error::invalid(format!(
                        "the list has more than {max_bytes} bytes; name a folder by `{FILE_NAME}`, or see `maxDataBytes`"
                    )));
                }
            }
        }
        found.sort();
        Ok(found)
    }

    /// The prefix of the names below a folder, which is there, or of all.
    fn start(&self, name: Option<&str>) -> Result<String> {
        let Some(name) = name else {
            return Ok(String::new());
        };
        let (mut folders, last) = parts(name)?;
        folders.push(last);
        self.folder(&folders, false)
            .map_err(|error| reported(name, error))?;
        Ok(format!("{name}/"))
    }

    /// Goes down step by step, so that a folder that is made is made durably.
    fn folder(&self, folders: &[&str], make: bool) -> io::Result<Dir> {
        let mut at = self.root.try_clone()?;
        for name in folders {
            if make {
                match at.create_dir(name) {
                    Ok(()) => sync(&at)?,
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error),
                }
            }
            at = at.open_dir(name)?;
        }
        Ok(at)
    }
}

fn sync(folder: &Dir) -> io::Result<()> {
    folder.open(".")?.sync_all()
}

/// The folders of a name, and the last part of it.
fn parts(name: &str) -> Result<(Vec<&str>, &str)> {
    let mut parts: Vec<&str> = name.split('/').collect();
    let shown = || name.escape_debug().to_string();
    if name.len() > MAX_NAME || parts.iter().any(|part| part.len() > MAX_PART) {
        return Err(Error::invalid(format!(
            "a `{FILE_NAME}` of {} bytes; expected at most {MAX_PART} between two `/`, and {MAX_NAME} in all",
            name.len()
        )));
    }
    if name.contains(char::is_control) {
        return Err(Error::invalid(format!(
            "the `{FILE_NAME}` `{}` has a control character; expected none",
            shown()
        )));
    }
    let leads_out = |part: &&str| ["", ".", ".."].contains(part);
    if parts.iter().any(leads_out) || parts[0] == TEMPORARY {
        return Err(Error::invalid(format!(
            "the `{FILE_NAME}` `{}`; expected a file of the storage, such as `orders/7.json`, without `..` and a `/` at its ends",
            shown()
        )));
    }
    let last = parts.pop().unwrap_or(name);
    Ok((parts, last))
}

/// The one translation of the file system's errors.
fn reported(name: &str, error: io::Error) -> Error {
    let message = |text: &str| format!("the file `{name}` {text}");
    match error.kind() {
        ErrorKind::NotFound => Error::not_found(message("is not there")),
        // The system's own refusals have a number; the sandbox's have none.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => {
            Error::invalid(message("leads out of the storage"))
        }
        ErrorKind::IsADirectory | ErrorKind::DirectoryNotEmpty => {
            Error::invalid(message("is a folder or something else that is no file"))
        }
        ErrorKind::NotADirectory => Error::invalid(message("is below another file or a link")),
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Error::exhausted("the storage is full")
        }
        _ => unavailable(error),
    }
}

fn unavailable(error: io::Error) -> Error {
    Error::unavailable("the storage cannot be read or written; the log has the cause")
        .with_source(error)
}

/// The change is made, and a power cut may undo it.
fn uncertain(error: io::Error) -> Error {
    Error::unknown_outcome("it is not known whether the change is kept: the folder was not synced")
        .with_source(error)
}

#[async_trait]
impl Driver for Files {
    fn features(&self) -> Features {
        Features {
            operations: ["create", "delete", "get", "list"].map(String::from).into(),
            input: false,
            redelivers: false,
            secrets: false,
        }
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let (folder, max_bytes) = (self.folder.clone(), request.max_bytes);
        let mut held = request.hold(0)?;
        let name = request.get(FILE_NAME).map(str::to_owned);
        let (operation, data) = (request.operation.to_owned(), request.data.clone());
        let list = match operation.as_str() {
            "list" => Some(self.lists.clone().acquire_owned().await),
            _ => None,
        };
        blocking(move || {
            let _list = list;
            let named = || {
                name.as_deref().ok_or_else(|| {
                    Error::invalid(format!("no `{FILE_NAME}` in the metadata; expected one"))
                })
            };
            match operation.as_str() {
                "create" => {
                    let name = name.clone().map_or_else(wythe_blocks::random::name, Ok)?;
                    folder.create(&name, &data)?;
                    let answer = serde_json::json!({ FILE_NAME: name });
                    Ok(outcome(answer.to_string(), vec![(FILE_NAME.into(), name)]))
                }
                "get" => Ok(outcome(folder.get(named()?, max_bytes)?, Vec::new())),
                "list" => {
                    let names = folder.list(name.as_deref(), max_bytes, &mut held)?;
                    Ok(outcome(serde_json::json!(names).to_string(), Vec::new()))
                }
                _ => folder.delete(named()?).map(|()| Outcome::default()),
            }
        })
        .await
    }
}

fn outcome(data: impl Into<Bytes>, metadata: Vec<(String, String)>) -> Outcome {
    Outcome {
        data: data.into(),
        metadata,
    }
}

#[cfg(test)]
mod tests;
