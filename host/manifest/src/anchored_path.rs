//! Paths that are written, each with the directory that no link on its way may lead out of.

use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component as Part, Path, PathBuf, absolute};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};

use crate::app::join;
use crate::file::{FLAGS, OpenFile, Unreadable, leaves, refused};

/// A path that is opened in the same way each time: below a directory that no link leads out of, or, where it is the
/// operator's word, wherever it leads.
#[derive(Clone, Debug)]
pub struct AnchoredPath {
    path: PathBuf,
    anchor: Option<Anchor>,
}

#[derive(Clone, Debug)]
struct Anchor {
    root: PathBuf,
    /// The way below it; `.` for itself.
    below: PathBuf,
}

impl AnchoredPath {
    /// A path of a project. One that is written below `root` may not leave it by a link; one that is absolute, or that
    /// leaves it by its own `..`, is what the operator wrote, and so is every path where there is no root.
    pub fn new(root: Option<&Path>, path: &Path) -> Self {
        let anchor = root.and_then(|root| {
            Some(Anchor {
                root: root.to_path_buf(),
                below: below(root, path)?,
            })
        });
        Self {
            path: path.to_path_buf(),
            anchor,
        }
    }

    /// A path whose own `..` are taken away before anything is looked at; none where it is not below `root` then.
    pub fn beneath(root: &Path, path: &Path) -> Option<Self> {
        let (path, top) = (plain(path)?, plain(root)?);
        let below = path.strip_prefix(top).ok()?;
        Some(Self {
            path: join(root, below),
            anchor: Some(Anchor {
                root: root.to_path_buf(),
                below: join(below, "."),
            }),
        })
    }

    /// The path, to be shown.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The directory that it stays below, if there is one, and the way from there.
    pub fn anchored(&self) -> Option<(&Path, &Path)> {
        let anchor = self.anchor.as_ref()?;
        Some((&anchor.root, &anchor.below))
    }

    /// The path of the file beside it whose name goes on with an extension; it is opened in the same way.
    pub fn with_added_extension(&self, extension: &str) -> Self {
        let anchor = self.anchor.as_ref().map(|anchor| Anchor {
            root: anchor.root.clone(),
            below: anchor.below.with_added_extension(extension),
        });
        Self {
            path: self.path.with_added_extension(extension),
            anchor,
        }
    }

    /// Opens the file as it is now.
    pub fn open(&self) -> Result<OpenFile, Unreadable> {
        let file = match &self.anchor {
            Some(anchor) => {
                let mut options = OpenOptions::new();
                options.read(true).custom_flags(FLAGS);
                let file = anchor.root()?.open_with(&anchor.below, &options);
                file.map_err(refused)?.into_std()
            }
            None => fs::OpenOptions::new()
                .read(true)
                .custom_flags(FLAGS)
                .open(&self.path)
                .map_err(Unreadable::Io)?,
        };
        OpenFile::checked(file)
    }

    /// Opens the directory as it is now. What becomes of the path later leads the handle nowhere else.
    pub fn open_directory(&self) -> Result<Dir, Unreadable> {
        match &self.anchor {
            Some(anchor) => anchor.root()?.open_dir(&anchor.below).map_err(refused),
            None => ambient(&self.path),
        }
    }
}

impl Anchor {
    fn root(&self) -> Result<Dir, Unreadable> {
        ambient(&self.root)
    }
}

fn ambient(directory: &Path) -> Result<Dir, Unreadable> {
    let directory = match directory.as_os_str().is_empty() {
        true => Path::new("."),
        false => directory,
    };
    Dir::open_ambient_dir(directory, ambient_authority()).map_err(Unreadable::Io)
}

/// The path from the root of the file system, by its words alone.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in absolute(join(path, ".")).ok()?.components() {
        match part {
            Part::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
    }
    Some(plain)
}

/// The path below `root` as it is written; none where it is not below.
fn below(root: &Path, path: &Path) -> Option<PathBuf> {
    let is_here = root.components().all(|part| part == Part::CurDir);
    let relative = match is_here {
        true => path,
        false => path.strip_prefix(root).ok()?,
    };
    (relative.is_relative() && !leaves(relative)).then(|| join(relative, "."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_path_without_its_own_dots() {
        let beneath = |root: &str, path: &str| {
            let place = AnchoredPath::beneath(Path::new(root), Path::new(path))?;
            Some((place.path.display().to_string(), place.anchor?.below))
        };
        let expected = |path: &str, below: &str| Some((path.to_owned(), PathBuf::from(below)));
        assert_eq!(
            beneath("t/a", "t/a/resources/../keys"),
            expected("t/a/keys", "keys")
        );
        assert_eq!(beneath("t/a", "t/a/../a/./k"), expected("t/a/k", "k"));
        assert_eq!(beneath("/t/a", "/t/a"), expected("/t/a", "."));
        assert_eq!(beneath(".", "r/../keys"), expected("keys", "keys"));
        for outside in ["t/b/x", "t/a/../b", "t/ab", "/t/a/x", "t/a/../../a/x"] {
            assert_eq!(beneath("t/a", outside), None, "{outside}");
        }
    }

    #[test]
    fn no_link_leads_out_at_any_time() {
        let temporary = tempfile::tempdir().expect("a directory");
        let at = |name: &str| temporary.path().join(name);
        for tenant in ["bank", "evil/own"] {
            fs::create_dir_all(at(tenant)).expect("a directory");
            fs::write(at(tenant).join("s.json"), tenant).expect("a file");
        }
        symlink("own", at("evil/l")).expect("a link");
        let place = AnchoredPath::beneath(&at("evil"), &at("evil/r/../../evil/l/s.json"));
        let folder = AnchoredPath::beneath(&at("evil"), &at("evil/l")).expect("below");
        let place = place.expect("below");
        assert_eq!(
            place.open().and_then(|file| file.read(9)).expect("a file"),
            b"evil/own"
        );
        folder.open_directory().expect("a directory");
        fs::remove_file(at("evil/l")).expect("no link");
        symlink("../bank", at("evil/l")).expect("a link");
        assert!(matches!(place.open(), Err(Unreadable::LeadsOut)));
        assert!(matches!(folder.open_directory(), Err(Unreadable::LeadsOut)));
    }
}
