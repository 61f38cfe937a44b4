//! The address of a server: a URL, and single settings beside or in place of it.

use std::borrow::Cow;
use url::Url;
use wythe_blocks::{Result, Wrong};
use wythe_manifest::Secret;
use wythe_net::{decode, wrong};

const PORT: u16 = 5672;
const SECURE_PORT: u16 = 5671;

/// A server and a virtual host of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    pub host: String,
    pub port: u16,
    pub vhost: String,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Address { host, port, vhost } = self;
        write!(f, "{host}:{port}, virtual host `{vhost}`")
    }
}

/// The parts of an address that a text has.
#[derive(Default)]
pub(crate) struct Found {
    pub is_secure: bool,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub vhost: Option<String>,
    pub user: Option<String>,
    pub password: Option<Secret>,
}

/// Reads `amqp://user:password@host:port/vhost`. No error shows any of it, as there may be a password in it.
pub(crate) fn parse(setting: &'static str, text: &str) -> Result<Found, Wrong> {
    let odd = |why: &str| wrong(setting, why);
    let expected = "expected `amqp://user:password@host:port/vhost`";
    let url = Url::parse(text).map_err(|_| odd(expected))?;
    let is_secure = match url.scheme() {
        "amqp" => false,
        "amqps" => true,
        _ => return Err(odd("expected `amqp://` or `amqps://`")),
    };
    if url.query().is_some() || url.fragment().is_some() {
        return Err(odd(
            "expected no `?` and no `#`; write such settings as metadata",
        ));
    }
    let decoded = |text: &str| decode(text).ok_or_else(|| odd("expected `%` before two digits"));
    let vhost = match url.path() {
        "" | "/" => None,
        path => Some(decoded(&path[1..])?),
    };
    let user = match url.username() {
        "" => None,
        user => Some(decoded(user)?),
    };
    let password = url.password().map(decoded).transpose()?;
    let host = url.host_str().filter(|host| !host.is_empty());
    Ok(Found {
        is_secure,
        host: Some(host.ok_or_else(|| odd(expected))?.to_owned()),
        port: url.port(),
        vhost,
        user,
        password: password.map(Secret::new),
    })
}

impl Found {
    /// The address, of which single settings say what the text does not.
    pub fn address(
        self,
        setting: &'static str,
        host: Option<String>,
        port: Option<u16>,
        vhost: Option<String>,
    ) -> Result<Address, Wrong> {
        let twice = |name: &'static str| wrong(name, "the connection string has it already");
        let is_url = self.host.is_some();
        if is_url && host.is_some() {
            return Err(twice("hostname"));
        }
        if self.port.is_some() && port.is_some() {
            return Err(twice("port"));
        }
        if self.vhost.is_some() && vhost.is_some() {
            return Err(twice("vhost"));
        }
        let default = if self.is_secure { SECURE_PORT } else { PORT };
        let missing = || wrong(setting, "expected this, or `connectionString`");
        let host = self.host.or(host).ok_or_else(missing)?;
        let host = host.trim_matches(['[', ']']);
        if host.is_empty() || host.len() > 255 || host.contains([' ', '/', '@']) {
            return Err(wrong(setting, "expected the name or the address of a host"));
        }
        let vhost = self.vhost.or(vhost).map_or(Cow::Borrowed("/"), Cow::Owned);
        if vhost.len() > 255 {
            return Err(wrong("vhost", "expected at most 255 bytes"));
        }
        Ok(Address {
            host: host.to_owned(),
            port: self.port.or(port).unwrap_or(default),
            vhost: vhost.into_owned(),
        })
    }
}
