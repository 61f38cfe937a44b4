//! Keys that the host makes for itself: random, made once, and readable by its user alone.

use crate::random;
use std::{
    fs, io,
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

/// Bytes of a key.
const SIZE: usize = 32;

/// Reads the key in a file, which is made with its directory where there is none. Of two processes that make it at once
/// both get the same. A file that others can read, or of another size, is an error: it is not replaced, since what was
/// made with its key would no longer be known.
pub fn load(path: &Path) -> io::Result<[u8; SIZE]> {
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path)?;
            read(path)
        }
        other => other,
    }
}

/// Loads as [`load`] does, but a file that is no key of this user alone gives way to a new one: for a key with which
/// nothing was made that could not be made again. Of processes that do so at once all get the same.
pub fn load_or_renew(path: &Path) -> io::Result<[u8; SIZE]> {
    let is_wrong = |error: &io::Error| error.kind() == io::ErrorKind::InvalidData;
    match load(path) {
        Err(error) if is_wrong(&error) => {}
        other => return other,
    }
    // One after the other, so that none removes what the one before it made. A file system without locks is no reason to
    // go without a key.
    let directory = fs::File::open(directory_of(path))?;
    let _ = directory.lock();
    match load(path) {
        Err(error) if is_wrong(&error) => {
            fs::remove_file(path)?;
            load(path)
        }
        other => other,
    }
}

fn read(path: &Path) -> io::Result<[u8; SIZE]> {
    let about = fs::symlink_metadata(path)?;
    let wrong = |what: &str| {
        let text = format!("the key `{}` {what}", path.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    };
    if !about.is_file() || about.len() != SIZE as u64 {
        return Err(wrong(
            "is no file of 32 bytes; restore it, or remove it for a new one",
        ));
    }
    if about.mode() & 0o077 != 0 {
        return Err(wrong("can be read by others; say `chmod 600`"));
    }
    let mut key = [0; SIZE];
    fs::File::open(path)?.read_exact(&mut key)?;
    Ok(key)
}

/// The file appears whole under its name, and does not take the place of another process's.
fn make(path: &Path) -> io::Result<()> {
    let directory = directory_of(path);
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(directory)?;
    let key: [u8; SIZE] = random::bytes().map_err(io::Error::other)?;
    let temporary = path.with_extension(random::name().map_err(io::Error::other)?);
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)?;
    let written = file
        .write_all(&key)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::hard_link(&temporary, path));
    fs::remove_file(&temporary)?;
    match written {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    // The name is as durable as the content.
    fs::File::open(directory)?.sync_all()
}

/// The parent of a bare name is an empty path, which cannot be opened.
fn directory_of(path: &Path) -> &Path {
    let named = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    named.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_for_its_user_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new").join("events.key");
        let key = load(&path).unwrap();
        assert_eq!(load(&path).unwrap(), key);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let other = directory.path().join("other.key");
        assert_ne!(load(&other).unwrap(), key);
    }

    #[test]
    fn makers_at_once_get_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.key");
        let load = || load(&path).unwrap();
        let keys: Vec<_> = std::thread::scope(|scope| {
            let makers: Vec<_> = (0..8).map(|_| scope.spawn(load)).collect();
            makers.into_iter().map(|m| m.join().unwrap()).collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.key");
        load(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"short").unwrap();
        assert!(load(&path).unwrap_err().to_string().contains("32 bytes"));
    }

    #[test]
    fn a_wrong_key_is_renewed_where_that_is_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let first = load_or_renew(&path).unwrap();
        assert_eq!(load_or_renew(&path).unwrap(), first);
        // Others may have read it.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let second = load_or_renew(&path).unwrap();
        assert_ne!(second, first);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        // A link is replaced, and what it leads to is left alone.
        let other = directory.path().join("other");
        fs::rename(&path, &other).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert_ne!(load_or_renew(&path).unwrap(), second);
        assert_eq!(load(&other).unwrap(), second);
        // Nor is a directory in the place of a key removed.
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(load_or_renew(&path).is_err());
    }

    #[test]
    fn renewers_at_once_get_one_key() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        for _ in 0..20 {
            fs::write(&path, b"short").unwrap();
            let renew = || load_or_renew(&path).unwrap();
            let keys: Vec<_> = std::thread::scope(|scope| {
                let renewers: Vec<_> = (0..8).map(|_| scope.spawn(renew)).collect();
                renewers.into_iter().map(|r| r.join().unwrap()).collect()
            });
            assert!(keys.iter().all(|key| *key == keys[0]));
        }
    }
}
