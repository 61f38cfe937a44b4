//! Directories that survive a power cut: a new name is durable only when its directory was synced.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::Path,
};
use wythe_blocks::{Error, Result};

/// Makes `directory` and what is missing above it, durably.
pub(crate) fn create(directory: &Path) -> Result<()> {
    create_with(directory, 0o777)
}

/// Makes it as [`create`] does, for this user alone.
pub(crate) fn create_private(directory: &Path) -> Result<()> {
    create_with(directory, 0o700)
}

fn create_with(directory: &Path, mode: u32) -> Result<()> {
    make(directory, mode).map_err(|error| {
        let place = directory.display();
        Error::unavailable(format!(
            "`{place}` cannot be made; expected a directory that can be written"
        ))
        .with_source(error)
    })
}

fn make(directory: &Path, mode: u32) -> io::Result<()> {
    if directory.is_dir() || directory.as_os_str().is_empty() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        make(parent, mode)?;
    }
    match fs::DirBuilder::new().mode(mode).create(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync_parent(directory),
    }
}

/// Syncs the directory that holds the name `path`.
pub(crate) fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_down_to_the_last() {
        let temporary = tempfile::tempdir().unwrap();
        let deep = temporary.path().join("a/b/c");
        create(&deep).unwrap();
        create(&deep).unwrap();
        assert!(deep.is_dir());
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = create(&file.join("a")).unwrap_err();
        let expected = format!(
            "`{}/a` cannot be made; expected a directory that can be written",
            file.display()
        );
        assert_eq!(error.message(), expected);
    }
}
