//! The file or directory of a store: its place, its first making, and its format.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};
use wythe_blocks::{Error, Result};

/// Makes a file of this user alone, where it is this user's.
pub(crate) fn make_private(file: &Path) -> io::Result<()> {
    // By descriptor: the process of a tenant may not change modes by path.
    fs::File::open(file)?.set_permissions(fs::Permissions::from_mode(0o600))
}

/// Says whether a store has to be made at `file`. An empty file is none: whoever emptied it took a store away, and to
/// begin with a new one in its place would hide that.
pub(crate) fn is_new(file: &Path) -> Result<bool> {
    let metadata = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        found => found.map_err(|error| {
            let place = file.display();
            Error::unavailable(format!("`{place}` cannot be read")).with_source(error)
        })?,
    };
    match metadata.len() {
        0 => Err(lost(file, "empty")),
        _ => Ok(false),
    }
}

/// The error of a store whose data is gone, though something of it is there.
pub(crate) fn lost(file: &Path, how: &str) -> Error {
    let place = file.display();
    Error::unavailable(format!(
        "`{place}` is {how}, so the store that was in it is lost; restore it from a copy, or remove what is left to start \
         with an empty store"
    ))
}

/// Place where something is made before it gets its name: a store that was made in part, by a process that was killed,
/// is never taken for one.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

/// Place of a store: what its config says, or its usual name; below the component's own directory where it is no
/// absolute path.
pub(crate) fn path(configured: Option<PathBuf>, directory: &Path, name: &str) -> PathBuf {
    directory.join(configured.as_deref().unwrap_or(Path::new(name)))
}

/// Checks the format a store says it has; absent is a new store.
pub(crate) fn check_format(path: &Path, found: Option<u64>, known: u64) -> Result<()> {
    match found {
        Some(found) if found > known => Err(Error::unsupported(format!(
            "`{}` has format {found}; this build reads up to {known}; use the newer build that wrote it",
            path.display()
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused() {
        let error = check_format(Path::new("/s"), Some(2), 1).unwrap_err();
        assert_eq!(
            error.message(),
            "`/s` has format 2; this build reads up to 1; use the newer build that wrote it"
        );
        assert!(check_format(Path::new("/s"), None, 1).is_ok());
    }
}
