//! Patterns of the hosts that an app may send HTTP requests to, and of the servers that a plugin may connect to.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::addresses::is_private;
use crate::name::shown;

/// One entry of `grants.http`: an optional scheme, a host or `*.suffix` or `*`, an optional port.
///
/// Without a scheme both `http` and `https` match; without a port only the default port of the request's scheme.
/// `*` never matches a private address or `localhost`: those are granted only where they are written themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern {
    scheme: Option<Scheme>,
    host: Host,
    port: Option<u16>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Any,
    /// Every name that ends in a dot and this.
    Below(String),
    Named(String),
    Address(IpAddr),
}

impl HostPattern {
    /// Returns whether a request to this host is granted; a host may be a name or an address.
    pub fn matches(&self, scheme: &str, host: &str, port: u16) -> bool {
        let Some(scheme) = Scheme::read(scheme) else {
            return false;
        };
        self.scheme.is_none_or(|granted| granted == scheme)
            && self.port.unwrap_or(scheme.default_port()) == port
            && self.host.matches(host)
    }

    /// Returns whether each request that `asked` matches is one that this matches.
    pub fn covers(&self, asked: &HostPattern) -> bool {
        let mut schemes = [Scheme::Http, Scheme::Https].into_iter();
        let port =
            |pattern: &HostPattern, scheme: Scheme| pattern.port.unwrap_or(scheme.default_port());
        schemes.all(|scheme| {
            asked.scheme.is_some_and(|only| only != scheme)
                || self.scheme.is_none_or(|only| only == scheme)
                    && port(self, scheme) == port(asked, scheme)
        }) && self.host.covers(&asked.host)
    }
}

impl FromStr for HostPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{}` is not a host: {why}", shown(text));
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (
                Some(Scheme::read(scheme).ok_or_else(|| wrong("the scheme is `http` or `https`"))?),
                rest,
            ),
            None => (None, text),
        };
        if rest.contains(['/', '?', '#', '@']) {
            return Err(wrong(
                "write only the host and the port, without a path or a user",
            ));
        }
        let (host, port) =
            split_port(rest).ok_or_else(|| wrong("the port is a number from 1 to 65535"))?;
        let host = match (host, host.strip_prefix("*.")) {
            ("*", _) => Host::Any,
            (_, Some(suffix)) => match Host::read(suffix) {
                Some(Host::Named(suffix)) => Host::Below(suffix),
                _ => return Err(wrong("a name follows `*.`")),
            },
            _ => Host::read(host)
                .ok_or_else(|| wrong("write a name, `*.name`, an IP address or `*`"))?,
        };
        Ok(Self { scheme, host, port })
    }
}

/// One server of TCP, `tcp://HOST:PORT`: a name, `*.suffix`, or an address, and always a port.
///
/// As in [`HostPattern`], a name leads to public addresses alone, but for `localhost`; a private address is written itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPattern {
    host: Host,
    port: u16,
}

impl ServerPattern {
    /// The beginning of each of them.
    pub const SCHEME: &str = "tcp://";

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The one name that it is about; none where it is an address or a pattern.
    pub fn name(&self) -> Option<&str> {
        match &self.host {
            Host::Named(name) => Some(name),
            _ => None,
        }
    }

    /// Returns whether it is written for exactly this address.
    pub fn is_address(&self, address: IpAddr) -> bool {
        self.host == Host::Address(address.to_canonical())
    }

    /// Returns whether it is one name or one address, and no pattern.
    pub fn is_single(&self) -> bool {
        matches!(self.host, Host::Named(_) | Host::Address(_))
    }

    /// Returns whether it is about this name.
    pub fn has_name(&self, name: &str) -> bool {
        Host::read(name).is_some_and(|host| host == self.host)
    }

    /// Returns whether each server of `asked` is one of these.
    pub fn covers(&self, asked: &ServerPattern) -> bool {
        self.port == asked.port && self.host.covers(&asked.host)
    }
}

impl FromStr for ServerPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is no server; expected `tcp://HOST:PORT`, with a name or an address",
                shown(text)
            )
        };
        let rest = text.strip_prefix(Self::SCHEME).ok_or_else(wrong)?;
        let pattern: HostPattern = rest.parse()?;
        match pattern {
            HostPattern {
                scheme: None,
                host,
                port: Some(port),
            } => Ok(ServerPattern { host, port }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for ServerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}:{}", Self::SCHEME, self.host, self.port)
    }
}

/// The host and its port; none when there is a port that is not a number.
fn split_port(text: &str) -> Option<(&str, Option<u16>)> {
    let after_address = text.rfind(']').map_or(0, |end| end + 1);
    let is_bare_ipv6 = text.parse::<Ipv6Addr>().is_ok();
    match text[after_address..].rfind(':').filter(|_| !is_bare_ipv6) {
        Some(colon) => {
            let (host, port) = text.split_at(after_address + colon);
            let port = port[1..].parse().ok().filter(|port| *port > 0)?;
            Some((host, Some(port)))
        }
        None => Some((text, None)),
    }
}

impl Scheme {
    fn read(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "http" => Some(Scheme::Http),
            "https" => Some(Scheme::Https),
            _ => None,
        }
    }

    fn default_port(self) -> u16 {
        match self {
            Scheme::Http => 80,
            Scheme::Https => 443,
        }
    }
}

impl Host {
    /// Returns whether each host that `asked` is about is one that this is about.
    fn covers(&self, asked: &Host) -> bool {
        match (self, asked) {
            (Host::Any, Host::Any | Host::Below(_)) => true,
            (Host::Below(suffix), Host::Below(below)) => {
                let rest = below.strip_suffix(suffix.as_str());
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (_, Host::Named(name)) => self.matches(name),
            (_, Host::Address(address)) => self.matches(&address.to_string()),
            _ => false,
        }
    }

    fn matches(&self, host: &str) -> bool {
        let Some(host) = Host::read(host) else {
            return false;
        };
        match (self, &host) {
            (Host::Any, Host::Address(address)) => !is_private(*address),
            (Host::Any, Host::Named(name)) => !is_local_name(name),
            (Host::Below(suffix), Host::Named(name)) => {
                name.strip_suffix(suffix.as_str())
                    .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
                    && !is_local_name(name)
            }
            (granted, asked) => granted == asked,
        }
    }

    /// A name or an address in the one form in which they are compared.
    fn read(text: &str) -> Option<Self> {
        let bare = text
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or(text);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Some(Host::Address(address.to_canonical()));
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let is_name = !name.is_empty() && name.split('.').all(is_label);
        // Many resolvers read `0x7f.1` and `2130706433` as addresses, so such a text is no name either.
        let last = name.rsplit('.').next().unwrap_or_default();
        let is_number = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
        (is_name && !is_number).then_some(Host::Named(name))
    }
}

fn is_label(label: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !label.is_empty() && label.len() <= 63 && label.bytes().all(is_allowed)
}

fn is_local_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Any => f.write_str("*"),
            Host::Below(suffix) => write!(f, "*.{suffix}"),
            Host::Named(name) => f.write_str(name),
            Host::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
            Host::Address(address) => write!(f, "{address}"),
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scheme {
            Some(Scheme::Http) => f.write_str("http://")?,
            Some(Scheme::Https) => f.write_str("https://")?,
            None => {}
        }
        write!(f, "{}", self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> ServerPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_server_has_a_host_and_a_port() {
        for text in [
            "tcp://127.0.0.1:6379",
            "tcp://db.example.com:5432",
            "tcp://[::1]:1",
            "tcp://*.example.com:9",
        ] {
            assert_eq!(server(text).to_string(), text);
        }
        for text in [
            "127.0.0.1:6379",
            "tcp://db",
            "tcp://db:0",
            "tcp://db:1/x",
            "tcp://https://db:1",
            "udp://db:1",
            "tcp://:1",
            "",
        ] {
            text.parse::<ServerPattern>().unwrap_err();
        }
        assert!(server("tcp://127.0.0.1:6379").is_address("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!server("tcp://127.0.0.1:6379").is_address("127.0.0.2".parse().unwrap()));
        assert!(server("tcp://DB.example.com:1").has_name("db.EXAMPLE.com."));
    }

    #[test]
    fn an_operator_allows_what_his_pattern_covers() {
        let all = server("tcp://*.example.com:5432");
        assert!(all.covers(&server("tcp://db.example.com:5432")));
        for other in [
            "tcp://db.example.com:5433",
            "tcp://example.com:5432",
            "tcp://10.0.0.1:5432",
        ] {
            assert!(!all.covers(&server(other)), "{other}");
        }
        // Private addresses are written themselves.
        assert!(!server("tcp://*:1").covers(&server("tcp://10.0.0.1:1")));
        assert!(!server("tcp://*:1").covers(&server("tcp://localhost:1")));
        assert!(server("tcp://10.0.0.1:1").covers(&server("tcp://10.0.0.1:1")));
    }
}
