//! The file of a component: read once, and checked by what was read before anything is made of it.

use bytes::Bytes;
use std::{io::ErrorKind, path::Path, sync::Arc};
use wythe_blocks::{Error, Result, signature};
use wythe_manifest::{AnchoredPath, SigningKeys, Unreadable};

/// Bytes of a component file.
pub const MAX_COMPONENT: u64 = 64 << 20;

/// A component file, and whose signature it needs.
pub struct ComponentFile {
    place: AnchoredPath,
    signing_keys: Option<Arc<SigningKeys>>,
}

impl ComponentFile {
    /// A file that runs where one of the keys has signed it; without keys, as it is.
    pub fn new(place: AnchoredPath, signing_keys: Option<Arc<SigningKeys>>) -> Self {
        ComponentFile {
            place,
            signing_keys,
        }
    }

    /// The path, as messages show it.
    pub fn shown(&self) -> String {
        self.place.path().display().to_string()
    }

    /// All of its bytes, within their limit, of which the signature is good where one is needed.
    pub async fn read(self) -> Result<Bytes> {
        let read = tokio::task::spawn_blocking(move || self.read_now()).await;
        read.map_err(|error| Error::internal("a file was not read").with_source(error))?
    }

    fn read_now(&self) -> Result<Bytes> {
        let read = self.place.open().and_then(|file| file.read(MAX_COMPONENT));
        let bytes = read.map_err(|why| unreadable(self.place.path(), &why))?;
        if let Some(keys) = &self.signing_keys {
            signature::check(&self.place, &bytes, keys)?;
        }
        Ok(bytes.into())
    }
}

fn unreadable(path: &Path, why: &Unreadable) -> Error {
    let shown = path.display();
    match why {
        Unreadable::Io(error) if error.kind() == ErrorKind::NotFound => Error::not_found(format!(
            "no component file at {shown}: {error}; build it first, as `wythe build` does where the app has a `build:` command"
        )),
        Unreadable::Io(error) => Error::unavailable(format!(
            "the component file {shown} cannot be read: {error}"
        )),
        Unreadable::TooLarge(_) => Error::invalid(format!("the component file {shown} is {why}")),
        _ => Error::invalid(format!("the component file {shown} cannot be read: {why}")),
    }
}
