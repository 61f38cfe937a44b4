//! The user of a tenant's process, where root runs the host: the owner of the tenant's data is the record of it.

use super::own_data;
use crate::{private, report::Problem};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    fs::{self, File, Metadata, Permissions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown, lchown},
    },
    path::{Path, PathBuf},
};
use wythe_manifest::{Name, Users};

/// Directories within each other in a tenant's data: each takes a descriptor of the host while it is given away.
const DEPTH: usize = 64;
/// Entries of a tenant's data that are looked at before the host opens it, which takes some seconds at most.
const ENTRIES: usize = 1_000_000;
/// The turn to choose a user.
static TURN: Mutex<()> = Mutex::new(());

/// Makes the directory of a tenant's data, and gives it to the user of its process; none where the host is no root's and its
/// own user has both. No process of the tenant runs meanwhile.
pub fn prepare(data: &Path, tenant: &Name, users: &Users) -> Result<Option<u32>, Problem> {
    let own = own_data(data, tenant.as_str());
    let failed = |error: io::Error| {
        Problem::new(format!(
            "the data of tenant `{tenant}` at {} cannot be given to its process: {error}",
            own.display()
        ))
    };
    private::make(&own).map_err(failed)?;
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let all = data.join("data");
    let _turn = TURN.lock();
    let owner = fs::metadata(&own).map_err(failed)?.uid();
    let user = match users.contains(owner) {
        true => owner,
        false => free(&all, users).map_err(failed)?.ok_or_else(|| {
            let (first, last) = (users.first, users.last);
            Problem::new(format!(
                "no user is left for the process of tenant `{tenant}`: {first} to {last} are those of others; write a wider \
                 `tenantUsers` in the document of `kind: Host`"
            ))
        })?,
    };
    lead_in(data, &all).map_err(failed)?;
    give(&own, user).map_err(failed)?;
    Ok(Some(user))
}

/// The lowest user that has no tenant's data.
fn free(all: &Path, users: &Users) -> io::Result<Option<u32>> {
    let mut taken = BTreeSet::new();
    for entry in fs::read_dir(all)? {
        taken.insert(entry?.metadata()?.uid());
    }
    Ok((users.first..=users.last).find(|user| !taken.contains(user)))
}

/// Lets other users through to their own directories, and into nobody else's.
fn lead_in(data: &Path, all: &Path) -> io::Result<()> {
    for entry in fs::read_dir(all)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() && metadata.mode() & 0o077 != 0 {
            fs::set_permissions(entry.path(), Permissions::from_mode(0o700))?;
        }
    }
    for directory in [all, data] {
        let mode = fs::metadata(directory)?.mode() & 0o7777;
        if mode & 0o011 != 0o011 {
            fs::set_permissions(directory, Permissions::from_mode(mode | 0o011))?;
        }
    }
    Ok(())
}

/// Gives a directory with all below it to a user; no link is followed.
fn give(own: &Path, user: u32) -> io::Result<()> {
    give_below(&open(own, &fs::symlink_metadata(own)?)?, user, DEPTH)
}

fn give_below(directory: &File, user: u32, depth: usize) -> io::Result<()> {
    if depth == 0 {
        return Err(io::Error::other(format!(
            "directories are nested more than {DEPTH} deep"
        )));
    }
    fchown(directory, Some(user), Some(user))?;
    // Names lead through the descriptor, whatever becomes of the path meanwhile.
    let through = Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string());
    for entry in fs::read_dir(through)? {
        let path = entry?.path();
        let metadata = fs::symlink_metadata(&path)?;
        if metadata.is_dir() {
            give_below(&open(&path, &metadata)?, user, depth - 1)?;
            continue;
        }
        if metadata.is_file() && metadata.nlink() > 1 && metadata.uid() != user {
            let name = path.file_name().unwrap_or_default().display();
            return Err(io::Error::other(format!(
                "the file `{name}` has another name (a hard link), which would be given away as well; remove one of the two"
            )));
        }
        if (metadata.uid(), metadata.gid()) != (user, user) {
            lchown(&path, Some(user), Some(user))?;
        }
    }
    Ok(())
}

/// Opens the very directory that was looked at.
fn open(path: &Path, seen: &Metadata) -> io::Result<File> {
    let directory = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_DIRECTORY)
        .open(path)?;
    let now = directory.metadata()?;
    match (now.dev(), now.ino()) == (seen.dev(), seen.ino()) {
        true => Ok(directory),
        false => Err(io::Error::other("a directory was replaced meanwhile")),
    }
}

/// Refuses data that a process of the tenant's could write, where the host's own process is to open it with root's rights and
/// a link leads elsewhere. No process of the tenant runs meanwhile.
pub fn check_shared(data: &Path, tenant: &Name) -> Result<(), Problem> {
    let own = own_data(data, tenant.as_str());
    let is_foreign = |metadata: Metadata| metadata.uid() != 0;
    if !rustix::process::geteuid().is_root() || !fs::metadata(&own).is_ok_and(is_foreign) {
        return Ok(());
    }
    let failed = |error: io::Error| {
        Problem::new(format!(
            "the data of tenant `{tenant}` at {} cannot be looked through: {error}",
            own.display()
        ))
    };
    match misfit(&own).map_err(failed)? {
        None => Ok(()),
        Some((path, what)) => Err(Problem::new(format!(
            "the data of tenant `{tenant}` was written by a process of its own, and {} {what}: the host's own process does not \
             open it; remove that, or write `isolation: process`",
            path.display()
        ))),
    }
}

/// Finds what leads out of a directory, or is too much to look for it.
fn misfit(own: &Path) -> io::Result<Option<(PathBuf, &'static str)>> {
    let (mut left, mut entries) = (vec![(own.to_owned(), 0)], 0);
    while let Some((directory, depth)) = left.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let metadata = fs::symlink_metadata(&path)?;
            entries += 1;
            let what = match metadata.is_dir() {
                _ if entries > ENTRIES => "is one of more than 1,000,000 entries",
                _ if metadata.is_symlink() => "is a symbolic link",
                true if depth >= DEPTH => "is nested more than 64 directories deep",
                true => {
                    left.push((path, depth + 1));
                    continue;
                }
                false if metadata.is_file() && metadata.nlink() > 1 => {
                    "has another name (a hard link)"
                }
                false => continue,
            };
            return Ok(Some((path, what)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tenant_has_a_user_of_its_own_and_keeps_it() {
        let (data, users) = (
            tempfile::tempdir().unwrap(),
            "300000-300001".parse().unwrap(),
        );
        let prepare = |tenant: &str| prepare(data.path(), &tenant.parse().unwrap(), &users);
        if !rustix::process::geteuid().is_root() {
            assert_eq!(prepare("shop").unwrap(), None);
            return;
        }
        assert_eq!(prepare("shop").unwrap(), Some(300_000));
        let file = data.path().join("data/shop/file");
        fs::write(&file, "").unwrap();
        std::os::unix::fs::symlink("/etc/hosts", data.path().join("data/shop/link")).unwrap();
        assert_eq!(prepare("bank").unwrap(), Some(300_001));
        assert_eq!(prepare("shop").unwrap(), Some(300_000));
        assert_eq!(fs::metadata(&file).unwrap().uid(), 300_000);
        assert_eq!(fs::metadata("/etc/hosts").unwrap().uid(), 0);
        let full = prepare("more").unwrap_err();
        assert!(full.message.contains("`tenantUsers`"), "{}", full.message);
        let mode = |name: &str| fs::metadata(data.path().join(name)).unwrap().mode() & 0o777;
        assert_eq!((mode("data"), mode("data/shop")), (0o711, 0o700));
    }

    #[test]
    fn data_with_a_link_is_not_opened_with_the_rights_of_root() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let found = || misfit(&at("own")).unwrap().map(|(path, _)| path);
        fs::create_dir_all(at("own/below")).unwrap();
        fs::write(at("own/below/file"), "").unwrap();
        fs::write(at("outside"), "").unwrap();
        assert_eq!(found(), None);
        std::os::unix::fs::symlink(at("outside"), at("own/below/link")).unwrap();
        assert_eq!(found(), Some(at("own/below/link")));
        fs::remove_file(at("own/below/link")).unwrap();
        fs::hard_link(at("outside"), at("own/hard")).unwrap();
        assert_eq!(found(), Some(at("own/hard")));
        fs::remove_file(at("own/hard")).unwrap();
        fs::create_dir_all(at("own").join("d/".repeat(DEPTH + 1))).unwrap();
        assert!(found().is_some());
    }

    #[test]
    fn a_file_with_another_name_is_not_given_away() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("own")).unwrap();
        fs::write(at("outside"), "").unwrap();
        fs::hard_link(at("outside"), at("own/hard")).unwrap();
        assert!(give(&at("own"), 300_000).is_err());
        assert_eq!(fs::metadata(at("outside")).unwrap().uid(), 0);
    }
}
