//! Opening and reading the files that a project names: regular files alone, without waiting for a writer, never more than
//! is allowed, and never through a link that leads out of the directory that they belong to.

use std::fmt;
use std::fs::{self, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component as Part, Path};
use std::time::{Duration, SystemTime};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};

use crate::anchored_path::AnchoredPath;
use crate::problem::Problem;
use crate::yaml::LARGEST_FILE;

/// Flags by which opening a FIFO does not wait for its other end, and opening a terminal does not make it the process's
/// own.
pub(crate) const FLAGS: i32 = libc::O_NONBLOCK | libc::O_NOCTTY;

/// A regular file, opened once: what is known of it and what is read are of the same file.
#[derive(Debug)]
pub struct OpenFile {
    file: fs::File,
    size: u64,
    stamp: Stamp,
}

/// A stamp of a file: which one it is and when it changed last. Two equal stamps mean the same bytes: nobody can set
/// the time of a change of the inode, as they can that of the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

/// The reason why a file is not read; displayed as the end of a sentence.
#[derive(Debug)]
pub enum Unreadable {
    /// The system says no.
    Io(io::Error),
    /// The file is a FIFO, a device, a socket or a directory.
    Irregular(&'static str),
    /// A link on the way leads out of the directory that the file belongs to.
    LeadsOut,
    /// The file has more bytes than this.
    TooLarge(u64),
}

impl OpenFile {
    /// Opens a file of a project; see [`AnchoredPath::new`].
    pub fn open(root: Option<&Path>, path: &Path) -> Result<Self, Unreadable> {
        AnchoredPath::new(root, path).open()
    }

    /// Opens a file of a directory that is open already.
    pub fn open_in(directory: &Dir, name: impl AsRef<Path>) -> Result<Self, Unreadable> {
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(FLAGS);
        let file = directory.open_with(name, &options).map_err(refused)?;
        Self::checked(file.into_std())
    }

    pub(crate) fn checked(file: fs::File) -> Result<Self, Unreadable> {
        let metadata = file.metadata().map_err(Unreadable::Io)?;
        match irregular(&metadata) {
            Some(what) => Err(Unreadable::Irregular(what)),
            None => Ok(Self {
                file,
                size: metadata.len(),
                stamp: Stamp::of(&metadata),
            }),
        }
    }

    /// The stamp of the file as it was when it was opened.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// All of its bytes, in one buffer that does not grow on the way unless the file does.
    pub fn read(self, limit: u64) -> Result<Vec<u8>, Unreadable> {
        if self.size > limit {
            return Err(Unreadable::TooLarge(limit));
        }
        let capacity = usize::try_from(self.size.saturating_add(1)).unwrap_or(usize::MAX);
        let mut bytes = Vec::with_capacity(capacity);
        // One byte more than is allowed tells that there is more.
        let mut bounded = self.file.take(limit.saturating_add(1));
        bounded.read_to_end(&mut bytes).map_err(Unreadable::Io)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(Unreadable::TooLarge(limit));
        }
        Ok(bytes)
    }
}

impl Read for OpenFile {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.file.read(bytes)
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }

    /// The time when the file or its inode changed last, by the clock of the file system.
    pub fn changed(&self) -> SystemTime {
        let (seconds, nanoseconds) = self.changed;
        let seconds = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        let nanoseconds = Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0));
        SystemTime::UNIX_EPOCH + seconds + nanoseconds
    }
}

impl Unreadable {
    /// Says whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == ErrorKind::NotFound)
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => f.write_str(&reason(error)),
            Self::Irregular(what) => write!(f, "{what}; expected a regular file"),
            Self::LeadsOut => f.write_str(
                "a link leads out of the directory that it belongs to; write the path that is meant instead",
            ),
            Self::TooLarge(limit) if limit % (1 << 20) == 0 => {
                write!(f, "larger than {} MiB, which is the most that is read", limit >> 20)
            }
            Self::TooLarge(limit) => {
                write!(f, "larger than {} KiB, which is the most that is read", limit >> 10)
            }
        }
    }
}

impl std::error::Error for Unreadable {}

/// The system's own refusals have a number; those of the sandbox have none.
pub(crate) fn refused(error: io::Error) -> Unreadable {
    match error.kind() {
        ErrorKind::PermissionDenied if error.raw_os_error().is_none() => Unreadable::LeadsOut,
        _ => Unreadable::Io(error),
    }
}

/// Says whether a relative path has more `..` than directories before them.
pub(crate) fn leaves(path: &Path) -> bool {
    let mut depth = 0_i64;
    !path.is_absolute()
        && path.components().any(|part| {
            match part {
                Part::ParentDir => depth -= 1,
                Part::Normal(_) => depth += 1,
                Part::CurDir | Part::RootDir | Part::Prefix(_) => {}
            }
            depth < 0
        })
}

fn irregular(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_dir() => Some("a directory"),
        () if kind.is_fifo() => Some("a FIFO"),
        () if kind.is_socket() => Some("a socket"),
        () => Some("a device"),
    }
}

/// The text of a resource or a manifest.
pub(crate) fn read(root: Option<&Path>, path: &Path) -> Result<String, Problem> {
    text(OpenFile::open(root, path), path)
}

/// The text of a file that is open.
pub(crate) fn text(file: Result<OpenFile, Unreadable>, path: &Path) -> Result<String, Problem> {
    let limit = u64::try_from(LARGEST_FILE).unwrap_or(u64::MAX);
    let bytes = file.and_then(|file| file.read(limit));
    let bytes = bytes.map_err(|why| match why {
        Unreadable::TooLarge(_) => Problem::of_file(path, why.to_string()),
        _ => Problem::of_file(path, format!("cannot be read: {why}")),
    })?;
    String::from_utf8(bytes).map_err(|_| Problem::of_file(path, "not UTF-8 text"))
}

/// The operating system's words, as the end of a sentence.
pub(crate) fn reason(error: &io::Error) -> String {
    error.kind().to_string()
}
