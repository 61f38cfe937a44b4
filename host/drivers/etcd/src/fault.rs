//! The one place where what a server answers, and what happens on the way to it, become errors of the host.

use std::time::Duration;
use wythe_blocks::{Error, Kind};
use wythe_client::{Effect, Failed, Fault as Way};

/// Pause that is asked for where a server is asked too often.
const PAUSE: Duration = Duration::from_secs(1);

/// A request that did not do what it should.
pub(crate) enum Fault {
    /// The answer is not whole.
    Way(Failed),
    /// The server refused it: status, code of gRPC (0 where there is none), and the server's words, cut and escaped.
    Refused {
        status: u16,
        code: u32,
        text: String,
    },
    /// The answer is none of this server.
    Odd(String),
}

/// Codes of gRPC.
const DENIED: u32 = 7;
const EXHAUSTED: u32 = 8;
const UNAVAILABLE: u32 = 14;
const UNAUTHENTICATED: u32 = 16;
/// Codes with which a server refuses before anything is written.
const REFUSALS: [u32; 8] = [3, 5, 6, DENIED, EXHAUSTED, 9, 11, UNAUTHENTICATED];

impl Fault {
    /// Returns whether the answer has more bytes than it may: a smaller question has a smaller one.
    pub fn is_large(&self) -> bool {
        matches!(self, Fault::Way(Failed::Large))
    }

    /// Returns whether the server believes the token no more, or wants one.
    pub fn is_about_token(&self) -> bool {
        match self {
            Fault::Refused { code, text, .. } => {
                *code == UNAUTHENTICATED
                    || text.contains("revision of auth store is old")
                    || text.contains("user name is empty")
            }
            _ => false,
        }
    }

    /// Returns whether the server asks nobody for a login.
    pub fn is_open_to_all(&self) -> bool {
        self.says("authentication is not enabled")
    }

    /// Returns whether the lease of a write is gone.
    pub fn is_about_lease(&self) -> bool {
        self.says("requested lease not found")
    }

    /// Returns whether another server of the cluster may answer what this one did not.
    pub fn may_go_elsewhere(&self, effect: Effect) -> bool {
        match (self, effect) {
            (Fault::Way(Failed::Fault { was_sent, .. }), _) if !was_sent => true,
            (Fault::Way(Failed::Fault { .. }), effect) => effect == Effect::Read,
            (Fault::Refused { code, .. }, Effect::Read) => *code == UNAVAILABLE,
            _ => false,
        }
    }

    fn says(&self, words: &str) -> bool {
        matches!(self, Fault::Refused { text, .. } if text.contains(words))
    }

    /// The error for the app; `about` is what was asked, in its words.
    pub fn error(self, effect: Effect, about: &str) -> Error {
        match self {
            Fault::Way(failed) => of_way(failed, effect, about),
            Fault::Refused { status, code, text } => {
                let error = refused(status, code, &text, effect, about);
                error.with_source(format!("{status}, code {code}: {text}"))
            }
            Fault::Odd(why) => odd(effect, about).with_source(why),
        }
    }
}

fn odd(effect: Effect, about: &str) -> Error {
    match effect {
        Effect::Read => Error::internal(format!(
            "the answer about {about} is not one of etcd: check `endpoints`"
        )),
        Effect::Write => Error::unknown_outcome(format!(
            "the answer about {about} is not one of etcd: whether it was written is not known"
        )),
    }
}

fn of_way(failed: Failed, effect: Effect, about: &str) -> Error {
    let (fault, was_sent) = match failed {
        Failed::Fault { fault, was_sent } => (fault, was_sent),
        Failed::Large => {
            let words = format!("the answer about {about} has more bytes than it may");
            return match effect {
                Effect::Read => Error::invalid(words),
                Effect::Write => {
                    Error::unknown_outcome(format!("{words}: whether it was written is not known"))
                }
            };
        }
        Failed::Room(error) => return error,
    };
    let error = match (was_sent, effect, &fault) {
        (false, _, Way::Late) => Error::unavailable(
            "no request could be sent within `timeout`: all of the component's connections are in use, or the server takes none",
        ),
        (false, ..) => Error::unavailable(
            "the server cannot be reached: check `endpoints` and the network; with TLS `tlsEnable`, and that `ca` signed the server's certificate for that name",
        ),
        (true, Effect::Read, Way::Late) => {
            Error::unavailable("the server did not answer within `timeout`")
        }
        (true, Effect::Read, _) => Error::unavailable(
            "the server broke off its answer: if it speaks TLS alone, set `tlsEnable: true`; if it wants to be shown a certificate, set `cert` and `key`",
        ),
        (true, Effect::Write, _) => Error::unknown_outcome(format!(
            "the server was asked and gave no whole answer: whether {about} was written is not known"
        )),
    };
    match fault {
        Way::Connect(cause) => error.with_source(cause),
        Way::Unsent(cause) | Way::Broken(cause) => error.with_source(cause),
        Way::Excess(what) => error.with_source(format!("the server sent {what}")),
        Way::Late => error.with_source("the time of the request is over"),
    }
}

/// The error of an answer that is no success.
fn refused(status: u16, code: u32, text: &str, effect: Effect, about: &str) -> Error {
    let known = KNOWN.iter().find(|(words, ..)| text.contains(words));
    if let Some((_, kind, message)) = known {
        let error = Error::new(*kind, message.replace("{about}", about));
        return match kind {
            Kind::Exhausted => error.with_retry_after(PAUSE),
            _ => error,
        };
    }
    match (status, code) {
        (_, DENIED) => Error::denied(format!(
            "the user may not do this with {about}: a role has to allow the keys below `keyPrefixPath`"
        )),
        (401, _) | (_, UNAUTHENTICATED) => Error::denied(
            "the server wants a login: set `username` and `password`, or check who stands before it",
        ),
        (404, 0) => Error::unsupported(
            "the server has no gateway at `/v3`: it is older than 3.4, runs with `--enable-grpc-gateway=false`, or is no etcd",
        ),
        (status, 0) if status < 500 && status != 408 => odd(Effect::Read, about),
        (_, code) if REFUSALS.contains(&code) => {
            Error::internal(format!("the server refused {about}"))
        }
        _ => match effect {
            Effect::Read => Error::unavailable(format!(
                "the server is not ready for {about}: a cluster needs most of its servers"
            )),
            Effect::Write => Error::unknown_outcome(format!(
                "the server failed at {about}: whether it was written is not known"
            )),
        },
    }
}

const TOO_LARGE: &str = "{about} has more bytes than the server takes in a request: `maxRequestBytes` is more than its `--max-request-bytes`";

/// Words of the server that say what is wrong, and what they come to. Nothing was written.
const KNOWN: &[(&str, Kind, &str)] = &[
    (
        "invalid user ID or password",
        Kind::Denied,
        "the server refuses the login: check `username` and `password`",
    ),
    (
        "user name is empty",
        Kind::Denied,
        "the server wants a login: set `username` and `password`",
    ),
    ("request is too large", Kind::Invalid, TOO_LARGE),
    ("received message larger than max", Kind::Invalid, TOO_LARGE),
    (
        "too many operations in txn",
        Kind::Invalid,
        "{about} has more operations than the server takes: `maxTxnOps` is more than its `--max-txn-ops`",
    ),
    (
        "database space exceeded",
        Kind::Exhausted,
        "the server has no room left for {about}: compact and defragment it, disarm its alarm, or raise `--quota-backend-bytes`",
    ),
    (
        "too many requests",
        Kind::Exhausted,
        "the server has too many requests before {about}",
    ),
    (
        "too many leases",
        Kind::Exhausted,
        "the server has too many leases for {about}",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: u16, code: u32, text: &str, effect: Effect) -> Kind {
        let fault = Fault::Refused {
            status,
            code,
            text: text.to_owned(),
        };
        fault.error(effect, "`a`").kind()
    }

    #[test]
    fn only_what_was_surely_not_written_is_a_refusal() {
        let write = |status, code, text| kind(status, code, text, Effect::Write);
        assert_eq!(
            write(503, 14, "etcdserver: request timed out"),
            Kind::UnknownOutcome
        );
        assert_eq!(
            write(503, 14, "etcdserver: leader changed"),
            Kind::UnknownOutcome
        );
        assert_eq!(write(502, 0, "<html>"), Kind::UnknownOutcome);
        assert_eq!(write(500, 2, "?"), Kind::UnknownOutcome);
        assert_eq!(write(408, 1, "context canceled"), Kind::UnknownOutcome);
        assert_eq!(write(403, 7, "permission denied"), Kind::Denied);
        assert_eq!(
            write(429, 8, "etcdserver: mvcc: database space exceeded"),
            Kind::Exhausted
        );
        assert_eq!(
            write(400, 3, "etcdserver: request is too large"),
            Kind::Invalid
        );
        assert_eq!(kind(503, 14, "x", Effect::Read), Kind::Unavailable);
        assert_eq!(kind(404, 0, "Not Found", Effect::Read), Kind::Unsupported);
    }
}
