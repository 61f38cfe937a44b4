//! The guest skins: each file converts, calls its block, and converts back. No behaviour lives here.

mod actors;
mod bindings;
mod configuration;
mod crypto;
mod invocation;
mod jobs;
mod lock;
mod logging;
mod pubsub;
mod secrets;
mod state;
mod workflow;

use crate::{
    bindings::app::{
        EveryApp,
        wythe::blocks::types::{self, Error as WitError, ErrorKind},
    },
    ctx::Ctx,
    error::Failure,
};
use std::time::Duration;
use wasmtime::{
    Engine, Result,
    component::{HasSelf, Linker},
};
pub use wythe_blocks::time::{milliseconds, time, timestamp};
use wythe_blocks::{Error, Kind};

/// Everything that any guest may import; what a guest *is granted* is checked when it is loaded.
pub fn linker(engine: &Engine) -> Result<Linker<Ctx>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p3::add_to_linker(&mut linker)?;
    crate::fields::count(&mut linker)?;
    crate::servers::narrow(&mut linker)?;
    EveryApp::add_to_linker::<_, HasSelf<Ctx>>(&mut linker, |ctx| ctx)?;
    Ok(linker)
}

/// The answer to a guest. What is no answer is a trap.
type Answer<T> = std::result::Result<T, Failure>;

impl types::Host for Ctx {
    fn convert_error(&mut self, failure: Failure) -> Result<WitError> {
        match failure {
            Failure::Answer(error) => Ok(error.into()),
            Failure::Trap(error) => Err(error),
        }
    }
}

/// Items of a list that is answered item by item; more of them end the call, for even their refusals would take long.
const ITEMS: usize = 10_000;

fn check_items(of: &str, items: usize) -> Result<()> {
    if items <= ITEMS {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "{of} of {items} items; at most {ITEMS} are looked at"
    ))
    .into())
}

impl From<Error> for WitError {
    fn from(error: Error) -> Self {
        WitError {
            kind: error.kind().into(),
            message: error.message().to_owned(),
            retry_after: error.retry_after().map(milliseconds),
        }
    }
}

/// Bytes of a message that a guest or a plugin gives a failure; the rest is cut off.
const MESSAGE: usize = 4 << 10;
/// The longest time after which a guest or a plugin has a failed call tried again.
const RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// A failure in the words of a guest or a plugin, which may be as long as it likes.
impl From<WitError> for Error {
    fn from(mut error: WitError) -> Self {
        error
            .message
            .truncate(error.message.floor_char_boundary(MESSAGE));
        let converted = Error::new(error.kind.into(), error.message);
        match error.retry_after.map(Duration::from_millis) {
            Some(after) => converted.with_retry_after(after.min(RETRY_AFTER)),
            None => converted,
        }
    }
}

impl From<Kind> for ErrorKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::NotFound => ErrorKind::NotFound,
            Kind::Denied => ErrorKind::Denied,
            Kind::Invalid => ErrorKind::Invalid,
            Kind::Conflict => ErrorKind::Conflict,
            Kind::Timeout => ErrorKind::Timeout,
            Kind::Unavailable => ErrorKind::Unavailable,
            Kind::Exhausted => ErrorKind::Exhausted,
            Kind::Unsupported => ErrorKind::Unsupported,
            Kind::UnknownOutcome => ErrorKind::UnknownOutcome,
            Kind::Internal => ErrorKind::Internal,
        }
    }
}

impl From<ErrorKind> for Kind {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::NotFound => Kind::NotFound,
            ErrorKind::Denied => Kind::Denied,
            ErrorKind::Invalid => Kind::Invalid,
            ErrorKind::Conflict => Kind::Conflict,
            ErrorKind::Timeout => Kind::Timeout,
            ErrorKind::Unavailable => Kind::Unavailable,
            ErrorKind::Exhausted => Kind::Exhausted,
            ErrorKind::Unsupported => Kind::Unsupported,
            ErrorKind::UnknownOutcome => Kind::UnknownOutcome,
            ErrorKind::Internal => Kind::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_says_of_a_failure_is_bounded() {
        let said = WitError {
            kind: ErrorKind::Unavailable,
            message: "ä".repeat(1 << 20),
            retry_after: Some(u64::MAX),
        };
        let error = Error::from(said);
        assert_eq!(error.message().len(), MESSAGE);
        assert_eq!(error.retry_after(), Some(RETRY_AFTER));
    }
}
