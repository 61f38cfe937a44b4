//! The error of a call: one type for every block, and the HTTP answer that each kind becomes.
use std::fmt;
use std::time::Duration;

use crate::contract::app::wythe::blocks::types;

#[doc(inline)]
pub use types::ErrorKind as Kind;

/// The result of every call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a call failed.
///
/// ```
/// use wythe_sdk::Error;
///
/// let error = Error::not_found("there is no product 7");
/// assert_eq!(error.status(), 404);
/// assert_eq!(error.to_string(), "not-found: there is no product 7");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Error {
    kind: Kind,
    message: String,
    retry_after: Option<Duration>,
}

impl Error {
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
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

    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// Tells the caller when trying again makes sense.
    pub fn with_retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The message for people, without the kind.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns whether the same call may well succeed later, with nothing done in between.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self.kind,
            Kind::Timeout | Kind::Unavailable | Kind::Exhausted
        )
    }

    /// The HTTP status that tells of this error.
    pub fn status(&self) -> u16 {
        match self.kind {
            Kind::Invalid => 400,
            Kind::Denied => 403,
            Kind::NotFound => 404,
            Kind::Conflict => 409,
            Kind::Exhausted => 429,
            Kind::Internal => 500,
            Kind::Unsupported => 501,
            Kind::Unavailable | Kind::UnknownOutcome => 503,
            Kind::Timeout => 504,
        }
    }

    /// The error that an HTTP status of 400 or more tells of.
    pub fn from_status(status: u16, message: impl Into<String>) -> Self {
        let kind = match status {
            401 | 403 => Kind::Denied,
            404 | 410 => Kind::NotFound,
            409 | 412 => Kind::Conflict,
            429 => Kind::Exhausted,
            400..=499 => Kind::Invalid,
            501 => Kind::Unsupported,
            502 | 503 => Kind::Unavailable,
            504 => Kind::Timeout,
            _ => Kind::Internal,
        };
        Self::new(kind, message)
    }

    /// The body of an HTTP answer: `{"error": KIND, "message": TEXT}`.
    pub fn to_json(&self) -> Vec<u8> {
        let body = serde_json::json!({ "error": name(self.kind), "message": self.message });
        body.to_string().into_bytes()
    }
}

/// The error that such a text, as [`Error`] writes itself, tells of; of no kind in particular where it tells of none.
pub(crate) fn from_text(text: &str) -> Error {
    let kinds = [
        Kind::NotFound,
        Kind::Denied,
        Kind::Invalid,
        Kind::Conflict,
        Kind::Timeout,
        Kind::Unavailable,
        Kind::Exhausted,
        Kind::Unsupported,
        Kind::UnknownOutcome,
    ];
    let known = text.split_once(": ").and_then(|(start, message)| {
        let kind = kinds.into_iter().find(|kind| name(*kind) == start)?;
        Some(Error::new(kind, message))
    });
    let plain = || Error::internal(text.strip_prefix("internal: ").unwrap_or(text));
    known.unwrap_or_else(plain)
}

/// The name of a kind, as the contract spells it.
pub fn name(kind: Kind) -> &'static str {
    match kind {
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

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", name(self.kind), self.message)
    }
}

impl std::error::Error for Error {}

impl From<types::Error> for Error {
    fn from(error: types::Error) -> Self {
        let retry_after = error.retry_after.map(Duration::from_millis);
        Self {
            kind: error.kind,
            message: error.message,
            retry_after,
        }
    }
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        let retry_after = error.retry_after.map(crate::milliseconds);
        Self {
            kind: error.kind,
            message: error.message,
            retry_after,
        }
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::invalid(format!("not the JSON that was expected: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_status() {
        let cases = [
            (Kind::NotFound, 404),
            (Kind::Denied, 403),
            (Kind::Invalid, 400),
            (Kind::Conflict, 409),
            (Kind::Timeout, 504),
            (Kind::Unavailable, 503),
            (Kind::Exhausted, 429),
            (Kind::Unsupported, 501),
            (Kind::UnknownOutcome, 503),
            (Kind::Internal, 500),
        ];
        for (kind, status) in cases {
            assert_eq!(Error::new(kind, "").status(), status, "{}", name(kind));
        }
    }

    #[test]
    fn a_status_and_its_error_agree() {
        for status in [400, 403, 404, 409, 429, 500, 501, 503, 504] {
            assert_eq!(Error::from_status(status, "").status(), status);
        }
        assert_eq!(Error::from_status(422, "").kind(), Kind::Invalid);
    }

    #[test]
    fn survives_the_border_both_ways() {
        let error = Error::unavailable("gone").with_retry_after(Duration::from_millis(1500));
        assert_eq!(Error::from(types::Error::from(error.clone())), error);
    }

    #[test]
    fn its_text_tells_of_it() {
        for error in [Error::conflict("taken: by b"), Error::internal("broken")] {
            assert_eq!(from_text(&error.to_string()), error);
        }
        assert_eq!(from_text("no: kind"), Error::internal("no: kind"));
    }

    #[test]
    fn json_that_does_not_parse_is_invalid() {
        let error = Error::from(serde_json::from_str::<u32>("x").unwrap_err());
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(
            error
                .message()
                .starts_with("not the JSON that was expected: ")
        );
    }

    #[test]
    fn the_body_is_json() {
        let body = Error::denied("a \"quoted\" word").to_json();
        assert_eq!(body, br#"{"error":"denied","message":"a \"quoted\" word"}"#);
    }
}
