//! The user of a tenant's process, where root runs the host: the owner of the tenant's data is the record of it.

use super::own_data;
use crate::{private, report::Problem};
use parking_lot::Mutex;
use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt, lchown},
    path::Path,
};
use wythe_manifest::{Name, Users};

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
    let mut left = vec![own.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = fs::symlink_metadata(&path)?;
        if (metadata.uid(), metadata.gid()) != (user, user) {
            lchown(&path, Some(user), Some(user))?;
        }
        if metadata.is_dir() {
            for entry in fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        }
    }
    Ok(())
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
}
