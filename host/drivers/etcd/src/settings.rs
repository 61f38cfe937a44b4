//! The settings: Dapr's names, and a login and bounds beside them.

use serde::Deserialize;
use std::time::Duration;
use url::Url;
use wythe_blocks::{Result, Wrong};
use wythe_client::{is_exposed, parse_address};
use wythe_manifest::{Duration as Time, Secret};
use wythe_net::{Hidden, wrong};

/// Time of a request, by default.
const TIMEOUT: Duration = Duration::from_secs(5);
const PORT: u16 = 2379;
/// Servers of one cluster.
const SERVERS: usize = 32;
/// Operations of a transaction and bytes of a request, as servers have them by default.
const OPERATIONS: u32 = 128;
const REQUEST: u64 = 1_536 << 10;
/// Bounds of both.
const MOST_OPERATIONS: u32 = 10_000;
const REQUESTS: std::ops::RangeInclusive<u64> = 128 << 10..=12 << 20;
const PREFIX: usize = 1_024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// Servers of one cluster, with commas between them: `host:port`, or with `http://` or `https://` before it.
    endpoints: String,
    /// The beginning of all keys, before a `/`; default none.
    key_prefix_path: Option<String>,
    /// True speaks TLS; default false, unless an address says `https`.
    tls_enable: Option<bool>,
    /// Certificates that are believed in place of the web's authorities, in PEM.
    ca: Option<String>,
    /// The certificate by which the host proves itself, and its key, in PEM.
    cert: Option<String>,
    key: Option<Secret>,
    /// Operations of a transaction, as the server's `--max-txn-ops` has them; default 128.
    max_txn_ops: Option<u32>,
    /// Bytes of a request, as the server's `--max-request-bytes` has them; default 1.5 MiB.
    max_request_bytes: Option<u64>,
    /// The user, and the password beside it.
    username: Option<String>,
    password: Option<Secret>,
    /// Time of a request; default 5s.
    timeout: Option<Time>,
}

/// A cluster, and how it is asked: equal ones share their connections.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub servers: Vec<Url>,
    pub authorities: Option<String>,
    /// A certificate and its key.
    pub own: Option<(String, Hidden)>,
    pub login: Option<(String, Hidden)>,
    pub timeout: Duration,
}

/// The bounds of the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub operations: u32,
    pub request: u64,
}

/// A config that was found good.
pub(crate) struct Parsed {
    pub target: Target,
    pub bounds: Bounds,
    pub prefix: String,
}

/// Settings of locks, which have no transactions.
pub(crate) fn parse_locks(config: Config) -> Result<Parsed, Wrong> {
    match config.max_txn_ops {
        None => parse(config),
        Some(_) => Err(wrong(
            "maxTxnOps",
            "a lock is one operation; delete the key here",
        )),
    }
}

/// Settings of a configuration, all of which is below a prefix of its own.
pub(crate) fn parse_items(config: Config) -> Result<Parsed, Wrong> {
    let parsed = parse(config)?;
    match parsed.prefix.is_empty() {
        false => Ok(parsed),
        true => Err(wrong(
            "keyPrefixPath",
            "expected the beginning of the items' keys, such as `shop/config`: what is below it is the configuration",
        )),
    }
}

pub(crate) fn parse(config: Config) -> Result<Parsed, Wrong> {
    let prefix = config.key_prefix_path.unwrap_or_default();
    if prefix.len() > PREFIX || prefix.contains(char::is_control) {
        let why = "expected a text of 1,024 bytes at most, without control characters";
        return Err(wrong("keyPrefixPath", why));
    }
    let operations = config.max_txn_ops.unwrap_or(OPERATIONS);
    if !(1..=MOST_OPERATIONS).contains(&operations) {
        return Err(wrong("maxTxnOps", "expected 1 to 10,000"));
    }
    let request = config.max_request_bytes.unwrap_or(REQUEST);
    if !REQUESTS.contains(&request) {
        let why = "expected 131,072 to 12,582,912 bytes";
        return Err(wrong("maxRequestBytes", why));
    }
    let timeout = config.timeout.map_or(TIMEOUT, Duration::from);
    if !(Duration::from_millis(10)..=Duration::from_secs(3_600)).contains(&timeout) {
        return Err(wrong("timeout", "expected 10ms to 1h"));
    }
    let is_secure = config.tls_enable;
    Ok(Parsed {
        target: Target {
            servers: servers(&config.endpoints, is_secure)?,
            authorities: pem("ca", is_secure, config.ca)?,
            own: own(is_secure, config.cert, config.key)?,
            login: login(config.username, config.password)?,
            timeout,
        },
        bounds: Bounds {
            operations,
            request,
        },
        prefix,
    })
}

fn login(
    user: Option<String>,
    password: Option<Secret>,
) -> Result<Option<(String, Hidden)>, Wrong> {
    match (user.filter(|user| !user.is_empty()), password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => Ok(Some((user, Hidden(password)))),
        (Some(_), None) => Err(wrong("username", "expected `password` beside it")),
        (None, Some(_)) => Err(wrong("password", "expected `username` beside it")),
    }
}

/// A text of PEM, which has no use without TLS.
fn pem(
    setting: &'static str,
    is_secure: Option<bool>,
    written: Option<String>,
) -> Result<Option<String>, Wrong> {
    let Some(text) = written.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    match (is_secure, text.contains("-----BEGIN ")) {
        (Some(true), true) => Ok(Some(text)),
        (Some(true), false) => Err(wrong(setting, "expected the text of PEM itself")),
        _ => Err(wrong(setting, "expected `tlsEnable: true` beside it")),
    }
}

fn own(
    is_secure: Option<bool>,
    certificate: Option<String>,
    key: Option<Secret>,
) -> Result<Option<(String, Hidden)>, Wrong> {
    let certificate = pem("cert", is_secure, certificate)?;
    let key = key.filter(|key| !key.reveal().trim().is_empty());
    match (certificate, key) {
        (None, None) => Ok(None),
        (Some(certificate), Some(key)) => Ok(Some((certificate, Hidden(key)))),
        (Some(_), None) => Err(wrong("cert", "expected `key` beside it")),
        (None, Some(_)) => Err(wrong("key", "expected `cert` beside it")),
    }
}

fn servers(written: &str, is_secure: Option<bool>) -> Result<Vec<Url>, Wrong> {
    let parts = written.split(',').map(str::trim);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    if !(1..=SERVERS).contains(&parts.len()) {
        let why = "expected 1 to 32 addresses such as `127.0.0.1:2379`, with commas between them";
        return Err(wrong("endpoints", why));
    }
    let servers = parts.into_iter().map(|part| server(part, is_secure));
    let servers = servers.collect::<Result<Vec<_>, _>>()?;
    match servers
        .windows(2)
        .all(|two| two[0].scheme() == two[1].scheme())
    {
        true => Ok(servers),
        false => Err(wrong(
            "endpoints",
            "expected TLS at all of them, or at none",
        )),
    }
}

/// Returns whether an address names its port: the parser takes out that of the scheme, which is not etcd's.
fn has_port(address: &str) -> bool {
    let authority = address.split_once("://").map_or("", |(_, rest)| rest);
    let port = authority.trim_end_matches('/').rsplit_once(':');
    port.is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()))
}

fn server(written: &str, is_secure: Option<bool>) -> Result<Url, Wrong> {
    let odd = || {
        let why = "expected addresses such as `127.0.0.1:2379` or `https://etcd.example.com:2379`, without a user, a path and a query";
        wrong("endpoints", why)
    };
    let scheme = match is_secure {
        Some(true) => "https",
        _ => "http",
    };
    let whole = match written.contains("://") {
        true => written.to_owned(),
        false => format!("{scheme}://{written}"),
    };
    let plain = parse_address(&whole).filter(|url| url.path() == "/");
    let mut url = plain.ok_or_else(odd)?;
    match (is_secure, url.scheme()) {
        (Some(true), "http") => {
            return Err(wrong(
                "endpoints",
                "`tlsEnable` is true; expected `https://`",
            ));
        }
        (Some(false), "https") => {
            return Err(wrong(
                "endpoints",
                "`tlsEnable` is false; expected `http://`",
            ));
        }
        _ => {}
    }
    if !has_port(&whole) {
        url.set_port(Some(PORT)).map_err(|()| odd())?;
    }
    Ok(url)
}

/// Warns of a password and of values that others may read on their way.
pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    let target = &parsed.target;
    match target.login.is_some() && target.servers.iter().any(is_exposed) {
        false => Vec::new(),
        true => vec![wrong(
            "endpoints",
            "the password goes to another machine without TLS: who is on its way reads it; write `tlsEnable: true`",
        )],
    }
}

#[cfg(test)]
mod tests;
