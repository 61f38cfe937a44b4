//! The target of a request: the one host that its target and its Host header name (RFC 9110 7.2, RFC 9112 3.2).

use http::{
    HeaderMap, HeaderValue, Request, Uri, Version, header,
    uri::{Authority, InvalidUri, Scheme},
};
use wythe_blocks::{Error, Result};

/// The host of a request of HTTP/1.0, which need not name one, and of an empty header.
const NAMELESS: &str = "localhost";

/// Guests expect a whole URI, and a Host header that says the same. The scheme is that of the connection, where the request
/// names none.
pub fn complete<B>(request: &mut Request<B>, scheme: Scheme) -> Result<()> {
    let named = named(request.headers(), request.version())?;
    let target = request.uri().authority().cloned();
    let authority = match target {
        // Two names of the same request are an attempt (RFC 9113 8.3.1); in HTTP/1.1 the target counts.
        Some(target) if request.version() == Version::HTTP_2 => {
            check(target.as_str())?;
            let same = |name: &Authority| target.as_str().eq_ignore_ascii_case(name.as_str());
            if !named.as_ref().is_none_or(same) {
                return Err(Error::invalid(
                    "a Host header that differs from `:authority`",
                ));
            }
            target
        }
        Some(target) => check(target.as_str())?,
        None => named.unwrap_or_else(|| Authority::from_static(NAMELESS)),
    };
    let host = HeaderValue::from_str(authority.as_str());
    let host = host.map_err(|_| Error::invalid("the request's host; expected a name"))?;
    request.headers_mut().insert(header::HOST, host);
    let mut parts = request.uri().clone().into_parts();
    parts.authority = Some(authority);
    parts.scheme = parts.scheme.or(Some(scheme));
    let whole = Uri::from_parts(parts);
    *request.uri_mut() =
        whole.map_err(|error| Error::invalid(format!("the request's target: {error}")))?;
    Ok(())
}

/// Takes the first bytes of the path away, which name the tenant: its apps do not know by what they are reached.
pub fn skip<B>(request: &mut Request<B>, bytes: usize) -> Result<()> {
    if bytes == 0 {
        return Ok(());
    }
    let mut parts = request.uri().clone().into_parts();
    let target = parts.path_and_query.as_ref();
    let rest = target.and_then(|target| target.as_str().get(bytes..));
    let rest = match rest.unwrap_or_default() {
        rest if rest.starts_with('/') => rest.to_owned(),
        rest => format!("/{rest}"),
    };
    let wrong = |text: String| Error::invalid(format!("the request's target: {text}"));
    let path = rest
        .parse()
        .map_err(|error: InvalidUri| wrong(error.to_string()))?;
    parts.path_and_query = Some(path);
    *request.uri_mut() = Uri::from_parts(parts).map_err(|error| wrong(error.to_string()))?;
    Ok(())
}

/// Reads the Host header; absent where it may be left out or is empty.
fn named(headers: &HeaderMap, version: Version) -> Result<Option<Authority>> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let Some(host) = hosts.next() else {
        return match version {
            Version::HTTP_11 => Err(Error::invalid("no Host header; expected one")),
            _ => Ok(None),
        };
    };
    if hosts.next().is_some() {
        return Err(Error::invalid("more than one Host header; expected one"));
    }
    let host = host.to_str();
    match host.map_err(|_| Error::invalid("the Host header; expected a host name"))? {
        "" => Ok(None),
        host => check(host).map(Some),
    }
}

/// A name or an address with, at most, a port: without a user.
fn check(text: &str) -> Result<Authority> {
    let wrong = || Error::invalid("the request's host; expected a name and no more than a port");
    let authority: Authority = text.parse().map_err(|_| wrong())?;
    let port = text.strip_prefix(authority.host()).ok_or_else(wrong)?;
    let is_port = match port.strip_prefix(':') {
        Some(number) => {
            let digits = number.bytes().all(|digit| digit.is_ascii_digit());
            number.is_empty() || digits && number.parse::<u16>().is_ok()
        }
        None => port.is_empty(),
    };
    match is_port && !authority.host().is_empty() && !text.contains('@') {
        true => Ok(authority),
        false => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The host that a guest sees, by URI and by header.
    fn seen(version: Version, uri: &str, hosts: &[&str]) -> Option<String> {
        let mut request = Request::builder().version(version).uri(uri);
        for host in hosts {
            request = request.header("host", *host);
        }
        let mut request = request.body(()).expect("a request");
        complete(&mut request, Scheme::HTTP).ok()?;
        let host = request.headers()["host"].to_str().expect("a plain header");
        assert_eq!(request.uri().authority().expect("an authority"), host);
        assert_eq!(request.headers().get_all("host").iter().count(), 1);
        Some(host.to_owned())
    }

    #[test]
    fn a_request_names_one_host() {
        let (old, one, two) = (Version::HTTP_10, Version::HTTP_11, Version::HTTP_2);
        let cases: [(_, _, &[&str], _); 19] = [
            (one, "/", &["a.example"], Some("a.example")),
            (one, "/", &["a.example:8080"], Some("a.example:8080")),
            (one, "/", &["[::1]:80"], Some("[::1]:80")),
            (one, "/", &[""], Some("localhost")),
            (one, "/", &[], None),
            (old, "/", &[], Some("localhost")),
            (one, "/", &["a", "b"], None),
            (one, "/", &["a", "a"], None),
            (one, "/", &["user@a"], None),
            (one, "/", &["user:word@a"], None),
            (one, "/", &["a:99999"], None),
            (one, "/", &["a:b"], None),
            (one, "/", &["a/b"], None),
            (one, "/", &["a b"], None),
            (one, "http://a/", &["b"], Some("a")),
            (one, "http://user@a/", &["a"], None),
            (two, "http://a/", &[], Some("a")),
            (two, "http://a/", &["A"], Some("a")),
            (two, "http://a/", &["b"], None),
        ];
        for (version, uri, hosts, expected) in cases {
            let found = seen(version, uri, hosts);
            assert_eq!(found.as_deref(), expected, "{version:?} {uri} {hosts:?}");
        }
    }

    #[test]
    fn an_app_does_not_see_the_name_of_its_tenant() {
        for (uri, expected) in [
            ("http://a/shop/cart?n=1", "http://a/cart?n=1"),
            ("http://a/shop/", "http://a/"),
            ("http://a/shop", "http://a/"),
            ("http://a/shop?n=1", "http://a/?n=1"),
            ("http://a/shop//x", "http://a//x"),
        ] {
            let mut request = Request::get(uri).body(()).expect("a request");
            skip(&mut request, "/shop".len()).expect("a target");
            assert_eq!(request.uri().to_string(), expected);
        }
    }
}
