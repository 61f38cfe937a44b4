//! Addresses of services, as they are written in settings.

use std::net::IpAddr;
use url::{Host, Url};

/// Reads an address of HTTP without a user, a query and a fragment.
pub fn parse_address(text: &str) -> Option<Url> {
    let url: Url = text.parse().ok()?;
    let is_plain = ["http", "https"].contains(&url.scheme())
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none()
        // One that is a URL and no URI could not be asked.
        && url.as_str().parse::<http::Uri>().is_ok();
    is_plain.then_some(url)
}

/// Returns whether what is sent there can be read on its way: another machine, without TLS.
pub fn is_exposed(url: &Url) -> bool {
    let is_here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    };
    url.scheme() == "http" && !is_here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_no_user_and_no_query() {
        assert!(parse_address("http://a:1/b").is_some());
        for text in [
            "a",
            "ftp://a",
            "http://me@a",
            "http://:p@a",
            "http://a?b",
            "http://a#b",
        ] {
            assert!(parse_address(text).is_none(), "{text}");
        }
    }

    #[test]
    fn another_machine_without_tls_is_exposed() {
        for (text, expected) in [
            ("http://localhost:1", false),
            ("http://[::1]", false),
            ("http://127.0.0.1", false),
            ("http://10.0.0.1", true),
            ("https://a", false),
            ("http://a", true),
        ] {
            assert_eq!(is_exposed(&text.parse().unwrap()), expected, "{text}");
        }
    }
}
