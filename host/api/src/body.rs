//! Bodies of requests: how long they say they are, and what ends one that is too long or does not come.

use bytes::Bytes;
use http::{Request, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use std::{error::Error as StdError, time::Duration};
use wythe_blocks::{Body, Detail, Error, Patient};

/// Silence of a client in the middle of a body that somebody waits for.
pub const LATE: Duration = Duration::from_secs(10);

/// The length of the body, as the client says.
pub fn declared<B>(request: &Request<B>) -> Option<u64> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// The body of a request that is not an app's yet; whoever reads it has a limit.
pub fn patient(body: Incoming) -> Body {
    if body.is_end_stream() {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    let body = body
        .map_err(|error| Error::unavailable("the client's body ended early").with_source(error));
    let late = || Error::unavailable("the client sent nothing more of its body");
    Patient::new(body, LATE, late).boxed_unsync()
}

/// The body of a request to an app, which may have `limit` bytes.
pub fn limited<B>(body: B, limit: u64) -> Body
where
    B: http_body::Body<Data = Bytes, Error: Into<Box<dyn StdError + Send + Sync>>>
        + Send
        + Unpin
        + 'static,
{
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
        match error.downcast::<Error>() {
            Ok(error) => *error,
            Err(error) => Error::unavailable("the client's body ended early").with_source(error),
        }
    });
    let late = || Error::unavailable("the client sent nothing more of its body");
    Patient::new(body, LATE, late).boxed_unsync()
}
