//! The directories of tenants below the root of a host: which there are, and which are refused.

use crate::report::Problem;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use wythe_manifest::Name;

/// The directory of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub tenant: Name,
    pub path: PathBuf,
}

/// The directories below a root.
#[derive(Debug, Default)]
pub struct Folders {
    pub tenants: Vec<Folder>,
    /// Directories that are no tenant's, by their names, with the reason.
    pub refused: Vec<(String, Problem)>,
}

/// Lists the directories below a root. Files, and names that begin with a dot, are nobody's.
pub fn list(root: &Path) -> io::Result<Folders> {
    let whole = fs::canonicalize(root)?;
    let mut folders = Folders::default();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let kind = entry.file_type()?;
        if name.starts_with('.') || !(kind.is_dir() || kind.is_symlink()) {
            continue;
        }
        // What the user did not write is not shown.
        let shown = root.strip_prefix(".").unwrap_or(root);
        let path = shown.join(entry.file_name());
        match look(&whole, &name, &path) {
            Ok(Some(tenant)) => folders.tenants.push(Folder { tenant, path }),
            // A link to a file.
            Ok(None) => {}
            Err(problem) => folders.refused.push((name, problem)),
        }
    }
    folders
        .tenants
        .sort_by(|one, other| one.tenant.cmp(&other.tenant));
    Ok(folders)
}

/// Does what [`list`] does, of one directory: the others need not be read.
pub fn one(root: &Path, tenant: &Name) -> io::Result<Folders> {
    let whole = fs::canonicalize(root)?;
    let path = root.strip_prefix(".").unwrap_or(root).join(tenant.as_str());
    let mut folders = Folders::default();
    if !path.exists() {
        return Ok(folders);
    }
    match look(&whole, tenant.as_str(), &path) {
        Ok(Some(tenant)) => folders.tenants.push(Folder { tenant, path }),
        Ok(None) => {}
        Err(problem) => folders.refused.push((tenant.to_string(), problem)),
    }
    Ok(folders)
}

fn look(root: &Path, name: &str, path: &Path) -> Result<Option<Name>, Problem> {
    let of = |message: String| {
        let place = wythe_manifest::Problem::of_file(path, "").source();
        Problem::new(message).at(&place)
    };
    let found = fs::canonicalize(path)
        .map_err(|error| of(format!("the directory of a tenant cannot be read: {error}")))?;
    if !found.starts_with(root) {
        return Err(of(format!(
            "a link that leads out of {}; put the tenant's directory there itself",
            root.display()
        )));
    }
    if !found.is_dir() {
        return Ok(None);
    }
    let tenant = name.parse::<Name>();
    tenant.map(Some).map_err(|error| {
        let hint = "a directory that is no tenant's has a name that begins with a dot";
        of(format!(
            "the directory of a tenant has its name: {error}; {hint}"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn what_is_no_tenants_directory_is_refused_alone() {
        let (root, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| root.path().join(name);
        for name in ["shop", "bank", "Upper_Case", ".wythe"] {
            fs::create_dir(at(name)).unwrap();
        }
        fs::write(at("README.md"), "").unwrap();
        symlink(at("README.md"), at("link-to-file")).unwrap();
        symlink(at("shop"), at("same")).unwrap();
        symlink(outside.path(), at("out")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        let folders = list(root.path()).unwrap();
        let names: Vec<_> = folders
            .tenants
            .iter()
            .map(|one| one.tenant.as_str())
            .collect();
        assert_eq!(names, ["bank", "same", "shop"]);
        let mut refused: Vec<_> = folders
            .refused
            .iter()
            .map(|(name, problem)| format!("{name}: {}", problem.message))
            .collect();
        refused.sort();
        assert_eq!(refused.len(), 3, "{refused:?}");
        let found = refused[0].starts_with("Upper_Case: the directory of a tenant has its name:");
        assert!(found, "{refused:?}");
        let found = refused[1].starts_with("dangling: the directory of a tenant cannot be read");
        assert!(found, "{refused:?}");
        assert!(
            refused[2].starts_with("out: a link that leads out of "),
            "{refused:?}"
        );
    }
}
