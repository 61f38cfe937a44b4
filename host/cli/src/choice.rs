//! A project as its user names it: a manifest, and perhaps other resources than those that it names.

use std::path::{Path, PathBuf};

/// A project as its user names it.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The manifest or its directory.
    pub path: PathBuf,
    /// Directories of resources in place of those of the manifest; none where those are meant.
    pub resources: Vec<PathBuf>,
}

impl<P: AsRef<Path> + ?Sized> From<&P> for Choice {
    /// A project with the resources that its manifest names.
    fn from(path: &P) -> Self {
        Choice {
            path: path.as_ref().to_owned(),
            resources: Vec::new(),
        }
    }
}
