//! Keys in a directory, one a file, each read when it is used: a changed key is used at once.

use crate::keys::{Key, Keys, Ring};
use cap_std::{
    ambient_authority,
    fs::{Dir, Metadata},
};
use serde::Deserialize;
use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};
use wythe_blocks::{Error, Result, Site, crypto::Driver};
use zeroize::Zeroizing;

/// Bytes of a file: the longest RSA key needs less than half.
const LARGEST: usize = 32 << 10;
/// Keys that are remembered.
const REMEMBERED: usize = 64;
/// A file that changed within this may change again without its time telling.
const FRESH: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The directory, relative to the resource file. A file in it is a key and the file's name its name.
    path: PathBuf,
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    let path = site.beside.join(config.path);
    let root = Dir::open_ambient_dir(&path, ambient_authority()).map_err(|error| {
        Error::unavailable(format!(
            "`{}` cannot be opened; expected a directory of keys that can be read",
            path.display()
        ))
        .with_source(error)
    })?;
    Ok(Arc::new(Ring(Directory {
        root,
        seen: Mutex::default(),
    })))
}

struct Directory {
    /// The handle, not the path: no name and no link leads out of it.
    root: Dir,
    seen: Mutex<HashMap<String, (Stamp, Arc<Key>)>>,
}

/// When a file was changed, and its length.
type Stamp = (SystemTime, u64);

// Looking at a file blocks, on purpose: it takes microseconds, and reading one is rare.
impl Keys for Directory {
    fn find(&self, name: &str) -> Result<Arc<Key>> {
        let told = |error: io::Error| told(name, error);
        if !is_name(name) {
            return Err(told(ErrorKind::NotFound.into()));
        }
        // Opening what is no file could wait for ever.
        if !self.root.metadata(name).map_err(told)?.is_file() {
            return Err(Error::invalid(format!("key `{name}`: expected a file")));
        }
        let mut file = self.root.open(name).map_err(told)?;
        let stamp = stamp(&file.metadata().map_err(told)?).map_err(told)?;
        if let Some(key) = self.remembered(name, &stamp) {
            return Ok(key);
        }
        // In one piece, so that no copy of it is left behind where it grew.
        let mut bytes = Zeroizing::new(vec![0; LARGEST + 1]);
        let size = fill(&mut file, &mut bytes).map_err(told)?;
        if size > LARGEST {
            return Err(Error::invalid(format!(
                "key `{name}`: the file has more than 32 KiB; expected one key"
            )));
        }
        let key = Key::parse(&bytes[..size])
            .map_err(|problem| Error::invalid(format!("key `{name}`: {problem}")))?;
        let key = Arc::new(key);
        self.remember(name, stamp, &key);
        Ok(key)
    }

    /// With those that are none, so that the operator sees what is wrong with them.
    fn names(&self) -> Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in self.root.entries().map_err(unavailable)? {
            let name = entry.map_err(unavailable)?.file_name();
            let Some(name) = name.to_str().filter(|name| is_name(name)) else {
                continue;
            };
            let is_key = match self.root.metadata(name) {
                Ok(metadata) => metadata.is_file(),
                Err(error) => error.kind() != ErrorKind::NotFound,
            };
            if is_key {
                names.push(name.to_owned());
            }
        }
        names.sort();
        Ok(names)
    }
}

impl Directory {
    fn remembered(&self, name: &str, stamp: &Stamp) -> Option<Arc<Key>> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get(name) {
            Some((known, key)) if known == stamp => Some(key.clone()),
            _ => {
                seen.remove(name);
                None
            }
        }
    }

    fn remember(&self, name: &str, stamp: Stamp, key: &Arc<Key>) {
        let age = SystemTime::now().duration_since(stamp.0);
        if age.is_ok_and(|age| age > FRESH) {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.len() >= REMEMBERED {
                seen.clear();
            }
            seen.insert(name.to_owned(), (stamp, key.clone()));
        }
    }
}

/// Others are files that systems and tools keep beside keys, or lead elsewhere.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

fn stamp(metadata: &Metadata) -> io::Result<Stamp> {
    Ok((metadata.modified()?.into_std(), metadata.len()))
}

/// Reads until the end or until nothing more fits.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut size = 0;
    while size < bytes.len() {
        match file.read(&mut bytes[size..]) {
            Ok(0) => break,
            Ok(more) => size += more,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(size)
}

/// The one translation of the file system's errors.
fn told(name: &str, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::InvalidFilename => {
            Error::not_found(format!("no key `{name}` in the directory"))
        }
        // The system's own refusals have a number; the sandbox's have none.
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Error::invalid(format!(
            "key `{name}`: a link that leads out of the directory; expected a file in it"
        )),
        _ => Error::unavailable(format!(
            "key `{name}` cannot be read; the log has the cause"
        ))
        .with_source(error),
    }
}

fn unavailable(error: io::Error) -> Error {
    Error::unavailable("the directory of keys cannot be read; the log has the cause")
        .with_source(error)
}

#[cfg(test)]
mod tests;
