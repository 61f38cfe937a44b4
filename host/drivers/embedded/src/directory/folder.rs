//! The files of a directory: which are there, what is in one, and what becomes of it. Links are never followed.

use super::pattern::Pattern;
use bytes::Bytes;
use cap_std::{
    fs::{Dir, Metadata, MetadataExt},
    time::SystemTime,
};
use std::io::{self, Read};

/// Endings of the name that a writer gives a file until it is whole.
const UNFINISHED: [&str; 2] = [".tmp", ".part"];

/// Fate of a file that the app has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    Delete,
    /// Moves it into this directory below.
    Move(String),
}

/// One state of a file: another one is another message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    place: (u64, u64),
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Stamp {
            place: (metadata.dev(), metadata.ino()),
            size: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

/// The handle, not the path: what becomes of the path later leads nowhere else.
pub(super) struct Folder {
    directory: Dir,
    pattern: Pattern,
    done: Done,
}

impl Folder {
    pub fn open(directory: Dir, pattern: Pattern, done: Done) -> io::Result<Self> {
        if let Done::Move(below) = &done {
            directory.create_dir_all(below)?;
            directory.open_dir(below)?;
            sync(&directory)?;
        }
        Ok(Folder {
            directory,
            pattern,
            done,
        })
    }

    /// The files that are meant, the oldest first.
    pub fn scan(&self) -> io::Result<Vec<(String, Stamp)>> {
        let mut found = Vec::new();
        for entry in self.directory.entries()? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // One that went away meanwhile is none.
            if let Some(stamp) = self.look(&name) {
                found.push((name, stamp));
            }
        }
        found.sort_by(|(a, left), (b, right)| (left.modified, a).cmp(&(right.modified, b)));
        Ok(found)
    }

    fn look(&self, name: &str) -> Option<Stamp> {
        let is_meant = !name.starts_with('.')
            && !UNFINISHED.iter().any(|end| name.ends_with(end))
            && self.pattern.matches(name);
        let metadata = is_meant.then(|| self.directory.symlink_metadata(name).ok());
        let metadata = metadata.flatten().filter(Metadata::is_file);
        metadata.as_ref().map(Stamp::of)
    }

    /// The data, of which at most one byte more than `max_bytes`; none where the file is no longer the one that was seen.
    pub fn read(&self, name: &str, stamp: Stamp, max_bytes: u64) -> io::Result<Option<Bytes>> {
        if self.look(name) != Some(stamp) {
            return Ok(None);
        }
        let file = self.directory.open(name)?;
        if Stamp::of(&file.metadata()?) != stamp {
            return Ok(None);
        }
        let mut data = Vec::new();
        (&file).take(max_bytes + 1).read_to_end(&mut data)?;
        // What was written meanwhile is another message, and this one may be half of each.
        let is_whole = Stamp::of(&file.metadata()?) == stamp;
        Ok(is_whole.then(|| data.into()))
    }

    /// Puts the file away, and returns once that is on the disk. One that is no longer the same stays.
    pub fn finish(&self, name: &str, stamp: Stamp) -> io::Result<()> {
        if self.look(name) != Some(stamp) {
            return Ok(());
        }
        match &self.done {
            Done::Delete => self.directory.remove_file(name)?,
            Done::Move(below) => {
                let below = self.directory.open_dir(below)?;
                self.directory.rename(name, &below, free(&below, name)?)?;
                sync(&below)?;
            }
        }
        sync(&self.directory)
    }
}

/// The name, or where there is such a file already, one that begins like it.
fn free(directory: &Dir, name: &str) -> io::Result<String> {
    match directory.symlink_metadata(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(name.to_owned()),
        Err(error) => Err(error),
        Ok(_) => {
            let random = wythe_blocks::random::name().map_err(io::Error::other)?;
            Ok(format!("{name}.{random}"))
        }
    }
}

fn sync(directory: &Dir) -> io::Result<()> {
    directory.open(".")?.sync_all()
}
