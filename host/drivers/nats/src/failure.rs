//! The one place where errors of the connection and of the server become those of the host.

use serde::Deserialize;
use std::time::Duration;
use wythe_blocks::Error;

/// The nature of a call that may fail on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing, or may be done twice.
    Read,
    /// It may have happened though nobody heard of it.
    Write,
}

/// An error of JetStream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refusal {
    pub code: u16,
    pub err_code: u32,
    pub description: String,
}

/// Numbers of errors, as the server has them.
pub(crate) const NO_CONSUMER: u32 = 10014;
pub(crate) const NO_MESSAGE: u32 = 10037;
pub(crate) const NO_STREAM: u32 = 10059;
pub(crate) const STREAM_EXISTS: u32 = 10058;
pub(crate) const SUBJECTS_OVERLAP: u32 = 10065;
const WRONG_LAST: [u32; 2] = [10071, 10164];
const STORE_FAILED: u32 = 10077;
const NOT_ENABLED: [u32; 2] = [10039, 10076];
const NO_REPLICAS: u32 = 10074;
const OTHER_STREAM: u32 = 10060;
const NO_BATCHES: u32 = 10174;
const NO_ENDS: u32 = 10166;
const INCOMPLETE: u32 = 10176;
const TOO_LARGE: u32 = 10199;
const TOO_MANY: u32 = 10210;
const NO_RESOURCES: [u32; 6] = [10002, 10023, 10026, 10027, 10028, 10047];

impl Refusal {
    pub fn is(&self, number: u32) -> bool {
        self.err_code == number
    }

    /// Returns whether somebody else has written meanwhile.
    pub fn is_overtaken(&self) -> bool {
        WRONG_LAST.contains(&self.err_code)
    }

    /// Returns whether a batch had no end, so that nothing of it was stored.
    pub fn is_incomplete(&self) -> bool {
        self.is(INCOMPLETE)
    }

    /// Returns whether the server had no room for one more batch, or lost it as another server began to lead.
    pub fn is_crowded(&self) -> bool {
        self.is_incomplete() || self.is(TOO_MANY)
    }

    /// Returns whether the stream takes no more.
    pub fn is_full(&self) -> bool {
        self.is(STORE_FAILED) && self.description.contains("maximum")
    }

    /// The error of the host; `about` is what it was about, as the app knows it.
    pub fn error(&self, about: &str) -> Error {
        let known = match self.err_code {
            code if NOT_ENABLED.contains(&code) => Error::unsupported(
                "JetStream is not enabled in the server, or for the account: start the server with `jetstream` in its configuration",
            ),
            NO_REPLICAS => Error::unsupported(
                "the server is none of a cluster of so many servers; lower `replicas`",
            ),
            code if NO_RESOURCES.contains(&code) => Error::exhausted(format!(
                "the server has no room left for {about}: raise its limits, or those of the account"
            )),
            _ if self.is_full() => Error::exhausted(format!("the stream of {about} is full"))
                .with_retry_after(Duration::from_secs(1)),
            OTHER_STREAM => Error::invalid(format!(
                "{about} has a subject of another stream than `streamName`"
            )),
            NO_BATCHES => Error::unsupported(format!(
                "the stream of {about} takes no batches any more: set its `allow_atomic`"
            )),
            NO_ENDS => Error::unsupported(format!(
                "the stream of {about} takes no ttl any more: set its `allow_msg_ttl`"
            )),
            TOO_LARGE => Error::invalid(format!(
                "{about} has more operations than the server takes: raise `max_msgs` in the `batch` of `limits` of its `jetstream` block"
            )),
            NO_STREAM => Error::unavailable(format!("the server has no stream for {about}")),
            _ if self.code == 503 => {
                Error::unavailable(format!("the server is not ready for {about}"))
            }
            _ => Error::internal(format!("the server answered {about} with an error")),
        };
        let (number, text) = (self.err_code, self.description.chars().take(300));
        let text: String = text.collect();
        known.with_source(format!("{text} ({number})"))
    }
}

/// A connection that broke after a call was sent.
pub(crate) fn broken(effect: Effect, about: &str) -> Error {
    match effect {
        Effect::Read => Error::unavailable("no answer of the server: the connection broke"),
        Effect::Write => Error::unknown_outcome(format!(
            "the connection to the server broke before its answer: whether {about} was written is not known"
        )),
    }
}

/// A call that could not be sent.
pub(crate) fn unsent() -> Error {
    Error::unavailable("the connection to the server broke; nothing was sent")
}

/// An answer that is late.
pub(crate) fn late(effect: Effect, about: &str) -> Error {
    match effect {
        Effect::Read => Error::unavailable("the server did not answer in time"),
        Effect::Write => Error::unknown_outcome(format!(
            "the server did not answer in time: whether {about} was written is not known"
        )),
    }
}

/// A call to JetStream to which nobody listens.
pub(crate) fn silent() -> Error {
    Error::unavailable(
        "JetStream does not answer: it is not enabled in the server or for the account, `domain` or `apiPrefix` names another one, or a cluster has no leader for now",
    )
}

/// A user who may not send to a subject, or listen to one.
pub(crate) fn forbidden(subject: &str) -> Error {
    Error::denied(format!(
        "the user may not use `{subject}`: its permissions must allow the subjects that host/drivers/README.md lists"
    ))
}

/// An answer that does not have the shape that it must have.
pub(crate) fn odd() -> Error {
    Error::internal("the server's answer does not have the shape that it must have; is it NATS?")
}
