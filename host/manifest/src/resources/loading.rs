//! Reading the files of directories of resources, within what one project may have.

use std::io;
use std::path::{Path, PathBuf};

use cap_std::fs::{Dir, MetadataExt};

use super::{Resources, parse_file};
use crate::anchored_path::AnchoredPath;
use crate::file::{self, OpenFile, Unreadable};
use crate::problem::{Problem, Problems, Severity};

/// Files of one project.
const MAX_FILES: usize = 1_000;
/// Bytes of all of them.
const MAX_BYTES: usize = 16 << 20;
/// Errors that are kept of one project, and as many warnings.
const MAX_PROBLEMS: usize = 1_000;

/// Resources as far as they were read.
#[derive(Default)]
pub(super) struct Loading {
    pub resources: Resources,
    pub problems: Problems,
    /// Devices and inodes of the directories.
    seen: Vec<(u64, u64)>,
    files: usize,
    bytes: usize,
}

impl Loading {
    /// Reads a directory by one handle. An error ends the reading of it.
    pub fn read_directory(&mut self, place: &AnchoredPath) -> Result<(), Problem> {
        let shown = place.path();
        let unreadable = |why: Unreadable| {
            let message = format!("cannot be read as a directory of resources: {why}");
            Problem::of_file(shown, message)
        };
        let directory = place.open_directory().map_err(unreadable)?;
        let names = self
            .names(&directory)
            .map_err(|error| unreadable(Unreadable::Io(error)))?;
        for name in names {
            self.read_file(&directory, &name, &shown.join(&name));
        }
        match () {
            () if self.files > MAX_FILES => Err(Problem::of_file(
                shown,
                format!(
                    "more than {MAX_FILES} files of resources; expected fewer, of several documents each"
                ),
            )),
            () if self.bytes > MAX_BYTES => Err(Problem::of_file(
                shown,
                format!(
                    "more than {} MiB of resources; expected less",
                    MAX_BYTES >> 20
                ),
            )),
            () => Ok(()),
        }
    }

    /// The names of its files, in order; none where the directory was read before: it may be named twice, for all apps and
    /// for one of them.
    fn names(&mut self, directory: &Dir) -> io::Result<Vec<PathBuf>> {
        let metadata = directory.dir_metadata()?;
        let place = (metadata.dev(), metadata.ino());
        if self.seen.contains(&place) || self.files > MAX_FILES || self.bytes > MAX_BYTES {
            return Ok(Vec::new());
        }
        self.seen.push(place);
        let mut names = Vec::new();
        for entry in directory.entries()? {
            let name = PathBuf::from(entry?.file_name());
            let extension = name.extension();
            let is_yaml = extension.is_some_and(|it| it == "yaml" || it == "yml");
            // What is no file at all is told when it is read.
            if !is_yaml || directory.metadata(&name).is_ok_and(|it| it.is_dir()) {
                continue;
            }
            self.files += 1;
            if self.files > MAX_FILES {
                return Ok(Vec::new());
            }
            names.push(name);
        }
        names.sort();
        Ok(names)
    }

    fn read_file(&mut self, directory: &Dir, name: &Path, shown: &Path) {
        if self.bytes > MAX_BYTES {
            return;
        }
        let text = file::text(OpenFile::open_in(directory, name), shown);
        self.bytes += text.as_ref().map_or(0, String::len);
        let found = match text {
            Ok(_) if self.bytes > MAX_BYTES => return,
            Ok(text) => {
                let (more, found) = parse_file(&text, shown);
                self.resources.extend(more);
                found
            }
            Err(problem) => problem.into(),
        };
        found.0.into_iter().for_each(|problem| self.keep(problem));
    }

    /// Counts for each severity: an error may not get lost behind warnings.
    pub fn keep(&mut self, problem: Problem) {
        let severity: Severity = problem.severity;
        let found = self.problems.0.iter();
        if found.filter(|one| one.severity == severity).count() < MAX_PROBLEMS {
            self.problems.0.push(problem);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_resources;
    use std::fs;

    /// The resources of a directory with so many files of this text.
    fn loaded(count: usize, text: &str) -> (Resources, Vec<String>) {
        let place = tempfile::tempdir().expect("a directory");
        for number in 0..count {
            fs::write(place.path().join(format!("{number:04}.yaml")), text).expect("a file");
        }
        let (resources, problems) = load_resources(&[place.path().to_path_buf()]);
        (resources, problems.iter().map(Problem::text).collect())
    }

    #[test]
    fn a_project_has_so_many_files_and_bytes() {
        assert_eq!(loaded(MAX_FILES, "").1, [] as [&str; 0]);
        let (resources, problems) = loaded(MAX_FILES + 1, "kind: Component\n");
        let expected =
            "more than 1000 files of resources; expected fewer, of several documents each";
        assert_eq!(problems, [expected]);
        assert!(resources.components.is_empty());
        let mebibyte = format!("#{}", " ".repeat((1 << 20) - 1));
        assert_eq!(loaded(16, &mebibyte).1, [] as [&str; 0]);
        let expected = "more than 16 MiB of resources; expected less";
        assert_eq!(loaded(17, &mebibyte).1, [expected]);
    }

    #[test]
    fn so_many_problems_are_kept_and_no_error_is_lost_behind_warnings() {
        let wrong = "---\nkind: Component\n".repeat(3);
        assert_eq!(loaded(400, &wrong).1.len(), MAX_PROBLEMS);
        let warned = "---\nkind: Other\n".repeat(3);
        let (_, problems) = loaded(400, &format!("{warned}{wrong}"));
        assert_eq!(problems.len(), 2 * MAX_PROBLEMS);
    }
}
