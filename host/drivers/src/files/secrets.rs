//! Secrets in a JSON file, which is read again when it changes. Nothing of its text reaches an error or the log.

use crate::nested::{self, Shape};
use async_trait::async_trait;
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs::{self, File, Metadata},
    io::Read,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};
use wythe_blocks::{
    Error, Result, Site,
    secrets::{Driver, Features, Found},
};
use wythe_manifest::{Secret, parse_document};

/// Bytes of the file.
const LARGEST: u64 = 1 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct Config {
    /// The file, relative to the resource.
    secrets_file: PathBuf,
    /// Between the names of nested objects; default `:`.
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
    let store = Store {
        path: site.beside.join(config.secrets_file),
        shape: Shape {
            separator: config.nested_separator,
            multi_valued: config.multi_valued,
        },
        seen: Mutex::default(),
    };
    let seen = Seen {
        stamp: store.stamp(),
        secrets: store.read()?,
    };
    Ok(Arc::new(Store {
        seen: Mutex::new(seen),
        ..store
    }))
}

struct Store {
    path: PathBuf,
    shape: Shape,
    seen: Mutex<Seen>,
}

/// What is known of the file.
#[derive(Default)]
struct Seen {
    /// When and how long it was; none for a file that is not there.
    stamp: Option<(SystemTime, u64)>,
    /// As of the last time it was good.
    secrets: BTreeMap<String, Found>,
}

impl Store {
    fn stamp(&self) -> Option<(SystemTime, u64)> {
        let stamp = |file: Metadata| Some((file.modified().ok()?, file.len()));
        fs::metadata(&self.path).ok().and_then(stamp)
    }

    // Looking at the file blocks, on purpose: it takes microseconds, and reading it is rare.
    fn with<R>(&self, run: impl FnOnce(&BTreeMap<String, Found>) -> R) -> R {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = self.stamp();
        if stamp != seen.stamp {
            // Before it is read, so that a change in between is seen the next time.
            seen.stamp = stamp;
            match self.read() {
                Ok(secrets) => seen.secrets = secrets,
                Err(error) => tracing::warn!(
                    "{}; the secrets go on as they were when it was last good",
                    error.message()
                ),
            }
        }
        run(&seen.secrets)
    }

    fn read(&self) -> Result<BTreeMap<String, Found>> {
        let shown = self.path.display();
        let mut bytes = Vec::new();
        let read =
            File::open(&self.path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
        if let Err(error) = read {
            let reason = error.kind();
            let message = format!("the secrets file `{shown}` cannot be read: {reason}");
            return Err(Error::unavailable(message));
        }
        if bytes.len() as u64 > LARGEST {
            return Err(Error::invalid(format!(
                "the secrets file `{shown}` is larger than 1 MiB, which is the most that is read"
            )));
        }
        // Cleared when it is dropped, good or not.
        let text = match String::from_utf8(bytes) {
            Ok(text) => Secret::new(text),
            Err(error) => {
                drop(Secret::new(String::from_utf8_lossy(error.as_bytes())));
                return Err(self.malformed(""));
            }
        };
        // What the parser says could have a part of a secret in it, so only the place is told.
        let tree = parse_document(text.reveal(), &self.path);
        let tree = tree.map_err(|problem| match problem.line {
            0 => self.malformed(""),
            line => self.malformed(&format!(":{line}:{}", problem.column)),
        })?;
        nested::secrets(&tree, &self.shape).ok_or_else(|| self.malformed(""))
    }

    fn malformed(&self, place: &str) -> Error {
        let shown = self.path.display();
        Error::invalid(format!(
            "the secrets file `{shown}{place}`: expected a JSON object of secrets"
        ))
    }
}

#[async_trait]
impl Driver for Store {
    fn features(&self) -> Features {
        Features {
            multiple_values: self.shape.multi_valued,
            names: true,
        }
    }

    async fn get(&self, name: &str, _: &[(String, String)]) -> Result<Option<Found>> {
        Ok(self.with(|secrets| secrets.get(name).cloned()))
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(self.with(|secrets| secrets.keys().cloned().collect()))
    }
}

#[cfg(test)]
mod tests;
