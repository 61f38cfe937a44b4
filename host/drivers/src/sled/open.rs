//! Opening a tree: settings that make syncing possible, and errors that say what to do.

use super::keys;
use crate::disk;
use sled::{Db, Tree};
use std::{
    fs::File,
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
/// After a close sled's own threads hold the lock for a moment longer.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// An open database and the file that has to be synced.
pub(super) struct Opened {
    /// Keeps the database open; everything is in `tree`.
    pub _database: Db,
    pub tree: Tree,
    pub file: File,
}

pub(super) fn open(directory: &Path, cache_size: Option<ByteSize>) -> Result<Opened> {
    disk::create_private_directory(directory)?;
    let database = open_patiently(directory, cache_size.map_or(CACHE, u64::from))?;
    let failed = |error: io::Error| broken(directory).with_source(error);
    // The same inode that sled writes: syncing it here syncs what sled wrote.
    let path = directory.join("db");
    let file = File::open(&path).map_err(failed)?;
    let tree = Tree::clone(&database);
    check_format(directory, &tree)?;
    tree.flush()
        .map_err(|error| broken(directory).with_source(error))?;
    file.sync_all().map_err(failed)?;
    disk::sync_directory_of(&path).map_err(failed)?;
    Ok(Opened {
        _database: database,
        tree,
        file,
    })
}

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
