//! The failures of the database, as errors of the host. The message is for an app, which reads no path and no word of the
//! database; those are in the cause, for the log.

use rusqlite::{Error as Said, ErrorCode};
use wythe_blocks::{Error, Kind};

/// Characters of what the database says of an error.
const SAID: usize = 300;

/// The answer to a statement that was not a good one. Of a statement that is no commit, nothing is done.
#[derive(Debug)]
pub(super) struct Fault {
    code: Option<ErrorCode>,
    said: String,
}

impl From<Said> for Fault {
    fn from(error: Said) -> Self {
        let said = match error.sqlite_error() {
            Some(code) => format!("{error} ({})", code.extended_code),
            None => error.to_string(),
        };
        Fault {
            code: error.sqlite_error_code(),
            said: said.escape_debug().take(SAID).collect(),
        }
    }
}

impl Fault {
    /// A row that is none of those that are written here or by Dapr.
    pub fn odd(said: &str) -> Self {
        Fault {
            code: None,
            said: said.to_owned(),
        }
    }

    /// A file that another process does not let go of.
    pub fn busy(said: &str) -> Self {
        Fault {
            code: Some(ErrorCode::DatabaseBusy),
            said: said.to_owned(),
        }
    }

    /// Returns whether the connection is to be made anew: the disk or the file are not as they were.
    pub fn ends_connection(&self) -> bool {
        matches!(
            self.code,
            Some(
                ErrorCode::SystemIoFailure
                    | ErrorCode::DatabaseCorrupt
                    | ErrorCode::NotADatabase
                    | ErrorCode::CannotOpen
                    | ErrorCode::ReadOnly
                    | ErrorCode::DiskFull
                    | ErrorCode::OutOfMemory
            )
        )
    }

    /// Returns whether the file is no database, or a damaged one.
    pub fn is_damage(&self) -> bool {
        matches!(
            self.code,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        )
    }

    /// The error of what was not done.
    pub fn of_work(self) -> Error {
        let (kind, message) = meaning(self.code);
        Error::new(kind, message).with_source(self.said)
    }

    /// The error of a commit, of which nobody knows whether it is kept; one that another process stood in the way of is not.
    pub fn of_commit(self) -> Error {
        match self.code {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => self.of_work(),
            _ => Error::unknown_outcome(
                "it is not known whether the write is kept: its commit failed",
            )
            .with_source(self.said),
        }
    }
}

fn meaning(code: Option<ErrorCode>) -> (Kind, &'static str) {
    let Some(code) = code else {
        return (Kind::Internal, "a row of the file is none that can be read");
    };
    let message = match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => {
            "another process has the file locked; see `busyTimeout`"
        }
        ErrorCode::DiskFull => "the disk of the file is full",
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            "the file cannot be opened to write; look at the rights of it and of its directory"
        }
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => {
            "the file is damaged; restore it from a copy"
        }
        ErrorCode::OperationInterrupted => "it took too long; see `timeout`",
        ErrorCode::TooBig => {
            return (
                Kind::Internal,
                "a row of the file has more bytes than are read",
            );
        }
        ErrorCode::Unknown => {
            "the component's table is gone or was changed; start the host again, so that it is made"
        }
        _ => "the file cannot be read or written; the log has the cause",
    };
    (Kind::Unavailable, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    fn fault(code: i32) -> Fault {
        Said::SqliteFailure(ffi::Error::new(code), Some("said\n".into())).into()
    }

    #[test]
    fn a_commit_that_failed_is_unknown_unless_another_process_was_in_the_way() {
        for (code, expected) in [
            (ffi::SQLITE_BUSY, Kind::Unavailable),
            (ffi::SQLITE_IOERR_FSYNC, Kind::UnknownOutcome),
            (ffi::SQLITE_FULL, Kind::UnknownOutcome),
        ] {
            let error = fault(code).of_commit();
            assert_eq!(error.kind(), expected, "{code}");
            assert!(error.chain().contains("said\\n"), "{}", error.chain());
        }
    }

    #[test]
    fn a_statement_that_failed_has_done_nothing() {
        for (code, kind, words) in [
            (ffi::SQLITE_BUSY, Kind::Unavailable, "`busyTimeout`"),
            (ffi::SQLITE_FULL, Kind::Unavailable, "is full"),
            (ffi::SQLITE_NOTADB, Kind::Unavailable, "is damaged"),
            (ffi::SQLITE_INTERRUPT, Kind::Unavailable, "`timeout`"),
            (ffi::SQLITE_TOOBIG, Kind::Internal, "more bytes"),
            (ffi::SQLITE_ERROR, Kind::Unavailable, "table is gone"),
        ] {
            let error = fault(code).of_work();
            assert_eq!(error.kind(), kind, "{code}");
            assert!(error.message().contains(words), "{error}");
        }
        assert_eq!(Fault::odd("").of_work().kind(), Kind::Internal);
    }
}
