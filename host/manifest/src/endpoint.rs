//! The URL of a receiver of spans.

use std::fmt;

use crate::problem::Source;
use crate::tracing::OtlpProtocol;

/// The longest URL.
const MAX: usize = 2_048;
/// The path of OTLP by HTTP where none is written.
const TRACES: &str = "/v1/traces";

/// A URL of HTTP with no user, no query and no fragment in it: nothing that would be a secret in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    source: Option<Source>,
}

impl Endpoint {
    /// Reads a URL, such as `http://localhost:9411/api/v2/spans`. An error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = text.trim();
        let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
        let is_http = ["http", "https"].contains(&scheme);
        let path = rest.find('/').unwrap_or(rest.len());
        let (authority, path) = rest.split_at(path);
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !b"?#\\\"<>^`{|}".contains(&byte);
        if authority.contains('@') {
            return Err("a user in a URL is a secret in every log; write `headers` for it".into());
        }
        if !is_http || url.len() > MAX || !is_authority(authority) || !path.bytes().all(is_plain) {
            return Err(expected());
        }
        Ok(Endpoint {
            url: format!("{scheme}://{authority}{path}"),
            source: None,
        })
    }

    /// Reads the address of a receiver of OTLP: a URL, or a host with its port, which is spoken to by TLS unless it is not
    /// secure.
    pub fn of_otlp(
        text: &str,
        is_secure: Option<bool>,
        protocol: OtlpProtocol,
    ) -> Result<Self, String> {
        let is_url = text.contains("://");
        let scheme = match is_secure.unwrap_or(true) {
            true => "https",
            false => "http",
        };
        let endpoint = match is_url {
            true => Self::parse(text)?,
            false => Self::parse(&format!("{scheme}://{}", text.trim()))?,
        };
        if is_url && is_secure.is_some() && !endpoint.url.starts_with(&format!("{scheme}:")) {
            return Err("`isSecure` says otherwise than the URL; leave it out".to_owned());
        }
        endpoint.completed(protocol)
    }

    /// The same URL with the path that the protocol has; by gRPC it has none.
    fn completed(self, protocol: OtlpProtocol) -> Result<Self, String> {
        match (protocol, self.has_path()) {
            (OtlpProtocol::Grpc, true) => {
                Err("expected no path: gRPC has one of its own".to_owned())
            }
            (OtlpProtocol::Http, false) => Ok(self.below(TRACES)),
            _ => Ok(self),
        }
    }

    fn has_path(&self) -> bool {
        let rest = self.url.split_once("://").map_or("", |(_, rest)| rest);
        rest.split_once('/')
            .is_some_and(|(_, path)| !path.is_empty())
    }

    /// The URL of traces, where this one is of all signals.
    #[must_use]
    pub fn below_traces(self) -> Self {
        self.below(TRACES)
    }

    /// The URL of what is below this one.
    #[must_use]
    pub fn below(mut self, path: &str) -> Self {
        let end = self.url.trim_end_matches('/').len();
        self.url.truncate(end);
        self.url.push_str(path);
        self
    }

    /// The same URL, written there.
    #[must_use]
    pub fn at(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// The URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The place where it was written; none where that is no file.
    pub fn source(&self) -> Option<&Source> {
        self.source.as_ref()
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn expected() -> String {
    "expected a URL, such as `http://localhost:4318`, without user, query and fragment".to_owned()
}

/// A host by its name or address, with a port or without.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            let is_address = address.parse::<std::net::Ipv6Addr>().is_ok();
            (if is_address { "v6" } else { "" }, port)
        }
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_port = |digits: &str| {
        let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
        is_number && digits.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let is_host = !host.is_empty() && host.len() <= 253 && host.bytes().all(is_name);
    is_host && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
}
