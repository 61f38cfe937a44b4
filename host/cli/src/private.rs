//! Directories of the host's own: nobody else may write to them, and who made them is whoever runs the host.

use crate::report::Problem;
use std::{
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::Path,
};

/// Mode bits with which others may write.
const OTHERS_WRITE: u32 = 0o022;

/// Refuses a directory of another user, or one that others may write to; one that is not there yet is made private.
/// `what` is how messages call it.
pub fn check(directory: &Path, what: &str) -> Result<(), Problem> {
    let Ok(metadata) = fs::metadata(directory) else {
        return Ok(());
    };
    let (user, shown) = (rustix::process::geteuid().as_raw(), directory.display());
    if metadata.uid() != user {
        return Err(denied(format!(
            "the {what} directory `{shown}` belongs to user {}, and this host runs as user {user}; give it to that one by \
             `chown {user} {shown}`, or name another",
            metadata.uid()
        )));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(denied(format!(
            "the {what} directory `{shown}` can be written by others (mode {:03o}); take that away by `chmod go-w {shown}`",
            metadata.mode() & 0o777
        )));
    }
    Ok(())
}

/// Makes a directory that is not there yet, and those above it, for this user alone.
pub fn make(directory: &Path) -> std::io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

fn denied(message: String) -> Problem {
    Problem {
        kind: "denied".into(),
        ..Problem::new(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        check(&temporary.path().join("none"), "data").unwrap();
        for (mode, is_good) in [(0o700, true), (0o755, true), (0o775, false), (0o702, false)] {
            fs::set_permissions(temporary.path(), fs::Permissions::from_mode(mode)).unwrap();
            let checked = check(temporary.path(), "data");
            assert_eq!(checked.is_ok(), is_good, "{mode:o}");
            if let Err(problem) = checked {
                assert!(
                    problem.message.contains("chmod go-w"),
                    "{}",
                    problem.message
                );
            }
        }
    }

    #[test]
    fn a_directory_of_another_user_is_refused() {
        // Of root, unless root runs the test, who then has none of another user.
        if rustix::process::geteuid().is_root() {
            return;
        }
        let problem = check(Path::new("/usr"), "cache").unwrap_err();
        assert!(
            problem.message.contains("belongs to user 0"),
            "{}",
            problem.message
        );
    }
}
