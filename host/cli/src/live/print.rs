//! A fingerprint of the files of a tenant: another one says that something changed.

use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    hash::{DefaultHasher, Hash, Hasher},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};
use wythe_manifest::OpenFile;

/// Files that are looked at, and how deep below the directory: what is beyond counts only by being there.
const FILES: usize = 4_096;
const DEPTH: usize = 8;
/// Files that were written less than this ago may be only half there.
const SETTLE: Duration = Duration::from_millis(150);
/// Directories that builds write and people do not.
pub const IGNORED: [&str; 4] = [".git", ".wythe", "node_modules", "target"];

/// The files of a tenant at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Print {
    own: u64,
    /// The files that are elsewhere, or that builds write.
    more: u64,
    /// The time at which the youngest of them was written.
    youngest: Option<SystemTime>,
}

impl Print {
    /// The same look at the directory, with a look at other files beside it.
    pub fn with(self, directory: &Path, more: &[PathBuf]) -> Self {
        let mut other = Found::new();
        more.iter().for_each(|path| other.add_file(directory, path));
        Print {
            more: other.hasher.finish(),
            ..self
        }
    }

    /// Returns whether both tell of the same files.
    pub fn is_same(&self, other: &Print) -> bool {
        (self.own, self.more) == (other.own, other.more)
    }

    /// Says whether every file is whole, as far as time tells. One that is from the future is not waited for.
    pub fn is_settled(&self) -> bool {
        self.youngest.is_none_or(is_settled)
    }
}

/// Says whether a file that changed at this time is whole, as far as time tells.
pub fn is_settled(changed: SystemTime) -> bool {
    let age = SystemTime::now().duration_since(changed);
    age.map_or(true, |age| age >= SETTLE)
}

/// Looks at a directory, and at files that are elsewhere or that builds write.
pub fn of(directory: &Path, more: &[PathBuf]) -> Print {
    let (mut own, mut other) = (Found::new(), Found::new());
    own.walk(directory, directory, DEPTH);
    more.iter().for_each(|path| other.add_file(directory, path));
    Print {
        own: own.hasher.finish(),
        more: other.hasher.finish(),
        youngest: own.youngest.max(other.youngest),
    }
}

struct Found {
    hasher: DefaultHasher,
    left: usize,
    youngest: Option<SystemTime>,
}

impl Found {
    fn new() -> Self {
        Found {
            hasher: DefaultHasher::new(),
            left: FILES,
            youngest: None,
        }
    }

    /// Looks at the entries of a directory of the tenant whose directory is `top`.
    fn walk(&mut self, top: &Path, directory: &Path, depth: usize) {
        let is_ignored = |name: &OsStr| IGNORED.iter().any(|ignored| name == *ignored);
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        let entries = entries.filter(|entry| !is_ignored(&entry.file_name()));
        // What is not looked at is not sorted either.
        let entries = entries.take(self.left);
        let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths {
            if self.left == 0 {
                return;
            }
            self.left -= 1;
            path.hash(&mut self.hasher);
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            self.stamp(&metadata);
            if metadata.is_symlink() {
                // A file that is linked counts by what it is, and the link by where it leads.
                self.add_file(top, &path);
            } else if depth > 0 && metadata.is_dir() {
                self.walk(top, &path, depth - 1);
            }
        }
    }

    /// Looks at a file as the project's files are opened: not through a link that leads out of the directory, for
    /// nobody knows how long that takes.
    fn add_file(&mut self, top: &Path, path: &Path) {
        path.hash(&mut self.hasher);
        if let Ok(file) = OpenFile::open(Some(top), path) {
            // The time alone is too coarse: some file systems count it in hundredths of a second.
            file.stamp().hash(&mut self.hasher);
            self.youngest = self.youngest.max(Some(file.stamp().changed()));
        }
    }

    fn stamp(&mut self, metadata: &Metadata) {
        (metadata.ino(), metadata.len(), metadata.is_dir()).hash(&mut self.hasher);
        if metadata.is_dir() {
            return;
        }
        (metadata.mtime(), metadata.mtime_nsec()).hash(&mut self.hasher);
        (metadata.ctime(), metadata.ctime_nsec()).hash(&mut self.hasher);
        self.youngest = self.youngest.max(metadata.modified().ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_change_of_a_file_is_another_print() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        write("wythe.yaml", "a");
        let guest = write("target/app.wasm", "a");
        let more = [guest];
        let look = || of(directory.path(), &more);
        let first = look();
        assert!(first.is_same(&look()));
        write("target/other", "a");
        assert!(first.is_same(&look()));
        write("wythe.yaml", "ab");
        let second = look();
        assert!(!first.is_same(&second));
        write("resources/a.yaml", "a");
        let third = look();
        assert!(!second.is_same(&third));
        write("target/app.wasm", "ab");
        let fourth = look();
        assert!(!third.is_same(&fourth));
        fs::remove_file(directory.path().join("resources/a.yaml")).unwrap();
        assert!(!fourth.is_same(&look()));
        assert!(fourth.youngest.is_some());
        assert!(
            fourth.is_same(&fourth.with(directory.path(), &more))
                && !fourth.is_same(&fourth.with(directory.path(), &[]))
        );
    }

    #[test]
    fn a_link_counts_by_what_it_leads_to_only_within_the_directory() {
        let (directory, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (inside, elsewhere) = (directory.path().join(".git"), outside.path().join("file"));
        fs::create_dir(&inside).unwrap();
        fs::write(inside.join("file"), "a").unwrap();
        fs::write(&elsewhere, "a").unwrap();
        let link = |to: &Path, name: &str| {
            std::os::unix::fs::symlink(to, directory.path().join(name)).unwrap();
        };
        link(Path::new(".git/file"), "in");
        link(&elsewhere, "out");
        link(outside.path(), "directory");
        let look = || of(directory.path(), &[directory.path().join("directory/file")]);
        let first = look();
        fs::rename(&elsewhere, outside.path().join("old")).unwrap();
        fs::write(&elsewhere, "ab").unwrap();
        assert!(first.is_same(&look()));
        fs::write(inside.join("new"), "ab").unwrap();
        fs::rename(inside.join("new"), inside.join("file")).unwrap();
        assert!(!first.is_same(&look()));
    }

    #[test]
    fn files_beyond_the_bound_are_not_read() {
        let directory = tempfile::tempdir().unwrap();
        for number in 0..FILES + 10 {
            fs::write(directory.path().join(number.to_string()), "").unwrap();
        }
        let mut found = Found::new();
        found.left = 7;
        found.walk(directory.path(), directory.path(), DEPTH);
        assert_eq!(found.left, 0);
        assert!(of(directory.path(), &[]).is_same(&of(directory.path(), &[])));
    }
}
