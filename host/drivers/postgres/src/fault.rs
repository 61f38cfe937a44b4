//! The failures of the server and of the way to it, as errors of the host. The message is for an app, which reads no
//! address and no word of the server; those are in the cause, for the log.

use std::{error::Error as StdError, io, time::Duration};
use tokio_postgres::error::SqlState;
use wythe_blocks::{Error, Kind};

/// Characters of what a server says of an error.
const SAID: usize = 300;

/// The answer to a statement that was not a good one.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server refused it, and nothing of it is done.
    Refused { code: SqlState, said: String },
    /// The connection broke, or the server went down, with an answer outstanding.
    Cut(String),
    /// An answer did not come in time.
    Late(Duration),
    /// An answer came that is none to the question.
    Odd(String),
    /// The statement was not sent.
    Unsent(Error),
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            return Fault::Cut(chain(&error));
        };
        let (code, said) = (said.code().clone(), shown(said.message()));
        match is_going_down(&code) {
            true => Fault::Cut(format!("{said} ({})", code.code())),
            false => Fault::Refused { code, said },
        }
    }
}

impl Fault {
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Fault::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Returns whether the connection is of no use any more.
    pub fn ends_connection(&self) -> bool {
        match self {
            // A plan of a table that is another one now.
            Fault::Refused { code, .. } => [
                SqlState::FEATURE_NOT_SUPPORTED,
                SqlState::INVALID_SQL_STATEMENT_NAME,
            ]
            .contains(code),
            Fault::Unsent(_) => false,
            _ => true,
        }
    }

    /// Returns whether others were in the way of a transaction, so that it may be tried again.
    pub fn is_collision(&self) -> bool {
        self.code().is_some_and(|code| {
            [
                SqlState::T_R_SERIALIZATION_FAILURE,
                SqlState::T_R_DEADLOCK_DETECTED,
            ]
            .contains(code)
        })
    }

    /// The error of a statement that changes nothing.
    pub fn of_read(self) -> Error {
        match self {
            Fault::Refused { code, said } => refused(&code, said),
            Fault::Unsent(error) => error,
            Fault::Late(limit) => Error::unavailable(format!(
                "the database did not answer within {limit:?}; see `timeout`"
            )),
            Fault::Cut(cause) => {
                Error::unavailable("the connection to the database broke").with_source(cause)
            }
            Fault::Odd(cause) => {
                Error::internal("the database answers in an unexpected way").with_source(cause)
            }
        }
    }

    /// The error of a statement that may have changed something.
    pub fn of_write(self) -> Error {
        let unknown = |what: &str, cause: Option<String>| {
            let error = Error::unknown_outcome(format!(
                "{what}, so it is not known whether the write is kept"
            ));
            match cause {
                Some(cause) => error.with_source(cause),
                None => error,
            }
        };
        match self {
            Fault::Cut(cause) => unknown("the connection to the database broke", Some(cause)),
            Fault::Late(limit) => unknown(
                &format!("the database did not answer within {limit:?}"),
                None,
            ),
            Fault::Odd(cause) => unknown("the database answers in an unexpected way", Some(cause)),
            fault => fault.of_read(),
        }
    }
}

/// The first two characters of a code; none of what is no code, which a server may send too.
pub(super) fn class(code: &SqlState) -> &str {
    code.code().get(..2).unwrap_or_default()
}

/// The server ends, or a part of it did: what was under way may be done or not.
fn is_going_down(code: &SqlState) -> bool {
    let class = class(code);
    matches!(class, "08" | "58" | "XX") || (class == "57" && *code != SqlState::QUERY_CANCELED)
}

fn refused(code: &SqlState, said: String) -> Error {
    let (kind, message) = meaning(code);
    // The server repeats what it was given where a value is wrong.
    let said = match code.code().starts_with("22") {
        true => String::new(),
        false => format!("{said} "),
    };
    Error::new(kind, message).with_source(format!("{said}({})", code.code()))
}

fn meaning(code: &SqlState) -> (Kind, &'static str) {
    let is = |other: SqlState| *code == other;
    if is(SqlState::QUERY_CANCELED) || is(SqlState::LOCK_NOT_AVAILABLE) {
        return (
            Kind::Unavailable,
            "the database did not do it in time; see `timeout`",
        );
    }
    if is(SqlState::INSUFFICIENT_PRIVILEGE) {
        let message = "the database does not allow the component's user to do that; grant it there";
        return (Kind::Unavailable, message);
    }
    if is(SqlState::READ_ONLY_SQL_TRANSACTION) {
        let message = "the database takes no writes; name the primary, and no standby";
        return (Kind::Unavailable, message);
    }
    if is(SqlState::UNDEFINED_TABLE) || is(SqlState::UNDEFINED_COLUMN) {
        let message = "the component's table is gone or was changed; start the host again, so that it is made";
        return (Kind::Unavailable, message);
    }
    match class(code) {
        "22" => (Kind::Invalid, "the database does not take such a value"),
        "40" => (
            Kind::Unavailable,
            "others changed the same entries all the time",
        ),
        "53" => (
            Kind::Unavailable,
            "the database has no room, memory or connections left",
        ),
        "54" => (
            Kind::Invalid,
            "that is more than the database takes at once",
        ),
        _ => (
            Kind::Unavailable,
            "the database refused to do it; the log has the cause",
        ),
    }
}

/// Words of a server, cut and without control characters.
pub(super) fn shown(text: &str) -> String {
    text.escape_debug().take(SAID).collect()
}

/// An error with its causes.
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = shown(&error.to_string());
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&shown(&cause.to_string()));
        next = cause.source();
    }
    text
}

/// The error of a login that failed, for whoever wrote the component.
pub(super) fn of_login(error: tokio_postgres::Error, place: &str) -> Error {
    let Some(said) = error.as_db_error() else {
        let message = "the database cannot be reached";
        return Error::unavailable(message).with_source(format!("{place}: {}", chain(&error)));
    };
    let code = said.code();
    let what = match code.code() {
        "28P01" | "28000" => {
            "the database does not take the component's user and password; look at `user` and `password`, and at its pg_hba.conf"
        }
        "3D000" => "there is no such database; create it, or name another one by `database`",
        "53300" => {
            "the database has no connection left; lower `maxConns`, or raise its max_connections"
        }
        "57P03" => "the database is starting or stopping",
        _ => "the database does not let the component in",
    };
    let said = shown(said.message());
    let kind = match code.code().starts_with("28") {
        true => Kind::Denied,
        false => Kind::Unavailable,
    };
    Error::new(kind, what).with_source(format!("{place}: {said} ({})", code.code()))
}

/// The error of a connection that did not come about.
pub(super) fn unreachable(error: &io::Error, place: &str) -> Error {
    Error::unavailable("the database cannot be reached")
        .with_source(format!("{place}: {}", chain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_was_cut_short_is_unknown_and_a_read_is_not() {
        let cut = || Fault::Cut("gone".to_owned());
        assert_eq!(cut().of_write().kind(), Kind::UnknownOutcome);
        assert_eq!(cut().of_read().kind(), Kind::Unavailable);
        let late = || Fault::Late(Duration::from_secs(1));
        assert_eq!(late().of_write().kind(), Kind::UnknownOutcome);
        assert_eq!(late().of_read().kind(), Kind::Unavailable);
    }

    #[test]
    fn a_server_that_goes_down_has_not_answered() {
        for (code, expected) in [
            ("57P01", true),
            ("57P02", true),
            ("08006", true),
            ("58030", true),
            ("XX001", true),
            ("57014", false),
            ("40001", false),
            ("53100", false),
            ("23505", false),
        ] {
            assert_eq!(
                is_going_down(&SqlState::from_code(code)),
                expected,
                "{code}"
            );
        }
    }

    #[test]
    fn a_refusal_has_its_kind_and_repeats_no_value() {
        for (code, kind) in [
            ("57014", Kind::Unavailable),
            ("55P03", Kind::Unavailable),
            ("22003", Kind::Invalid),
            ("54000", Kind::Invalid),
            ("25006", Kind::Unavailable),
            ("42P01", Kind::Unavailable),
            ("53100", Kind::Unavailable),
            ("42501", Kind::Unavailable),
        ] {
            let error = refused(
                &SqlState::from_code(code),
                "said \"given words\"".to_owned(),
            );
            assert_eq!(error.kind(), kind, "{code}");
            assert!(!error.message().contains("said"), "{error}");
            assert_eq!(
                error.chain().contains("given words"),
                !code.starts_with("22"),
                "{code}"
            );
        }
    }

    #[test]
    fn a_code_that_is_none_is_an_error_and_no_panic() {
        for code in ["", "4", "é", "4é", "\u{1f600}"] {
            let code = SqlState::from_code(code);
            assert!(!is_going_down(&code));
            assert_eq!(refused(&code, String::new()).kind(), Kind::Unavailable);
        }
    }

    #[test]
    fn words_of_a_server_are_cut_and_harmless() {
        assert_eq!(shown("a\nb\u{1b}"), "a\\nb\\u{1b}");
        assert_eq!(shown(&"x".repeat(10_000)).len(), SAID);
    }
}
