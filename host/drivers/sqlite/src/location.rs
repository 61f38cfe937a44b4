//! The place of a file: below what the component may name, made whole before it has its name, and opened with all that a file
//! of somebody else's could do switched off.

use crate::{fault::Fault, settings::Settings};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use rusqlite::{Connection, OpenFlags, config::DbConfig, limits::Limit};
use std::{
    fs, io,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    time::Duration,
};
use wythe_blocks::{Error, Result, Site};

/// Bytes of a text or of a row, and of a statement.
const ROW: i32 = 32 << 20;
const STATEMENT: i32 = 1 << 20;
/// Statements that a connection has ready.
const STATEMENTS: usize = 32;
/// Bytes that a log keeps on the disk when all of it is in the file.
const LOG: i64 = 64 << 20;

/// A file, and how each connection to it is opened.
pub(super) struct Location {
    /// The path without links.
    path: PathBuf,
    wal: bool,
    busy: Duration,
}

impl Location {
    /// Finds the file where it may be, and makes it where it is missing; `prepare` fills a new one. Blocks.
    pub fn find(
        settings: &Settings,
        site: &Site,
        prepare: impl Fn(&mut Connection) -> Result<()>,
    ) -> Result<Self> {
        let written = &settings.path;
        let name = written.file_name().ok_or_else(|| {
            Error::invalid("`connectionString`: expected the path of a file, which has a name")
        })?;
        let above = written.parent().unwrap_or(Path::new(""));
        let directory = site.place(above)?;
        let shown = directory.path().join(name);
        let directory = directory.open_directory().map_err(|error| {
            Error::unavailable(format!(
                "the directory of `{}` cannot be opened; make it, and let the host write there",
                shown.display()
            ))
            .with_source(error.to_string())
        })?;
        let place = Location {
            path: real(&directory).map_err(failed)?.join(name),
            wal: settings.wal,
            busy: settings.busy,
        };
        let name = Path::new(name);
        if place.is_new(&directory, name)? {
            place.make(&directory, name, prepare)?;
        }
        Ok(place)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Says whether the file has to be made. One that is empty, or of which the log alone is there, was taken away.
    fn is_new(&self, directory: &Dir, name: &Path) -> Result<bool> {
        let shown = self.path.display();
        match directory.symlink_metadata(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
            Ok(found) if found.is_symlink() => {
                return Err(Error::invalid(format!(
                    "`{shown}` is a link; write the path of the file that it leads to"
                )));
            }
            Ok(found) if !found.is_file() => {
                return Err(Error::invalid(format!("`{shown}` is no file")));
            }
            Ok(found) if found.len() == 0 => return Err(self.lost("empty")),
            Ok(_) => return Ok(false),
        }
        let log = with_ending(name, "-wal");
        match directory.symlink_metadata(log) {
            Ok(log) if log.len() > 0 => Err(self.lost("missing")),
            _ => Ok(true),
        }
    }

    fn lost(&self, how: &str) -> Error {
        Error::unavailable(format!(
            "`{}` is {how}, so the store that was in it is lost; restore it from a copy, or remove what is left to start with an \
             empty store",
            self.path.display()
        ))
    }

    /// Makes the file under another name, of this user alone, and gives it its own once it is on the disk.
    fn make(
        &self,
        directory: &Dir,
        name: &Path,
        prepare: impl Fn(&mut Connection) -> Result<()>,
    ) -> Result<()> {
        let unfinished = with_ending(name, ".new");
        for ending in ["", "-journal", "-wal", "-shm"] {
            match directory.remove_file(with_ending(&unfinished, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        directory.open_with(&unfinished, &options).map_err(failed)?;
        let temporary = Location {
            path: with_ending(&self.path, ".new"),
            wal: false,
            busy: self.busy,
        };
        let mut connection = temporary.open()?;
        prepare(&mut connection)?;
        drop(connection);
        // A name that somebody else took meanwhile is left alone.
        match directory.hard_link(&unfinished, directory, name) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed(error));
            }
            _ => {}
        }
        directory.remove_file(&unfinished).map_err(failed)?;
        let synced = directory.open(".").and_then(|file| file.sync_all());
        synced.map_err(failed)
    }

    /// A connection to the file, which has to be there.
    pub fn open(&self) -> Result<Connection> {
        self.connect().map_err(|fault| {
            if !fault.is_damage() {
                return fault.of_work();
            }
            let shown = self.path.display();
            fault.of_work().map_message(|_| {
                format!(
                    "`{shown}` cannot be opened as a SQLite database; nothing was changed in it: restore it from a copy, or name \
                     another file"
                )
            })
        })
    }

    fn connect(&self) -> Result<Connection, Fault> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW
            | OpenFlags::SQLITE_OPEN_EXRESCODE;
        let connection = Connection::open_with_flags(&self.path, flags)?;
        connection.busy_timeout(self.busy)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        for (kind, limit) in [
            (Limit::SQLITE_LIMIT_LENGTH, ROW),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, STATEMENT),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(kind, limit)?;
        }
        for (what, is_on) in [
            (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
            (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false),
            (DbConfig::SQLITE_DBCONFIG_ENABLE_VIEW, false),
        ] {
            connection.set_db_config(what, is_on)?;
        }
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cell_size_check", true)?;
        connection.pragma_update(None, "journal_size_limit", LOG)?;
        // Beside a log a commit is synced by `FULL`; without one, the removal of the journal is the commit, which `EXTRA` syncs.
        let (mode, synchronous) = match self.wal {
            true => ("wal", "FULL"),
            false => ("delete", "EXTRA"),
        };
        let asked = format!("PRAGMA journal_mode = {mode}");
        let found: String = connection.query_row(&asked, [], |row| row.get(0))?;
        if found != mode {
            let fault = Fault::busy(&format!(
                "the journal is `{found}` and cannot be made `{mode}` while another process has the file open"
            ));
            return Err(fault);
        }
        connection.pragma_update(None, "synchronous", synchronous)?;
        Ok(connection)
    }
}

/// The path of a directory that is open.
fn real(directory: &Dir) -> io::Result<PathBuf> {
    fs::read_link(format!("/proc/self/fd/{}", directory.as_raw_fd()))
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn failed(error: io::Error) -> Error {
    Error::unavailable("the file of the store cannot be made or read; the log has the cause")
        .with_source(error)
}

#[cfg(test)]
mod tests;
