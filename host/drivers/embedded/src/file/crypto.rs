//! Keys in a directory, one a file, each read when it is used: a changed key is used at once.

use super::reader::Reader;
use crate::shared::keys::{Key, Keys, Ring};
use async_trait::async_trait;
use cap_std::fs::Dir;
use serde::Deserialize;
use std::{
    collections::HashMap,
    io::{self, ErrorKind, Read},
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_blocks::{Error, Result, Site, crypto::Driver};
use wythe_manifest::{OpenFile, Stamp, Unreadable};
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
    let place = site.place(config.path)?;
    let root = place.open_directory().map_err(|why| {
        Error::unavailable(format!(
            "`{}` cannot be opened; expected a directory of keys that can be read",
            place.path().display()
        ))
        .with_source(why)
    })?;
    Ok(Arc::new(Ring(Directory::start(root, FRESH)?)))
}

/// The directory, read by a thread of its own.
struct Directory(Reader<Question, Result<Answer>>);

enum Question {
    Key(String),
    Names,
}

enum Answer {
    Key(Arc<Key>),
    Names(Vec<String>),
}

impl Directory {
    fn start(root: Dir, fresh: Duration) -> Result<Self> {
        let mut folder = Folder {
            root,
            seen: HashMap::new(),
            fresh,
        };
        let read = move |question| match question {
            Question::Key(name) => folder.find(&name).map(Answer::Key),
            Question::Names => folder.names().map(Answer::Names),
        };
        Reader::start("keys", read).map(Directory)
    }

    async fn ask(&self, question: Question) -> Result<Answer> {
        let answer = self.0.ask(question).await;
        answer.unwrap_or_else(|| {
            Err(Error::unavailable(
                "the directory of keys is on a file system that does not answer",
            ))
        })
    }
}

#[async_trait]
impl Keys for Directory {
    async fn find(&self, name: &str) -> Result<Arc<Key>> {
        match self.ask(Question::Key(name.to_owned())).await? {
            Answer::Key(key) => Ok(key),
            Answer::Names(_) => Err(Error::internal("names where a key was asked for")),
        }
    }

    async fn names(&self) -> Result<Vec<String>> {
        match self.ask(Question::Names).await? {
            Answer::Names(names) => Ok(names),
            Answer::Key(_) => Err(Error::internal("a key where names were asked for")),
        }
    }
}

struct Folder {
    /// The handle, not the path: no name and no link leads out of it.
    root: Dir,
    seen: HashMap<String, (Stamp, Arc<Key>)>,
    /// Value of `FRESH`, except in tests.
    fresh: Duration,
}

impl Folder {
    fn find(&mut self, name: &str) -> Result<Arc<Key>> {
        let reported = |why| reported(name, why);
        if !is_name(name) {
            return Err(reported(Unreadable::Io(ErrorKind::NotFound.into())));
        }
        let mut file = OpenFile::open_in(&self.root, name).map_err(reported)?;
        let stamp = file.stamp();
        if let Some(key) = self.remembered(name, &stamp) {
            return Ok(key);
        }
        // In one piece, so that no copy of it is left behind where it grew.
        let mut bytes = Zeroizing::new(vec![0; LARGEST + 1]);
        let size = fill(&mut file, &mut bytes).map_err(|error| reported(Unreadable::Io(error)))?;
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

    /// Lists the names, with those of files that are no keys, so that the operator sees what is wrong with them.
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

impl Folder {
    fn remembered(&mut self, name: &str, stamp: &Stamp) -> Option<Arc<Key>> {
        match self.seen.get(name) {
            Some((known, key)) if known == stamp => Some(key.clone()),
            _ => {
                self.seen.remove(name);
                None
            }
        }
    }

    fn remember(&mut self, name: &str, stamp: Stamp, key: &Arc<Key>) {
        let age = SystemTime::now().duration_since(stamp.changed());
        if age.is_ok_and(|age| age > self.fresh) {
            if self.seen.len() >= REMEMBERED {
                self.seen.clear();
            }
            self.seen.insert(name.to_owned(), (stamp, key.clone()));
        }
    }
}

/// Others are files that systems and tools keep beside keys, or lead elsewhere.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
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
fn reported(name: &str, why: Unreadable) -> Error {
    match why {
        Unreadable::Io(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::InvalidFilename
            ) =>
        {
            Error::not_found(format!("no key `{name}` in the directory"))
        }
        Unreadable::LeadsOut => Error::invalid(format!(
            "key `{name}`: a link that leads out of the directory; expected a file in it"
        )),
        Unreadable::Irregular(_) => Error::invalid(format!("key `{name}`: expected a file")),
        why => Error::unavailable(format!(
            "key `{name}` cannot be read; the log has the cause"
        ))
        .with_source(why),
    }
}

fn unavailable(error: io::Error) -> Error {
    Error::unavailable("the directory of keys cannot be read; the log has the cause")
        .with_source(error)
}

#[cfg(test)]
mod tests;
