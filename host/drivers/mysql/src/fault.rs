//! The failures of the server and of the way to it, as errors of the host. The message is for an app, which reads no
//! address and no word of the server; those are in the cause, for the log.

use crate::wire::Payload;
use std::time::Duration;
use wythe_blocks::{Error, Kind};

/// Characters of what a server says of an error.
const SAID: usize = 300;

pub(super) const DUPLICATE: u16 = 1062;
const DEADLOCK: u16 = 1213;
pub(super) const NOT_PREPARED: u16 = 1295;
pub(super) const UNKNOWN_DATABASE: u16 = 1049;

/// The answer to a statement that was not a good one.
#[derive(Debug)]
pub(super) enum Fault {
    /// The server refused it, and nothing of it is done.
    Refused {
        code: u16,
        state: String,
        said: String,
    },
    /// The connection broke, or the server went down, with an answer outstanding.
    Cut(String),
    /// An answer did not come in time.
    Late(Duration),
    /// An answer came that is none to the question.
    Odd(String),
    /// An answer has more bytes than it may.
    Beyond,
    /// The statement was not sent.
    Unsent(Error),
}

impl Fault {
    /// The refusal in a packet that begins with 255.
    pub fn read(packet: &[u8]) -> Self {
        let mut payload = Payload(packet.get(1..).unwrap_or_default());
        let code = payload.number(2).unwrap_or_default() as u16;
        let mut state = String::new();
        if payload.0.first() == Some(&b'#') {
            _ = payload.byte();
            let bytes = payload.bytes(5).unwrap_or_default();
            state = shown(&String::from_utf8_lossy(bytes));
        }
        let said = shown(&String::from_utf8_lossy(payload.0));
        match code {
            // It shuts down, it ended the connection, or nobody asked for too long.
            1053 | 1077 | 1079 | 1152 | 1184 | 1927 | 4031 => {
                Fault::Cut(format!("{said} ({code})"))
            }
            _ => Fault::Refused { code, state, said },
        }
    }

    pub fn code(&self) -> Option<u16> {
        match self {
            Fault::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// Returns whether the connection is of no use any more.
    pub fn ends_connection(&self) -> bool {
        !matches!(self, Fault::Refused { .. } | Fault::Unsent(_))
    }

    /// Returns whether others were in the way of a transaction, so that it may be tried again.
    pub fn is_collision(&self) -> bool {
        self.code()
            .is_some_and(|code| [DEADLOCK, DUPLICATE].contains(&code))
    }

    /// The error of a statement that changes nothing.
    pub fn of_read(self) -> Error {
        match self {
            Fault::Refused { code, state, said } => refused(code, &state, said),
            Fault::Unsent(error) => error,
            Fault::Late(limit) => Error::unavailable(format!(
                "the database did not answer within {limit:?}; see `timeoutInSeconds`"
            )),
            Fault::Cut(cause) => {
                Error::unavailable("the connection to the database broke").with_source(cause)
            }
            Fault::Beyond => {
                Error::exhausted("the answer of the database has more bytes than are read")
            }
            Fault::Odd(cause) => {
                Error::internal("the database answers in an unexpected way").with_source(cause)
            }
        }
    }

    /// The error of a statement that may have changed something.
    pub fn of_write(self) -> Error {
        let (what, cause) = match self {
            Fault::Cut(cause) => ("the connection to the database broke".to_owned(), cause),
            Fault::Late(limit) => (
                format!("the database did not answer within {limit:?}"),
                String::new(),
            ),
            Fault::Odd(cause) => (
                "the database answers in an unexpected way".to_owned(),
                cause,
            ),
            Fault::Beyond => (
                "the answer of the database is too long".to_owned(),
                String::new(),
            ),
            fault => return fault.of_read(),
        };
        let error = Error::unknown_outcome(format!(
            "{what}, so it is not known whether the write is kept"
        ));
        match cause.is_empty() {
            true => error,
            false => error.with_source(cause),
        }
    }
}

fn refused(code: u16, state: &str, said: String) -> Error {
    let (kind, message) = meaning(code, state);
    // The server repeats what it was given where a value is wrong.
    let said = match state.starts_with("22") || state.starts_with("23") {
        true => String::new(),
        false => format!("{said} "),
    };
    Error::new(kind, message).with_source(format!("{said}({code})"))
}

fn meaning(code: u16, state: &str) -> (Kind, &'static str) {
    let unavailable = |message| (Kind::Unavailable, message);
    match code {
        1205 | 1969 | 3024 => {
            unavailable("the database did not do it in time; see `timeoutInSeconds`")
        }
        1044 | 1142 | 1143 | 1227 | 1370 => unavailable(
            "the database does not allow the component's user to do that; grant it there",
        ),
        1290 | 1792 | 1836 | 3100 => {
            unavailable("the database takes no writes; name the primary, and no replica")
        }
        1049 | 1054 | 1146 => unavailable(
            "the component's table is gone or was changed; start the host again, so that it is made",
        ),
        1153 | 1301 => (
            Kind::Invalid,
            "that is more than the database takes at once; see its max_allowed_packet",
        ),
        DEADLOCK | DUPLICATE => unavailable("others changed the same entries all the time"),
        1021 | 1040 | 1041 | 1114 | 1135 | 1203 | 1226 => {
            unavailable("the database has no room, memory or connections left")
        }
        _ if state.starts_with("22") => (Kind::Invalid, "the database does not take such a value"),
        _ => unavailable("the database refused to do it; the log has the cause"),
    }
}

/// Words of a server, cut and without control characters.
pub(super) fn shown(text: &str) -> String {
    text.escape_debug().take(SAID).collect()
}

/// The error of a login that failed, for whoever wrote the component.
pub(super) fn of_login(fault: Fault, shown: &str) -> Error {
    let (code, said) = match fault {
        Fault::Refused { code, said, .. } => (code, said),
        Fault::Unsent(error) => return error,
        Fault::Odd(_) | Fault::Beyond => {
            let cause = fault.of_read().chain();
            let message = "what answers there is no MySQL and no MariaDB, or one that is too old";
            return Error::unavailable(message).with_source(format!("{shown}: {cause}"));
        }
        other => {
            let cause = format!("{shown}: {}", other.of_read().chain());
            return Error::unavailable("the database cannot be reached").with_source(cause);
        }
    };
    let (kind, what) = match code {
        1045 | 1698 => (
            Kind::Denied,
            "the database does not take the component's user and password; look at both, and at the hosts that it lets the user \
             come from",
        ),
        1044 => (
            Kind::Denied,
            "the database does not let the component's user into that schema; grant it there",
        ),
        UNKNOWN_DATABASE => (
            Kind::Unavailable,
            "there is no such database; create it, or name another one",
        ),
        1040 | 1203 | 1226 => (
            Kind::Unavailable,
            "the database has no connection left; lower `maxConns`, or raise its max_connections",
        ),
        1129 | 1130 => (
            Kind::Denied,
            "the database lets nobody in from this machine; allow it there",
        ),
        _ => (
            Kind::Unavailable,
            "the database does not let the component in",
        ),
    };
    Error::new(kind, what).with_source(format!("{shown}: {said} ({code})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(code: u16, state: &str) -> Fault {
        let mut packet = vec![0xff];
        packet.extend(code.to_le_bytes());
        packet.extend(format!("#{state}said \"given words\"").bytes());
        Fault::read(&packet)
    }

    #[test]
    fn a_write_that_was_cut_short_is_unknown_and_a_read_is_not() {
        let late = || Fault::Late(Duration::from_secs(1));
        let cut = || refusal(1053, "08S01");
        for fault in [late, cut] {
            assert_eq!(fault().of_write().kind(), Kind::UnknownOutcome);
            assert_eq!(fault().of_read().kind(), Kind::Unavailable);
            assert!(fault().ends_connection());
        }
    }

    #[test]
    fn a_refusal_has_its_kind_and_repeats_no_value() {
        for (code, state, kind) in [
            (1205, "HY000", Kind::Unavailable),
            (1290, "HY000", Kind::Unavailable),
            (1146, "42S02", Kind::Unavailable),
            (1406, "22001", Kind::Invalid),
            (1062, "23000", Kind::Unavailable),
            (9999, "HY000", Kind::Unavailable),
        ] {
            let fault = refusal(code, state);
            assert!(!fault.ends_connection());
            let error = fault.of_write();
            assert_eq!(error.kind(), kind, "{code}");
            assert!(!error.message().contains("said"), "{error}");
            let is_quiet = state.starts_with('2');
            assert_eq!(error.chain().contains("given words"), !is_quiet, "{code}");
        }
    }

    #[test]
    fn a_packet_of_nothing_is_an_error_and_no_panic() {
        for packet in [&b""[..], b"\xff", b"\xff\x01", b"\xff\x01\x02#12"] {
            assert!(!Fault::read(packet).of_read().message().is_empty());
        }
        assert_eq!(shown("a\nb\u{1b}"), "a\\nb\\u{1b}");
    }
}
