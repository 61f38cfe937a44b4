//! The one place where faults of a call become errors of the host.

use std::io;
use wythe_blocks::{Error, Result};

/// The nature of a call that may fail on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing.
    Read,
    /// It may have happened though nobody heard of it.
    Write,
}

/// Reason for which there is no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The connection broke.
    Broken(io::Error),
    /// The server did not answer in time.
    Late,
    /// The server answered by an error, in these words.
    Said(String),
    /// The server sent what no server should.
    Odd(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Broken(error)
    }
}

/// The error of a call that was sent; `about` is what it was about, as the app knows it.
pub(crate) fn of_call(fault: Fault, effect: Effect, about: &str) -> Error {
    let unknown = |why: &str| match effect {
        Effect::Read => Error::unavailable(why),
        Effect::Write => {
            Error::unknown_outcome(format!("{why}: whether {about} was written is not known"))
        }
    };
    match fault {
        Fault::Late => unknown("the server did not answer within `timeout`"),
        Fault::Broken(error) => {
            unknown("the connection to the server broke before its answer").with_source(error)
        }
        Fault::Odd(what) => unknown("the server's answer is not one of memcached")
            .with_source(format!("the server sent {what}")),
        Fault::Said(words) => said(&words, about).with_source(words),
    }
}

/// The error of words of the server, after which nothing was done.
fn said(words: &str, about: &str) -> Error {
    if words.contains("too large") {
        return Error::invalid(format!(
            "{about} is too large for the server: raise its item size (`-I`), and open the component anew"
        ));
    }
    if words.contains("out of memory") {
        return Error::exhausted(format!(
            "the server has no memory left for {about}: raise its memory (`-m`), or let it forget (no `-M`)"
        ));
    }
    if words.contains("unauthenticated") {
        return Error::denied(
            "the server wants a login, which this driver has not: start it without `-Y` and `-S`, in a network of its own",
        );
    }
    Error::internal(format!("the server answered {about} with an error"))
}

/// The answer to a call is one of another call.
pub(crate) fn odd<T>(effect: Effect, about: &str) -> Result<T> {
    let what = "the answer of another command".to_owned();
    Err(of_call(Fault::Odd(what), effect, about))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::Kind;

    #[test]
    fn a_write_that_is_cut_short_is_unknown_and_what_is_refused_was_not_done() {
        let kind = |fault, effect| of_call(fault, effect, "`a`").kind();
        assert_eq!(kind(Fault::Late, Effect::Write), Kind::UnknownOutcome);
        assert_eq!(kind(Fault::Late, Effect::Read), Kind::Unavailable);
        for (words, expected) in [
            ("SERVER_ERROR object too large for cache", Kind::Invalid),
            ("SERVER_ERROR out of memory storing object", Kind::Exhausted),
            ("CLIENT_ERROR unauthenticated", Kind::Denied),
            ("ERROR", Kind::Internal),
        ] {
            let fault = Fault::Said(words.to_owned());
            assert_eq!(kind(fault, Effect::Write), expected, "{words}");
        }
    }
}
