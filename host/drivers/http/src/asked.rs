//! The request that is sent: an operation as a method, metadata in capitals as headers.

use super::target::Base;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri,
    header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HOST, LOCATION},
    uri::PathAndQuery,
};
use http_body_util::Full;
use url::{Position, Url};
use wythe_blocks::{Error, Result, bindings::Request, invocation::TRACEPARENT};

/// Content type that Dapr says where nothing else is said.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const ANY: HeaderValue = HeaderValue::from_static("*/*");
/// Headers that frame a message, and are not an app's to say.
const RESERVED: [&str; 5] = [
    "connection",
    "content-length",
    "host",
    "transfer-encoding",
    "upgrade",
];

/// One request.
pub(super) struct Asked {
    method: Method,
    url: Url,
    target: Uri,
    headers: HeaderMap,
    body: Bytes,
}

/// Redirect that an answer asks for, if any.
pub(super) enum Redirect {
    No,
    Below(Box<Asked>),
    /// A redirect out of the component's URL.
    Away,
}

impl Asked {
    pub fn new(base: &Base, request: &Request<'_>) -> Result<Self> {
        let method = method(request.operation);
        let url = base.join(request.get("path"))?;
        let mut headers = headers(request.metadata)?;
        if method == Method::TRACE && !headers.is_empty() {
            // A server that does it sends them back, and one may be a secret that the app is not to see.
            return Err(Error::invalid(
                "operation `trace` sends no headers, for its answer shows them; expected no name in capitals",
            ));
        }
        let carries = !is_safe(&method);
        if !carries && !request.data.is_empty() {
            return Err(Error::invalid(format!(
                "operation `{}` sends no data, and {} bytes were given; expected none",
                request.operation,
                request.data.len()
            )));
        }
        if carries {
            headers.entry(CONTENT_TYPE).or_insert(JSON);
        }
        headers.entry(ACCEPT).or_insert(ANY);
        trace(&mut headers, &method, request);
        headers.insert(HOST, host(&url)?);
        Ok(Asked {
            target: target(&url).ok_or_else(|| {
                Error::invalid("the `path` cannot be sent; expected at most 65,000 bytes of it")
            })?,
            method,
            url,
            headers,
            body: request.data.clone(),
        })
    }

    pub fn method(&self) -> &Method {
        &self.method
    }

    pub fn message(&self) -> http::Request<Full<Bytes>> {
        let mut message = http::Request::new(Full::new(self.body.clone()));
        *message.method_mut() = self.method.clone();
        *message.uri_mut() = self.target.clone();
        *message.headers_mut() = self.headers.clone();
        message
    }

    /// The request that follows on this answer. It has the same headers, for it goes to the same server, below the
    /// component's URL, and nowhere else.
    pub fn redirected<B>(&self, base: &Base, answer: &Response<B>) -> Redirect {
        let location = answer.headers().get(LOCATION);
        let Some(location) = location.filter(|_| is_redirect(answer.status())) else {
            return Redirect::No;
        };
        let url = std::str::from_utf8(location.as_bytes()).ok();
        let url = url.and_then(|to| base.redirect(&self.url, to));
        let Some((target, url)) = url.and_then(|url| Some((target(&url)?, url))) else {
            return Redirect::Away;
        };
        let mut next = Asked {
            method: self.method.clone(),
            url,
            target,
            headers: self.headers.clone(),
            body: self.body.clone(),
        };
        if becomes_get(answer.status(), &self.method) {
            next.method = Method::GET;
            next.body = Bytes::new();
            next.headers.remove(CONTENT_TYPE);
            next.headers.remove(CONTENT_ENCODING);
        }
        Redirect::Below(Box::new(next))
    }
}

fn method(operation: &str) -> Method {
    match operation {
        "delete" => Method::DELETE,
        "get" => Method::GET,
        "head" => Method::HEAD,
        "options" => Method::OPTIONS,
        "patch" => Method::PATCH,
        "put" => Method::PUT,
        "trace" => Method::TRACE,
        _ => Method::POST,
    }
}

/// Asking twice does no harm, and there is nothing to send along.
pub(super) fn is_safe(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method)
}

fn is_redirect(status: StatusCode) -> bool {
    [301, 302, 303, 307, 308].contains(&status.as_u16())
}

/// Says whether a redirect makes the method GET, as browsers do (RFC 9110, 15.4).
fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        301 | 302 => *method == Method::POST,
        303 => *method != Method::HEAD,
        _ => false,
    }
}

/// Target in the first line of a request.
fn target(url: &Url) -> Option<Uri> {
    let target = &url[Position::BeforePath..Position::AfterQuery];
    PathAndQuery::try_from(target).ok().map(Uri::from)
}

fn host(url: &Url) -> Result<HeaderValue> {
    let host = &url[Position::BeforeHost..Position::AfterPort];
    HeaderValue::from_str(host)
        .map_err(|_| Error::invalid("`url`: expected a host that can be sent"))
}

/// The server goes on with the trace of the call, whatever the app says of that. TRACE sends nothing that it could show.
fn trace(headers: &mut HeaderMap, method: &Method, request: &Request<'_>) {
    let value = HeaderValue::from_str(&request.trace.to_string()).ok();
    if let Some(value) = value.filter(|_| method != Method::TRACE) {
        headers.insert(TRACEPARENT, value);
    }
}

/// Dapr's rule: a name that begins with a capital letter is a header.
fn headers(metadata: &[(String, String)]) -> Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let capital = |name: &str| name.starts_with(|first: char| first.is_uppercase());
    for (name, value) in metadata.iter().filter(|(name, _)| capital(name)) {
        let shown = name.escape_debug();
        let parsed = HeaderName::from_bytes(name.as_bytes());
        let parsed =
            parsed.map_err(|_| Error::invalid(format!("`{shown}` is no name of a header")))?;
        if RESERVED.contains(&parsed.as_str()) {
            return Err(Error::invalid(format!(
                "the header `{shown}` is the host's own; leave it out"
            )));
        }
        // The value may be a secret.
        let value = HeaderValue::from_str(value).map_err(|_| {
            Error::invalid(format!(
                "the value of the header `{shown}`; expected one line of text"
            ))
        })?;
        let room = headers.try_append(parsed, value);
        room.map_err(|_| Error::invalid("too many headers; expected at most 32,768"))?;
    }
    Ok(headers)
}
