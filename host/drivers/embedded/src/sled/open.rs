//! Opening a tree: settings that make syncing possible, and errors that say what to do.

use super::keys;
use crate::{durable::disk, shared::directories};
use sled::{Db, Tree};
use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::{Duration, Instant},
};
use wythe_blocks::{Error, Result};
use wythe_manifest::ByteSize;

const CACHE: u64 = 64 << 20;
/// A page goes to the unsynced `blobs/` beyond a quarter of this.
const SEGMENT: usize = 8 << 20;
const KNOWN_FORMAT: u64 = 1;
/// Wait for the lock of a store that was closed: sled's own threads hold it for a moment longer.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// An open database and the file that has to be synced.
pub(super) struct Opened {
    /// Keeps the database open; everything is in `tree`.
    pub _database: Db,
    pub tree: Tree,
    pub file: File,
}

pub(super) fn open(directory: &Path, cache_size: Option<ByteSize>) -> Result<Opened> {
    let cache = cache_size.map_or(CACHE, u64::from);
    if is_new(directory)? {
        make(directory, cache)?;
    }
    open_in_place(directory, cache)
}

/// Says whether a store has to be made. One of which the file with the data is gone or empty is lost, and no new one.
fn is_new(directory: &Path) -> Result<bool> {
    let (data, settings) = (directory.join("db"), directory.join("conf"));
    let is_missing = disk::is_new(&data)?;
    match is_missing && settings.exists() {
        true => Err(disk::lost(&data, "missing")),
        false => Ok(is_missing),
    }
}

/// Makes a new store, whole before it has its name.
fn make(directory: &Path, cache: u64) -> Result<()> {
    let unfinished = disk::unfinished(directory);
    let failed = |error: io::Error| broken(directory).with_source(error);
    match fs::remove_dir_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    directories::create_private(&unfinished)?;
    drop(open_in_place(&unfinished, cache)?);
    // A directory with something in it is somebody's: then the store is made there, as it was asked for.
    match fs::rename(&unfinished, directory) {
        Ok(()) => directories::sync_parent(directory).map_err(failed),
        Err(_) => {
            fs::remove_dir_all(&unfinished).map_err(failed)?;
            directories::create_private(directory)
        }
    }
}

fn open_in_place(directory: &Path, cache: u64) -> Result<Opened> {
    let database = open_patiently(directory, cache)?;
    let failed = |error: io::Error| broken(directory).with_source(error);
    // The same inode that sled writes: syncing it here syncs what sled wrote.
    let path = directory.join("db");
    let file = File::open(&path).map_err(failed)?;
    let tree = Tree::clone(&database);
    check_format(directory, &tree)?;
    tree.flush()
        .map_err(|error| broken(directory).with_source(error))?;
    file.sync_all().map_err(failed)?;
    directories::sync_parent(&path).map_err(failed)?;
    Ok(Opened {
        _database: database,
        tree,
        file,
    })
}

#[expect(clippy::disallowed_methods, reason = "it is a thread of its own")]
fn open_patiently(directory: &Path, cache: u64) -> Result<Db> {
    let give_up = Instant::now() + LOCK_WAIT;
    loop {
        match open_once(directory, cache) {
            Err(Failure::Locked) if Instant::now() < give_up => {
                thread::sleep(Duration::from_millis(10))
            }
            Err(Failure::Locked) => {
                let place = directory.display();
                return Err(Error::unavailable(format!(
                    "`{place}` is in use by another process; stop it first"
                )));
            }
            Err(Failure::Other(error)) => return Err(error),
            Ok(database) => return Ok(database),
        }
    }
}

enum Failure {
    Locked,
    Other(Error),
}

fn open_once(directory: &Path, cache: u64) -> Result<Db, Failure> {
    let config = sled::Config::new()
        .path(directory)
        .cache_capacity(cache)
        .segment_size(SEGMENT)
        // The committer flushes; a flush at other times would only cost.
        .flush_every_ms(None);
    match catch_unwind(AssertUnwindSafe(|| config.open())) {
        Ok(Ok(database)) => Ok(database),
        // The only way to tell: sled has no error of its own for this.
        Ok(Err(sled::Error::Io(error)))
            if error.to_string().starts_with("could not acquire lock") =>
        {
            Err(Failure::Locked)
        }
        Ok(Err(error)) => Err(Failure::Other(broken(directory).with_source(error))),
        Err(_) => Err(Failure::Other(
            broken(directory).with_source("sled panicked; its message is on stderr"),
        )),
    }
}

fn broken(directory: &Path) -> Error {
    Error::unavailable(format!(
        "`{}` cannot be opened as a sled database; nothing was changed in it: restore it from a copy, or move it away \
         and start empty",
        directory.display()
    ))
}

fn check_format(directory: &Path, tree: &Tree) -> Result<()> {
    let failed = |error: sled::Error| broken(directory).with_source(error);
    match tree.get(keys::FORMAT).map_err(failed)? {
        None => {
            tree.insert(keys::FORMAT, &KNOWN_FORMAT.to_be_bytes())
                .map_err(failed)?;
            Ok(())
        }
        Some(bytes) => {
            let number = <[u8; 8]>::try_from(&bytes[..]).map_err(|_| broken(directory))?;
            disk::check_format(directory, Some(u64::from_be_bytes(number)), KNOWN_FORMAT)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_whose_data_is_gone_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path().join("state.sled");
        drop(open(&directory, None).unwrap());
        let data = directory.join("db");
        fs::write(&data, "").unwrap();
        let reported = || open(&directory, None).err().unwrap().message().to_owned();
        let what = |how: &str| {
            let place = data.display();
            format!(
                "`{place}` is {how}, so the store that was in it is lost; restore it from a copy, or remove what is left to \
                 start with an empty store"
            )
        };
        assert_eq!(reported(), what("empty"));
        assert_eq!(fs::metadata(&data).unwrap().len(), 0);
        fs::remove_file(&data).unwrap();
        assert_eq!(reported(), what("missing"));
        fs::remove_dir_all(&directory).unwrap();
        drop(open(&directory, None).unwrap());
    }
}
