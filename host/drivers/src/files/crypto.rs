//! A folder whose files are keys, each called as its file; `dapr.localstorage` is what Dapr calls it.

use crate::keys::{Key, LARGEST};
use async_trait::async_trait;
use cap_std::{ambient_authority, fs::Dir};
use serde::Deserialize;
use std::{
    collections::HashMap,
    io::{ErrorKind, Read},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use wythe_blocks::{
    Error, Result, Site,
    crypto::{Driver, KeyInfo, SignatureAlgorithm, WrapAlgorithm},
};
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// The folder, relative to the resource file.
    path: PathBuf,
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    let path = site.beside.join(config.path);
    let folder = Dir::open_ambient_dir(&path, ambient_authority()).map_err(|error| {
        Error::invalid(format!(
            "`path: {}` cannot be opened; expected a folder of keys, relative to this file",
            path.display()
        ))
        .with_source(error)
    })?;
    Ok(Arc::new(Folder {
        folder,
        known: Mutex::default(),
    }))
}

/// When and how long a file was.
type Stamp = (SystemTime, u64);

struct Folder {
    folder: Dir,
    /// As of the last time that each file was read.
    known: Mutex<HashMap<String, (Stamp, Arc<Key>)>>,
}

impl Folder {
    // Looking at the file blocks, on purpose: it takes microseconds, and reading it is rare.
    fn key(&self, name: &str) -> Result<Arc<Key>> {
        if !is_name(name) {
            return Err(missing(name));
        }
        // Opened, not only looked at: a link that leads out of the folder is refused here.
        let mut file = self.folder.open(name).map_err(|error| match error.kind() {
            ErrorKind::NotFound => missing(name),
            _ => unreadable(name).with_source(error),
        })?;
        let metadata = file
            .metadata()
            .map_err(|error| unreadable(name).with_source(error))?;
        if !metadata.is_file() {
            return Err(missing(name));
        }
        let modified = metadata.modified().map(cap_std::time::SystemTime::into_std);
        let stamp = (modified.unwrap_or(SystemTime::UNIX_EPOCH), metadata.len());
        if let Some(key) = self.known(name, stamp) {
            return Ok(key);
        }
        if metadata.len() > LARGEST as u64 {
            return Err(Error::invalid(format!(
                "key `{name}` has {} bytes; expected at most {LARGEST}",
                metadata.len()
            )));
        }
        let mut bytes = Zeroizing::new(Vec::new());
        file.read_to_end(&mut bytes)
            .map_err(|error| unreadable(name).with_source(error))?;
        let key = Arc::new(Key::parse(name, &bytes)?);
        self.lock().insert(name.to_owned(), (stamp, key.clone()));
        Ok(key)
    }

    fn known(&self, name: &str, stamp: Stamp) -> Option<Arc<Key>> {
        let known = self.lock();
        let (seen, key) = known.get(name)?;
        (*seen == stamp).then(|| key.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Stamp, Arc<Key>)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One part of a path, and none that is hidden.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

fn missing(name: &str) -> Error {
    Error::not_found(format!("no key `{name}`"))
}

fn unreadable(name: &str) -> Error {
    Error::unavailable(format!("key `{name}` cannot be read"))
}

#[async_trait]
impl Driver for Folder {
    async fn describe(&self, key: &str) -> Result<KeyInfo> {
        Ok(self.key(key)?.info())
    }

    async fn wrap(&self, key: &str, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        self.key(key)?.wrap(algorithm, plain)
    }

    async fn unwrap(&self, key: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        self.key(key)?.unwrap(algorithm, wrapped)
    }

    async fn sign(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>> {
        self.key(key)?.sign(algorithm, digest)
    }

    async fn verify(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        self.key(key)?.verify(algorithm, digest, signature)
    }

    async fn names(&self) -> Result<Vec<String>> {
        let entries = self.folder.entries();
        let entries = entries.map_err(|error| {
            Error::unavailable("the folder of keys cannot be read").with_source(error)
        })?;
        let names = entries.flatten().filter_map(|entry| {
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            let name = entry.file_name().into_string().ok()?;
            (is_file && is_name(&name)).then_some(name)
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        Ok(names)
    }
}
