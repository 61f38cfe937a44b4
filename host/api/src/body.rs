//! Bodies of requests: how long they say they are, and what ends one that is too long or does not come.

use http::{Request, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use std::time::Duration;
use wythe_blocks::{Body, Detail, Error, Patient};

/// Silence of a client in the middle of a body that somebody waits for.
pub const LATE: Duration = Duration::from_secs(10);

/// The length of the body, as the client says.
pub fn declared<B>(request: &Request<B>) -> Option<u64> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// The body of a request to an app, which may have `limit` bytes.
pub fn limited(body: Incoming, limit: u64) -> Body {
    if body.is_end_stream() {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let body = Limited::new(body, limit).map_err(move |error| {
        if error.is::<LengthLimitError>() {
            return Error::invalid(format!(
                "the body has more than {limit} bytes; see `limits.requestBody`"
            ))
            .with_detail(Detail::BodyTooLarge);
        }
        Error::unavailable("the client's body ended early").with_source(error)
    });
    let late = || Error::unavailable("the client sent nothing more of its body");
    Patient::new(body, LATE, late).boxed_unsync()
}
