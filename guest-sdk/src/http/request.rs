//! A request: one that arrived, or one to send.
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};
use wasip2::http::types::{IncomingRequest, Method, Scheme};

use super::{BODY_LIMIT, Body, Headers, Query, segments, split};
use crate::{Error, Result};

/// A request that arrived, or one to `send`.
///
/// ```
/// use wythe_sdk::http::Request;
///
/// let request = Request::get("http://catalog.wythe.internal/products/green%20tea?page=2");
/// assert_eq!(request.authority(), Some("catalog.wythe.internal"));
/// assert_eq!(request.path(), "/products/green%20tea");
/// assert_eq!(request.segments(), ["products", "green tea"]);
/// assert_eq!(request.query().get("page"), Some("2"));
/// ```
#[derive(Debug)]
pub struct Request {
    pub(super) method: String,
    pub(super) scheme: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) target: String,
    pub(super) timeout: Option<Duration>,
    headers: Headers,
    body: Body,
}

impl Request {
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    pub fn post(url: &str) -> Self {
        Self::new("POST", url)
    }

    /// A request to an absolute URL.
    pub fn new(method: &str, url: &str) -> Self {
        let (scheme, rest) = match url.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, url),
        };
        let (rest, _fragment) = rest.split_once('#').unwrap_or((rest, ""));
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let slash = if target.starts_with('/') { "" } else { "/" };
        Self {
            method: method.to_owned(),
            scheme,
            authority: Some(authority.to_owned()).filter(|authority| !authority.is_empty()),
            target: format!("{slash}{target}"),
            timeout: None,
            headers: Headers::default(),
            body: Body::empty(),
        }
    }

    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.append(name, value);
        self
    }

    pub fn with_body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub fn with_json<T: Serialize + ?Sized>(mut self, value: &T) -> Result<Self> {
        self.headers.set("content-type", "application/json");
        Ok(self.with_body(serde_json::to_vec(value)?))
    }

    /// Sets the time to wait for the connection, for the first byte, and between two bytes.
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    pub fn method(&self) -> &str {
        &self.method
    }

    /// The host and port it is for.
    pub fn authority(&self) -> Option<&str> {
        self.authority.as_deref()
    }

    /// The path as it came, without the query.
    pub fn path(&self) -> &str {
        split(&self.target).0
    }

    /// The decoded parts of the path between its slashes.
    pub fn segments(&self) -> Vec<String> {
        segments(self.path())
    }

    /// Path and query as they came.
    pub fn target(&self) -> &str {
        &self.target
    }

    pub fn query(&self) -> Query {
        Query::parse(split(&self.target).1)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    pub fn headers_mut(&mut self) -> &mut Headers {
        &mut self.headers
    }

    /// The body, for reading chunk by chunk.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.body
    }

    pub fn into_body(self) -> Body {
        self.body
    }

    pub(super) fn length(&self) -> Option<usize> {
        self.body.length()
    }

    /// The body, if it is no longer than [`BODY_LIMIT`].
    pub fn bytes(&mut self) -> Result<Vec<u8>> {
        self.body.read(BODY_LIMIT)
    }

    pub fn text(&mut self) -> Result<String> {
        String::from_utf8(self.bytes()?).map_err(|_| Error::invalid("the body is not UTF-8"))
    }

    pub fn json<T: DeserializeOwned>(&mut self) -> Result<T> {
        Ok(serde_json::from_slice(&self.bytes()?)?)
    }

    /// The fields of an HTML form.
    pub fn form(&mut self) -> Result<Query> {
        let media_type = self.header("content-type").unwrap_or_default();
        if !media_type
            .to_ascii_lowercase()
            .starts_with("application/x-www-form-urlencoded")
        {
            return Err(Error::invalid(
                "the body is not application/x-www-form-urlencoded",
            ));
        }
        Ok(Query::parse(&self.text()?))
    }

    pub(super) fn receive(request: IncomingRequest) -> Result<Self> {
        let body = request
            .consume()
            .map_err(|()| Error::internal("the body was taken twice"))?;
        Ok(Self {
            method: method_name(request.method()),
            scheme: request.scheme().map(scheme_name),
            authority: request.authority(),
            target: request.path_with_query().unwrap_or_else(|| "/".to_owned()),
            timeout: None,
            headers: request.headers().entries().into(),
            body: Body::arriving(body)?,
        })
    }
}

fn method_name(method: Method) -> String {
    let name = match method {
        Method::Get => "GET",
        Method::Head => "HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Delete => "DELETE",
        Method::Connect => "CONNECT",
        Method::Options => "OPTIONS",
        Method::Trace => "TRACE",
        Method::Patch => "PATCH",
        Method::Other(name) => return name,
    };
    name.to_owned()
}

fn scheme_name(scheme: Scheme) -> String {
    match scheme {
        Scheme::Http => "http".to_owned(),
        Scheme::Https => "https".to_owned(),
        Scheme::Other(name) => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_urls_apart() {
        let cases = [
            (
                "http://a.b:80/c?d=e",
                Some("http"),
                Some("a.b:80"),
                "/c?d=e",
            ),
            ("HTTPS://a", Some("https"), Some("a"), "/"),
            ("http://a?b", Some("http"), Some("a"), "/?b"),
            ("http://a/b#c", Some("http"), Some("a"), "/b"),
            ("/only/a/path", None, None, "/only/a/path"),
            ("http:///a", Some("http"), None, "/a"),
        ];
        for (url, scheme, authority, target) in cases {
            let request = Request::get(url);
            let found = (
                request.scheme.as_deref(),
                request.authority(),
                request.target(),
            );
            assert_eq!(found, (scheme, authority, target), "{url}");
        }
    }

    #[test]
    fn a_form_needs_its_media_type() {
        let form = || Request::post("http://a/").with_body("name=ada+l&city=");
        let mut typed = form().with_header(
            "Content-Type",
            "application/x-www-form-urlencoded; charset=utf-8",
        );
        let fields = typed.form().unwrap();
        assert_eq!(
            (fields.get("name"), fields.get("city")),
            (Some("ada l"), Some(""))
        );
        assert_eq!(form().form().unwrap_err().status(), 400);
    }

    #[test]
    fn json_is_read_and_told_when_wrong() {
        let mut request = Request::post("http://a/").with_json(&[1, 2]).unwrap();
        assert_eq!(request.json::<Vec<u8>>().unwrap(), [1, 2]);
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(
            Request::post("http://a/")
                .json::<u8>()
                .unwrap_err()
                .status(),
            400
        );
    }
}
