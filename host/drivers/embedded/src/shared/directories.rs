//! Directories that survive a power cut: a new name is durable only when its directory was synced.

use cap_std::{ambient_authority, fs::Dir};
use std::{
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};
use wythe_blocks::{Error, Result};
use wythe_manifest::AnchoredPath;

/// Makes `directory` and what is missing above it, durably, for this user alone.
pub(crate) fn create_private(directory: &Path) -> Result<()> {
    make(directory, 0o700).map_err(|error| unmade(directory, error))
}

/// Makes the directory and what is missing above it, durably, and opens it; no link leads out of what it is below.
pub(crate) fn open(place: &AnchoredPath) -> Result<Dir> {
    let whole = (place.path(), Path::new(""));
    let (root, below) = place.anchored().unwrap_or(whole);
    let opened = make(root, 0o777)
        .and_then(|()| Dir::open_ambient_dir(or_here(root), ambient_authority()))
        .and_then(|root| make_below(&root, below));
    opened.map_err(|error| unmade(place.path(), error))
}

/// Makes and opens a directory below one that is open, with what is missing between them, durably.
pub(crate) fn make_below(root: &Dir, below: &Path) -> io::Result<Dir> {
    let (mut above, mut way) = (root.try_clone()?, PathBuf::new());
    for part in below.components() {
        way.push(part);
        // Each from the root, so that a link may lead elsewhere below it.
        let found = root.open_dir(&way);
        above = match found {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                match above.create_dir(part.as_os_str()) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                    made => made.and_then(|()| above.open(".")?.sync_all())?,
                }
                root.open_dir(&way)?
            }
            found => found?,
        };
    }
    Ok(above)
}

/// The directory, which has no name where it is the present one.
fn or_here(directory: &Path) -> &Path {
    match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    }
}

fn unmade(directory: &Path, error: io::Error) -> Error {
    let place = directory.display();
    Error::unavailable(format!(
        "`{place}` cannot be made; expected a directory that can be written"
    ))
    .with_source(error)
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
    let parent = path.parent().unwrap_or(Path::new(""));
    File::open(or_here(parent))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_made_down_to_the_last() {
        let temporary = tempfile::tempdir().unwrap();
        let deep = temporary.path().join("a/b/c");
        create_private(&deep).unwrap();
        create_private(&deep).unwrap();
        assert!(deep.is_dir());
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let temporary = tempfile::tempdir().unwrap();
        let file = temporary.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = create_private(&file.join("a")).unwrap_err();
        let expected = format!(
            "`{}/a` cannot be made; expected a directory that can be written",
            file.display()
        );
        assert_eq!(error.message(), expected);
    }

    #[test]
    fn a_link_leads_to_no_directory_elsewhere() {
        let temporary = tempfile::tempdir().unwrap();
        let at = |name: &str| temporary.path().join(name);
        fs::create_dir_all(at("bank")).unwrap();
        fs::create_dir_all(at("evil/own")).unwrap();
        std::os::unix::fs::symlink("../bank", at("evil/out")).unwrap();
        std::os::unix::fs::symlink("own", at("evil/in")).unwrap();
        let opened = |path: &str| open(&AnchoredPath::beneath(&at("evil"), &at(path)).unwrap());
        opened("evil/in/a/b").unwrap();
        assert!(at("evil/own/a/b").is_dir());
        for outside in ["evil/out", "evil/out/a", "evil/../evil/out/a/b"] {
            opened(outside).unwrap_err();
        }
        assert_eq!(fs::read_dir(at("bank")).unwrap().count(), 0);
    }
}
