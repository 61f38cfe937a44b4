//! The one error of the host: a kind from a closed list, a message for the caller, and a cause for the log.

use http::StatusCode;
use std::{error::Error as StdError, fmt, time::Duration};
use wythe_manifest::{Problem, Source};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a call failed. The only taxonomy; each edge maps it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    NotFound,
    Denied,
    Invalid,
    Conflict,
    Timeout,
    Unavailable,
    Exhausted,
    Unsupported,
    UnknownOutcome,
    Internal,
}

impl Kind {
    /// Every kind, in the order of the contract.
    pub const ALL: [Kind; 10] = [
        Kind::NotFound,
        Kind::Denied,
        Kind::Invalid,
        Kind::Conflict,
        Kind::Timeout,
        Kind::Unavailable,
        Kind::Exhausted,
        Kind::Unsupported,
        Kind::UnknownOutcome,
        Kind::Internal,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Kind::NotFound => "not-found",
            Kind::Denied => "denied",
            Kind::Invalid => "invalid",
            Kind::Conflict => "conflict",
            Kind::Timeout => "timeout",
            Kind::Unavailable => "unavailable",
            Kind::Exhausted => "exhausted",
            Kind::Unsupported => "unsupported",
            Kind::UnknownOutcome => "unknown-outcome",
            Kind::Internal => "internal",
        }
    }

    /// The status of HTTP that an error of this kind is wherever the host answers by HTTP, as the contract has it.
    pub fn status(self) -> StatusCode {
        match self {
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Denied => StatusCode::FORBIDDEN,
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            Kind::Unavailable | Kind::UnknownOutcome => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
            Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Kind::Internal => StatusCode::BAD_GATEWAY,
        }
    }

    /// Returns whether nothing was changed and the same call may succeed a moment later.
    pub fn is_temporary(self) -> bool {
        matches!(self, Kind::Unavailable)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A fact about an error beside its kind, for a skin that has a code of its own for it. Nothing is decided by a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// The body has more bytes than its receiver takes.
    BodyTooLarge,
    /// Apps call each other in a chain that is too long.
    ChainTooLong,
    /// The client did not say who it is, or not so that it is believed.
    Unauthenticated,
    /// The tenant uses all of a quota: that says nothing of whoever is called.
    OverQuota,
}

/// Bytes of a message: what somebody else wrote may be a part of it.
const MESSAGE: usize = 4 << 10;

/// An error with a `message` for the caller, of at most 4 KiB, and a `source` that only the log may show.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    detail: Option<Detail>,
    message: String,
    retry_after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// Place in what the operator wrote, where that is what is wrong.
    position: Option<Box<Source>>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error {
            kind,
            detail: None,
            message: bounded(message.into()),
            retry_after: None,
            source: None,
            position: None,
        }
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Kind::Denied, message)
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, message)
    }

    pub fn timeout(message: impl Into<String>) -> Self {
        Self::new(Kind::Timeout, message)
    }

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    pub fn exhausted(message: impl Into<String>) -> Self {
        Self::new(Kind::Exhausted, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    pub fn unknown_outcome(message: impl Into<String>) -> Self {
        Self::new(Kind::UnknownOutcome, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Keeps the cause for the log; the caller never reads it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    #[must_use]
    pub fn with_detail(mut self, detail: Detail) -> Self {
        self.detail = Some(detail);
        self
    }

    pub fn detail(&self) -> Option<Detail> {
        self.detail
    }

    #[must_use]
    pub fn with_retry_after(mut self, after: Duration) -> Self {
        self.retry_after = Some(after);
        self
    }

    /// The same error, which is about what stands there; a place that it has already is nearer.
    #[must_use]
    pub fn at(mut self, position: &Source) -> Self {
        self.position
            .get_or_insert_with(|| Box::new(position.clone()));
        self
    }

    /// The place of what is wrong in the operator's files.
    pub fn position(&self) -> Option<&Source> {
        self.position.as_deref()
    }

    /// The same error in other words.
    #[must_use]
    pub fn map_message(mut self, map: impl FnOnce(String) -> String) -> Self {
        self.message = bounded(map(self.message));
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// The same answer for another caller of the same failed batch; the cause stays with the first.
    pub fn duplicate(&self) -> Self {
        Error {
            kind: self.kind,
            detail: self.detail,
            message: self.message.clone(),
            retry_after: self.retry_after,
            source: None,
            position: self.position.clone(),
        }
    }

    /// Message and causes, for the log.
    pub fn chain(&self) -> String {
        let mut text = self.message.clone();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// A mistake in what the operator wrote.
impl From<&Problem> for Error {
    fn from(problem: &Problem) -> Self {
        Error::invalid(problem.text()).at(&problem.source())
    }
}

fn bounded(mut message: String) -> String {
    if message.len() > MESSAGE {
        message.truncate(message.floor_char_boundary(MESSAGE - 3));
        message.push_str("...");
        message.shrink_to_fit();
    }
    message
}

/// The first bytes of a text that somebody else wrote; the rest is not even formatted.
pub(crate) struct Cut<T>(pub T);

impl<T: fmt::Display> fmt::Display for Cut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut room = Room {
            left: MESSAGE / 4,
            f,
        };
        // An error means no more than that the room is used up.
        match fmt::write(&mut room, format_args!("{}", self.0)) {
            Err(_) if room.left == 0 => f.write_str("..."),
            written => written,
        }
    }
}

struct Room<'a, 'b> {
    left: usize,
    f: &'a mut fmt::Formatter<'b>,
}

impl fmt::Write for Room<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.len() <= self.left {
            self.left -= text.len();
            return self.f.write_str(text);
        }
        let fits = &text[..text.floor_char_boundary(self.left)];
        self.left = 0;
        self.f.write_str(fits)?;
        Err(fmt::Error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}
