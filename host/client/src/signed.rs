//! Requests that carry a signature.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header, uri::PathAndQuery};
use http_body_util::Full;

/// A request for a path and query with these headers, as they were signed, and with the signature, which is shown in no log.
/// An error is in words for the log.
pub fn signed(
    method: Method,
    target: &str,
    headers: &[(String, String)],
    authorization: &str,
    body: Bytes,
) -> Result<Request<Full<Bytes>>, &'static str> {
    let target: PathAndQuery = target.parse().map_err(|_| "the path is too long")?;
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = target.into();
    for (name, value) in headers {
        let name: HeaderName = name.parse().map_err(|_| "a header that cannot be sent")?;
        let value: HeaderValue = value.parse().map_err(|_| "a header that cannot be sent")?;
        request.headers_mut().insert(name, value);
    }
    let mut value: HeaderValue = authorization
        .parse()
        .map_err(|_| "a key that cannot be sent")?;
    value.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, value);
    Ok(request)
}
