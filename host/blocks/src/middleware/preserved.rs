//! Words of a request in which only the host speaks: preserved while a handler has it, and put back after.

use crate::{
    Body, Error, Result,
    invocation::{API_TOKEN, HOST_SPEAKS, Path, strip},
};
use http::{
    HeaderName, HeaderValue, Request, Uri,
    header::HOST,
    uri::{Authority, InvalidUriParts, Scheme},
};

/// The words of one request. A handler says the path and the query anew, and the other headers; nothing else of it.
pub struct Preserved {
    scheme: Option<Scheme>,
    authority: Option<Authority>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Preserved {
    /// The words of a request that no handler has had.
    pub fn of<B>(request: &Request<B>) -> Self {
        let header = |name: HeaderName| Some((name.clone(), request.headers().get(name)?.clone()));
        Preserved {
            scheme: request.uri().scheme().cloned(),
            authority: request.uri().authority().cloned(),
            headers: HOST_SPEAKS.into_iter().filter_map(header).collect(),
        }
    }

    /// Puts them back, in place of what a handler made of them; `invalid` for a path that could be read in two ways.
    pub fn restore(&self, request: &mut Request<Body>) -> Result<()> {
        Path::of(request.uri())?;
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = self.scheme.clone();
        parts.authority = self.authority.clone();
        let wrong = |error: InvalidUriParts| {
            Error::invalid(format!("the path that a handler made: {error}"))
        };
        *request.uri_mut() = Uri::from_parts(parts).map_err(wrong)?;
        let headers = request.headers_mut();
        strip(headers);
        headers.remove(API_TOKEN);
        headers.extend(self.headers.iter().cloned());
        if let Some(authority) = &self.authority {
            let host = HeaderValue::from_str(authority.as_str());
            let host = host.map_err(|_| Error::invalid("the request's host; expected a name"))?;
            headers.insert(HOST, host);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        body_from,
        invocation::{CALLER_APP, CLIENT_NAME},
    };

    fn request(uri: &str, headers: &[(HeaderName, &'static str)]) -> Request<Body> {
        let mut request = Request::get(uri).body(body_from("")).expect("a request");
        for (name, value) in headers {
            let value = HeaderValue::from_static(value);
            request.headers_mut().append(name.clone(), value);
        }
        request
    }

    #[test]
    fn a_handler_says_the_path_and_its_own_headers_and_no_more() {
        let came = request("https://shop.example/cart", &[(CLIENT_NAME, "partner")]);
        let preserved = Preserved::of(&came);
        let made = [
            (CLIENT_NAME, "operator"),
            (CLIENT_NAME, "another"),
            (CALLER_APP, "checkout"),
            (API_TOKEN, "guessed"),
            (HOST, "evil.example"),
            (HeaderName::from_static("wythe_client_name"), "operator"),
            (HeaderName::from_static("dapr-caller_app-id"), "checkout"),
            (HeaderName::from_static("x-other"), "stays"),
            (HeaderName::from_static("x_other"), "stays"),
        ];
        let mut made = request("http://evil.example/other?n=1", &made);
        preserved.restore(&mut made).expect("a good path");
        assert_eq!(made.uri(), "https://shop.example/other?n=1");
        let headers = made.headers();
        let mut left: Vec<_> = headers.iter().collect();
        left.sort_by_key(|(name, _)| name.as_str());
        let left: Vec<_> = left
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("a text")))
            .collect();
        assert_eq!(
            left,
            [
                ("host", "shop.example"),
                ("wythe-client-name", "partner"),
                ("x-other", "stays"),
                ("x_other", "stays"),
            ]
        );
    }

    #[test]
    fn a_path_that_could_be_read_in_two_ways_is_none() {
        let preserved = Preserved::of(&request("http://shop.example/cart", &[]));
        for path in ["/a/../b", "/a/%2e%2e/b", "//a"] {
            assert!(
                preserved.restore(&mut request(path, &[])).is_err(),
                "{path}"
            );
        }
    }
}
