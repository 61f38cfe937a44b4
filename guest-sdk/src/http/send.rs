//! Requests to other apps and to granted hosts.
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, Method, OutgoingRequest, RequestOptions, Scheme,
};

use super::{Request, Response};
use crate::{Error, Kind, Result};

/// Sends a request to a host that the manifest grants, or to an app at `http://APP-ID.wythe.internal/`.
///
/// The whole body is sent before this returns; that of the response arrives while it is read. A callee that answers while
/// it still reads can so wait for a reader that waits for it; for that use `wasip2::http` itself.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use wythe_sdk::http::{self, Request};
///
/// let mut response = http::send(Request::get("http://catalog.wythe.internal/products"))?;
/// let products: Vec<String> = response.read_json()?;
/// # Ok(())
/// # }
/// ```
pub fn send(request: Request) -> Result<Response> {
    let outgoing = head(&request)?;
    let body = outgoing
        .body()
        .map_err(|()| Error::internal("the body was taken twice"))?;
    let options = options(&request)?;
    let future = outgoing_handler::handle(outgoing, options).map_err(|code| error(&code))?;
    // A callee may answer, or fail, without reading on: its own words say more than that the stream was closed.
    let sent = request.into_body().give(body);
    match (sent, wait(&future)) {
        (_, Ok(response)) => Ok(response),
        (Err(sent), Err(got)) if got.kind() == Kind::Internal => Err(sent),
        (_, Err(got)) => Err(got),
    }
}

/// The authority by which a handler of requests asks for what is behind it.
const NEXT: &str = "next.wythe.internal";

/// Hands a request on to the next handler, or to the app, from a guest that is a component of the type
/// `middleware.http.wasm`; once for each request. The path and the query, the headers and the body are what the guest
/// makes of them; the host says who the client is, whatever it makes of that.
///
/// The body is sent as by [`send`]: where both bodies are long and the app answers while it reads, use `wasip3`.
///
/// ```no_run
/// # fn handle(mut request: wythe_sdk::http::Request) -> wythe_sdk::Result<wythe_sdk::http::Response> {
/// use wythe_sdk::http;
///
/// request.headers_mut().set("x-checked", "yes");
/// let response = http::next(request)?;
/// Ok(response.with_header("x-from", "the handler"))
/// # }
/// ```
pub fn next(mut request: Request) -> Result<Response> {
    request.scheme = Some("http".to_owned());
    request.authority = Some(NEXT.to_owned());
    send(request)
}

fn head(request: &Request) -> Result<OutgoingRequest> {
    let mut headers = request.headers().clone();
    if let Some(length) = request.length()
        && !headers.contains("content-length")
        && (length > 0 || !matches!(request.method(), "GET" | "HEAD"))
    {
        headers.set("content-length", length.to_string());
    }
    let fields = Fields::from_list(headers.fields()).map_err(|error| {
        Error::invalid(format!("a header of the request is not allowed: {error:?}"))
    })?;
    let scheme = match request.scheme.as_deref() {
        Some("http") => Scheme::Http,
        Some("https") => Scheme::Https,
        _ => return Err(Error::invalid("a URL begins with http:// or https://")),
    };
    let outgoing = OutgoingRequest::new(fields);
    let refused =
        |what: &'static str| move |()| Error::invalid(format!("the request has no valid {what}"));
    outgoing
        .set_method(&method(&request.method))
        .map_err(refused("method"))?;
    outgoing
        .set_scheme(Some(&scheme))
        .map_err(refused("scheme"))?;
    outgoing
        .set_authority(request.authority())
        .map_err(refused("authority"))?;
    outgoing
        .set_path_with_query(Some(request.target()))
        .map_err(refused("path"))?;
    Ok(outgoing)
}

fn options(request: &Request) -> Result<Option<RequestOptions>> {
    let Some(timeout) = request.timeout else {
        return Ok(None);
    };
    let nanoseconds = Some(u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX));
    let options = RequestOptions::new();
    let refused = |()| Error::unsupported("this host has no timeouts for requests");
    options.set_connect_timeout(nanoseconds).map_err(refused)?;
    options
        .set_first_byte_timeout(nanoseconds)
        .map_err(refused)?;
    options
        .set_between_bytes_timeout(nanoseconds)
        .map_err(refused)?;
    Ok(Some(options))
}

fn wait(future: &FutureIncomingResponse) -> Result<Response> {
    loop {
        match future.get() {
            Some(Ok(Ok(response))) => return Response::receive(response),
            Some(Ok(Err(code))) => return Err(error(&code)),
            Some(Err(())) => return Err(Error::internal("the response was taken twice")),
            None => future.subscribe().block(),
        }
    }
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

/// The failure of a request, in the words of the blocks.
pub(super) fn error(code: &ErrorCode) -> Error {
    use ErrorCode as Code;
    let kind = match code {
        Code::HttpRequestDenied | Code::DestinationIpProhibited => Kind::Denied,
        Code::DestinationNotFound => Kind::NotFound,
        Code::DnsTimeout | Code::ConnectionTimeout => Kind::Unavailable,
        Code::ConnectionReadTimeout | Code::ConnectionWriteTimeout | Code::HttpResponseTimeout => {
            Kind::Timeout
        }
        // The request was on its way: what it should change may be changed.
        Code::ConnectionTerminated | Code::HttpResponseIncomplete => Kind::UnknownOutcome,
        Code::ConnectionLimitReached | Code::LoopDetected => Kind::Exhausted,
        Code::HttpRequestLengthRequired
        | Code::HttpRequestBodySize(_)
        | Code::HttpRequestMethodInvalid
        | Code::HttpRequestUriInvalid
        | Code::HttpRequestUriTooLong
        | Code::HttpRequestHeaderSectionSize(_)
        | Code::HttpRequestHeaderSize(_)
        | Code::HttpRequestTrailerSectionSize(_)
        | Code::HttpRequestTrailerSize(_) => Kind::Invalid,
        Code::ConfigurationError | Code::InternalError(_) => Kind::Internal,
        _ => Kind::Unavailable,
    };
    let text = match code {
        Code::InternalError(Some(text)) => text.clone(),
        other => words(&format!("{other:?}")),
    };
    Error::new(kind, format!("the request failed: {text}"))
}

/// `ErrorCode::ConnectionRefused` as `connection refused`.
fn words(variant: &str) -> String {
    let name = variant.trim_start_matches("ErrorCode::");
    let name = name.split_once('(').map_or(name, |(name, _)| name);
    let mut words = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(character.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wasi_errors_become_kinds() {
        let cases = [
            (
                ErrorCode::HttpRequestDenied,
                Kind::Denied,
                "the request failed: http request denied",
            ),
            (
                ErrorCode::ConnectionRefused,
                Kind::Unavailable,
                "the request failed: connection refused",
            ),
            (
                ErrorCode::HttpResponseTimeout,
                Kind::Timeout,
                "the request failed: http response timeout",
            ),
            (
                ErrorCode::HttpRequestBodySize(Some(7)),
                Kind::Invalid,
                "the request failed: http request body size",
            ),
            (
                ErrorCode::InternalError(Some("oh".to_owned())),
                Kind::Internal,
                "the request failed: oh",
            ),
        ];
        for (code, kind, message) in cases {
            let error = error(&code);
            assert_eq!((error.kind(), error.message()), (kind, message));
        }
    }
}
