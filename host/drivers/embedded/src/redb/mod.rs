//! redb: a copy-on-write B-tree in one file. Commits are fsynced, and readers see only what is committed.

mod configuration;
mod jobs;
mod lock;
mod pubsub;
mod state;

use crate::{durable::disk, shared::directories};
use ::redb::{
    Builder, Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable,
    TableDefinition, WriteTransaction,
};
use serde::Deserialize;
use std::{
    error::Error as StdError,
    fs, io,
    path::{Path, PathBuf},
};
use wythe_blocks::{Error, Registry, Result};
use wythe_manifest::ByteSize;

const CACHE: u64 = 64 << 20;
const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const FORMAT: &str = "format";
const KNOWN_FORMAT: u64 = 1;
/// Has something only while a file that was opened again proves that it takes writes.
const PROBE: TableDefinition<&str, &[u8]> = TableDefinition::new("probe");
/// Bytes for which there is room again, before a store counts as well.
const PROBE_SIZE: usize = 1 << 20;

pub(crate) fn register(registry: &mut Registry) {
    registry.configuration.add("redb", configuration::open);
    registry.jobs.add("redb", jobs::open);
    registry.jobs.counts("redb");
    registry.lock.add("redb", lock::open);
    registry.pubsub.add("redb", pubsub::open);
    registry.pubsub.counts("redb");
    registry.state.add("redb", state::open);
    registry.state.counts("redb");
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct StateConfig {
    /// The file; default `state.redb` in the component's directory.
    path: Option<PathBuf>,
    /// Memory for pages; default 64 MiB.
    cache_size: Option<ByteSize>,
}

/// Opens or creates a file of the only format that there is of most stores.
fn open(path: &Path, cache_size: Option<ByteSize>) -> Result<Database> {
    open_as(KNOWN_FORMAT, path, cache_size)
}

/// Opens or creates the file, durably, and checks its format, of which `known` is the newest.
fn open_as(known: u64, path: &Path, cache_size: Option<ByteSize>) -> Result<Database> {
    directories::create_private(path.parent().unwrap_or(Path::new(".")))?;
    if disk::is_new(path)? {
        make(known, path)?;
    }
    let cache = cache_size.map_or(CACHE, u64::from);
    let database = Builder::new()
        .set_cache_size(usize::try_from(cache).unwrap_or(usize::MAX))
        .create(path)
        .map_err(|error| not_opened(path, error))?;
    directories::sync_parent(path).map_err(unavailable)?;
    check_format(known, path, &database)?;
    Ok(database)
}

/// Makes a new store, whole before it has its name.
fn make(known: u64, path: &Path) -> Result<()> {
    let unfinished = disk::unfinished(path);
    let gone = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    let removed = fs::remove_file(&unfinished).or_else(|error| match gone(&error) {
        true => Ok(()),
        false => Err(error),
    });
    removed.map_err(unavailable)?;
    let database = Builder::new()
        .create(&unfinished)
        .map_err(|error| not_opened(path, error))?;
    disk::make_private(&unfinished).map_err(unavailable)?;
    check_format(known, path, &database)?;
    drop(database);
    // A name that somebody else took meanwhile is left alone.
    match fs::hard_link(&unfinished, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            fs::rename(&unfinished, path).map_err(unavailable)
        }
        _ => fs::remove_file(&unfinished).map_err(unavailable),
    }
}

/// Opens the file again after a commit that failed, and writes to it, so that one on a full disk is not taken for well.
fn reopen(path: &Path, cache_size: Option<ByteSize>) -> Result<Database> {
    reopen_as(KNOWN_FORMAT, path, cache_size)
}

fn reopen_as(known: u64, path: &Path, cache_size: Option<ByteSize>) -> Result<Database> {
    let database = open_as(known, path, cache_size)?;
    let transaction = write(&database)?;
    {
        let mut probe = transaction.open_table(PROBE).map_err(unavailable)?;
        let bytes = vec![0; PROBE_SIZE];
        probe.insert("", bytes.as_slice()).map_err(unavailable)?;
    }
    commit(transaction, true)?;
    let transaction = write(&database)?;
    transaction.delete_table(PROBE).map_err(unavailable)?;
    commit(transaction, true)?;
    Ok(database)
}

fn not_opened(path: &Path, error: DatabaseError) -> Error {
    let place = path.display();
    let message = match &error {
        DatabaseError::DatabaseAlreadyOpen => {
            format!("`{place}` is in use by another process; stop it first")
        }
        DatabaseError::UpgradeRequired(version) => {
            format!(
                "`{place}` has version {version} of the file format, which this build cannot read"
            )
        }
        _ => format!(
            "`{place}` cannot be opened as a redb database; restore it from a copy or name another `path`"
        ),
    };
    Error::unavailable(message).with_source(error)
}

fn check_format(known: u64, path: &Path, database: &Database) -> Result<()> {
    let transaction = write(database)?;
    let found = {
        let mut meta = transaction.open_table(META).map_err(unavailable)?;
        let found = meta
            .get(FORMAT)
            .map_err(unavailable)?
            .map(|number| number.value());
        if found.is_none() {
            meta.insert(FORMAT, known).map_err(unavailable)?;
        }
        found
    };
    disk::check_format(path, found, known)?;
    commit(transaction, found.is_none())
}

fn read(database: &Database) -> Result<ReadTransaction> {
    database.begin_read().map_err(unavailable)
}

fn write(database: &Database) -> Result<WriteTransaction> {
    database.begin_write().map_err(unavailable)
}

/// Makes the transaction durable; one that changed nothing is spared the fsync.
fn commit(transaction: WriteTransaction, changed: bool) -> Result<()> {
    if !changed {
        return transaction.abort().map_err(unavailable);
    }
    transaction.commit().map_err(|error| {
        Error::unknown_outcome("it is not known whether the write is kept: its commit failed")
            .with_source(error)
    })
}

/// The database's own failure, before anything was written.
fn unavailable(error: impl StdError + Send + Sync + 'static) -> Error {
    Error::unavailable("the database cannot be read or written; the log has the cause")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_opener_is_told_who_is_in_the_way() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a/state.redb");
        let _database = open(&path, None).unwrap();
        let error = open(&path, None).err().unwrap();
        let expected = format!(
            "`{}` is in use by another process; stop it first",
            path.display()
        );
        assert_eq!(error.message(), expected);
    }

    #[test]
    fn an_empty_file_is_refused_and_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("state.redb");
        std::fs::write(&path, "").unwrap();
        let error = open(&path, None).err().unwrap();
        let expected = format!(
            "`{}` is empty, so the store that was in it is lost; restore it from a copy, or remove what is left to \
             start with an empty store",
            path.display()
        );
        assert_eq!(error.message(), expected);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
        std::fs::remove_file(&path).unwrap();
        // As a process leaves it that was killed while it made the store.
        std::fs::write(disk::unfinished(&path), "part").unwrap();
        drop(open(&path, None).unwrap());
        let names = std::fs::read_dir(temporary.path()).unwrap();
        assert_eq!(names.count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_new_store_is_of_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("a/b/state.redb");
        drop(open(&path, None).unwrap());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(&temporary.path().join("a/b")), 0o700);
        assert_eq!(mode(&temporary.path().join("a")), 0o700);
    }

    #[test]
    fn a_newer_format_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("state.redb");
        let database = open(&path, None).unwrap();
        let transaction = write(&database).unwrap();
        transaction
            .open_table(META)
            .unwrap()
            .insert(FORMAT, 2)
            .unwrap();
        transaction.commit().unwrap();
        drop(database);
        let error = open(&path, None).err().unwrap();
        let expected = "has format 2; this build reads up to 1; use the newer build that wrote it";
        assert!(error.message().ends_with(expected), "{error}");
    }

    #[test]
    fn a_file_of_another_kind_is_reported_and_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let path = temporary.path().join("state.redb");
        std::fs::write(&path, vec![7; 10_000]).unwrap();
        let error = open(&path, None).err().unwrap();
        assert!(
            error
                .message()
                .contains("cannot be opened as a redb database; restore it from a copy"),
            "{error}"
        );
        assert_eq!(std::fs::read(&path).unwrap(), vec![7; 10_000]);
    }
}
