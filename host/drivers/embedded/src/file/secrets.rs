//! Secrets in a JSON file, which is read again when it changes. Nothing of its text reaches an error or the log.

use super::reader::Reader;
use crate::shared::secrets::nested::{self, Misfit, Shape};
use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_blocks::{
    Error, Result, Site,
    secrets::{Driver, Features, Found},
};
use wythe_manifest::{AnchoredPath, OpenFile, Secret, Stamp, Unreadable, parse_document};

/// Bytes of the file.
const LARGEST: u64 = 1 << 20;
/// The age from which a file's times tell it from a later state of it.
const FRESH: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The file, relative to the resource.
    secrets_file: PathBuf,
    /// Separator between the names of nested objects; default `:`.
    #[serde(default = "colon")]
    nested_separator: String,
    /// Nested objects are secrets of several values; default false.
    #[serde(default)]
    multi_valued: bool,
}

fn colon() -> String {
    ":".into()
}

pub(super) async fn open(config: Config, site: Site) -> Result<Arc<dyn Driver>> {
    let file = SecretsFile {
        place: site.place(config.secrets_file)?,
        shape: Shape {
            separator: config.nested_separator,
            multi_valued: config.multi_valued,
        },
        stamp: None,
        is_settled: false,
        is_reported: false,
    };
    Ok(Arc::new(Store::open(file).await?))
}

struct Store {
    shown: String,
    multi_valued: bool,
    reader: Reader<(), Result<Option<Secrets>>>,
    /// Secrets as of the last time the file was good.
    good: Mutex<Arc<Secrets>>,
}

type Secrets = BTreeMap<String, Found>;

/// The file as the reading thread knows it.
struct SecretsFile {
    place: AnchoredPath,
    shape: Shape,
    /// Stamp as of the last time the file was read, good or not; none for a file that was not there.
    stamp: Option<Stamp>,
    /// Says whether the file was old enough then for any later change to show.
    is_settled: bool,
    /// Says whether it was told that the file is not there.
    is_reported: bool,
}

impl Store {
    async fn open(mut file: SecretsFile) -> Result<Self> {
        let store = Store {
            shown: file.place.path().display().to_string(),
            multi_valued: file.shape.multi_valued,
            reader: Reader::start("secrets", move |()| file.changed())?,
            good: Mutex::default(),
        };
        match store.reader.ask(()).await {
            Some(read) => store.replace(read?),
            None => {
                return Err(Error::unavailable(format!(
                    "the secrets file `{}` is on a file system that does not answer",
                    store.shown
                )));
            }
        }
        Ok(store)
    }

    fn replace(&self, changed: Option<Secrets>) {
        if let Some(secrets) = changed {
            *self.good() = Arc::new(secrets);
        }
    }

    fn good(&self) -> MutexGuard<'_, Arc<Secrets>> {
        self.good.lock()
    }

    /// Secrets as they are now, or as they were when the file was last good.
    async fn now(&self) -> Arc<Secrets> {
        let wrong = match self.reader.ask(()).await {
            Some(Ok(changed)) => {
                self.replace(changed);
                None
            }
            Some(Err(error)) => Some(error.message().to_owned()),
            None => Some(format!(
                "the secrets file `{}` is on a file system that does not answer",
                self.shown
            )),
        };
        if let Some(wrong) = wrong {
            tracing::warn!("{wrong}; the secrets go on as they were when it was last good");
        }
        self.good().clone()
    }
}

impl SecretsFile {
    /// Reads the secrets, if the file is another one than the last time. A fault is told once for each state
    /// of the file.
    fn changed(&mut self) -> Result<Option<Secrets>> {
        let opened = self.place.open();
        let stamp = opened.as_ref().ok().map(OpenFile::stamp);
        if stamp.is_some() && stamp == self.stamp && self.is_settled {
            return Ok(None);
        }
        // Where a file system's times are coarse, a file may change twice and look the same.
        let age = stamp
            .as_ref()
            .map(|stamp| SystemTime::now().duration_since(stamp.changed()));
        self.is_settled = age.is_some_and(|age| age.is_ok_and(|age| age > FRESH));
        let was_there = self.stamp.is_some();
        self.stamp = stamp;
        match opened {
            Ok(file) => {
                self.is_reported = false;
                let bytes = file.read(LARGEST).map_err(|why| self.unread(&why))?;
                self.parse(bytes).map(Some)
            }
            Err(why) if was_there || !self.is_reported => {
                self.is_reported = true;
                Err(self.unread(&why))
            }
            Err(_) => Ok(None),
        }
    }

    fn unread(&self, why: &Unreadable) -> Error {
        let shown = self.place.path().display();
        match why {
            Unreadable::Io(_) => {
                Error::unavailable(format!("the secrets file `{shown}` cannot be read: {why}"))
            }
            Unreadable::TooLarge(_) => {
                Error::invalid(format!("the secrets file `{shown}` is {why}"))
            }
            _ => Error::invalid(format!("the secrets file `{shown}` cannot be read: {why}")),
        }
    }

    fn parse(&self, bytes: Vec<u8>) -> Result<Secrets> {
        // Cleared when it is dropped, good or not.
        let text = match String::from_utf8(bytes) {
            Ok(text) => Secret::new(text),
            Err(error) => {
                drop(Secret::new(String::from_utf8_lossy(error.as_bytes())));
                return Err(self.malformed("", &Misfit::NoObject));
            }
        };
        // What the parser says could have a part of a secret in it, so only the place is told.
        let tree = parse_document(text.reveal(), self.place.path());
        let tree = tree.map_err(|problem| match problem.line {
            0 => self.malformed("", &Misfit::NoObject),
            line => {
                let place = format!(":{line}:{}", problem.column);
                self.malformed(&place, &Misfit::NoObject)
            }
        })?;
        nested::secrets(&tree, &self.shape).map_err(|misfit| self.malformed("", &misfit))
    }

    fn malformed(&self, place: &str, misfit: &Misfit) -> Error {
        let shown = self.place.path().display();
        Error::invalid(format!("the secrets file `{shown}{place}`: {misfit}"))
    }
}

#[async_trait]
impl Driver for Store {
    fn features(&self) -> Features {
        Features {
            multiple_values: self.multi_valued,
            names: true,
        }
    }

    async fn get(&self, name: &str, _: &[(String, String)]) -> Result<Option<Found>> {
        Ok(self.now().await.get(name).cloned())
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(self.now().await.keys().cloned().collect())
    }
}

#[cfg(test)]
mod tests;
