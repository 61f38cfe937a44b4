//! The errors of requests that failed on their way, by what the request would have done.

use crate::{Failed, Fault};
use wythe_blocks::{Error, Kind};

/// The nature of a request that may fail on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing, or may be done twice.
    Read,
    /// It may have happened though nobody heard of it.
    Write,
}

impl Effect {
    /// The kind of an answer that is no success, where only its status says what it is.
    pub fn kind(self, status: u16) -> Kind {
        match (status, self) {
            (401 | 403, _) => Kind::Denied,
            (404, _) => Kind::NotFound,
            (409, _) => Kind::Conflict,
            (429, _) => Kind::Exhausted,
            (503, _) | (500.., Effect::Read) => Kind::Unavailable,
            (500.., Effect::Write) => Kind::UnknownOutcome,
            (400..500, _) => Kind::Invalid,
            _ => Kind::Internal,
        }
    }
}

impl Failed {
    /// The error for the app. `about` is what was asked, in its words; `check` names what an operator looks at where the
    /// service cannot be reached.
    pub fn error(self, effect: Effect, about: &str, check: &str) -> Error {
        let (fault, was_sent) = match self {
            Failed::Fault { fault, was_sent } => (fault, was_sent),
            Failed::Large if effect == Effect::Write => {
                return unknown(about).with_source("the answer has more bytes than it may");
            }
            Failed::Large => {
                return Error::invalid(format!(
                    "the answer about {about} has more bytes than it may"
                ));
            }
            Failed::Room(error) => return error,
        };
        let error = match (was_sent, effect, &fault) {
            (false, _, Fault::Late) => Error::unavailable(
                "no request could be sent within `timeout`: the service cannot be reached, or all of the component's connections are in use",
            ),
            (false, ..) => {
                Error::unavailable(format!("the service cannot be reached: check {check}"))
            }
            (true, Effect::Read, Fault::Late) => {
                Error::unavailable("the service did not answer within `timeout`")
            }
            (true, Effect::Read, _) => Error::unavailable("the service broke off its answer"),
            (true, Effect::Write, _) => unknown(about),
        };
        match fault {
            Fault::Connect(cause) => error.with_source(cause),
            Fault::Unsent(cause) | Fault::Broken(cause) => error.with_source(cause),
            Fault::Excess(what) => error.with_source(format!("the service sent {what}")),
            Fault::Late => error.with_source("the time of the request is over"),
        }
    }
}

fn unknown(about: &str) -> Error {
    Error::unknown_outcome(format!(
        "the service was asked and gave no whole answer: whether {about} was written is not known"
    ))
}
