//! The settings, which all blocks have in common: Dapr's names, and a few more.

mod events;

pub(crate) use events::{Begin, Events};

use crate::nkey;
use serde::Deserialize;
use std::time::Duration;
use url::{Host, Url};
use wythe_blocks::{Result, Wrong};
use wythe_manifest::{Duration as Span, Secret};
use wythe_net::{Hidden, Written, decode, wrong};

const PORT: u16 = 4222;
/// The time to connect, and the time of a call; by default.
const TIMEOUT: Duration = Duration::from_secs(5);
const SERVERS: usize = 100;
const MAX_REPLICAS: u32 = 5;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// `nats://host:port`, or `tls://host:port`; servers of one cluster with commas between them.
    #[serde(rename = "natsURL")]
    nats_url: Secret,
    /// The name of the connections at the server; default `wythe`.
    name: Option<String>,
    jwt: Option<Secret>,
    /// The seed of the user's key, with `jwt` or alone.
    seed_key: Option<Secret>,
    token: Option<Secret>,
    /// A certificate by which the host proves itself, and its key: each PEM, or the path of a file of it.
    #[serde(rename = "tls_client_cert")]
    tls_client_cert: Option<String>,
    #[serde(rename = "tls_client_key")]
    tls_client_key: Option<Secret>,
    /// Certificates that are believed in place of the web's authorities: PEM, or the path of a file.
    #[serde(rename = "tls_ca_cert")]
    tls_ca_cert: Option<String>,
    domain: Option<String>,
    /// The first part of the subjects of JetStream's own interface; default `$JS.API`.
    api_prefix: Option<String>,
    /// The time to connect, and of a call; default 5s.
    timeout: Option<Span>,
    /// Says of the server that it has `sync_interval: always`; default false.
    sync_always: Option<bool>,
    /// Copies of a bucket or a stream that is made; default 1.
    replicas: Option<u32>,
    /// Keeps in memory what is made; default false.
    memory_storage: Option<bool>,
    /// The bucket, of all but pub/sub.
    bucket: Option<String>,
    /// The stream, as all below of pub/sub alone, which is there already.
    stream_name: Option<String>,
    durable_name: Option<String>,
    queue_group_name: Option<String>,
    start_sequence: Option<u64>,
    /// Seconds since 1970.
    start_time: Option<u64>,
    flow_control: Option<bool>,
    ack_wait: Option<Span>,
    max_deliver: Option<u32>,
    max_ack_pending: Option<u32>,
    deliver_policy: Option<String>,
    ack_policy: Option<String>,
    concurrency: Option<String>,
    back_off: Option<String>,
    rate_limit: Option<u64>,
    heartbeat: Option<Span>,
    /// Messages that a topic holds for groups which have not acknowledged them; default 1,000,000.
    max_backlog: Option<u64>,
}

/// The settings of one connection: equal ones are shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub servers: Vec<(String, u16)>,
    /// TLS, whatever the server says of it.
    pub is_secure: bool,
    pub login: Login,
    /// Texts in PEM, or paths of them until the component opens.
    pub written: Written,
    pub name: String,
    pub prefix: String,
    pub timeout: Duration,
    pub sync_always: bool,
}

impl Target {
    /// The servers in messages and descriptions.
    pub fn address(&self) -> String {
        let shown = |(host, port): &(String, u16)| match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        self.servers
            .iter()
            .map(shown)
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// The proof of who connects.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    pub user: Option<String>,
    pub password: Option<Hidden>,
    pub token: Option<Hidden>,
    pub jwt: Option<Hidden>,
    pub seed: Option<Hidden>,
}

/// A config that was found good.
pub(crate) struct Parsed {
    pub target: Target,
    pub made: Made,
    /// The bucket; empty for pub/sub.
    pub bucket: String,
    pub events: Events,
}

/// The settings of a stream or a bucket that is made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    pub replicas: u32,
    pub in_memory: bool,
}

impl Made {
    pub fn storage(self) -> &'static str {
        if self.in_memory { "memory" } else { "file" }
    }
}

/// Settings of a block that keeps its rows in a bucket.
pub(crate) fn parse_rows(config: Config) -> Result<Parsed, Wrong> {
    if let Some(setting) = events::written(&config) {
        let why = "this is a setting of `pubsub.jetstream` alone; delete it here";
        return Err(wrong(setting, why));
    }
    let bucket = config.bucket.clone().unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if bucket.is_empty() || bucket.len() > 200 || !bucket.chars().all(is_plain) {
        let why = "expected the name of a bucket: letters, digits, `-` and `_`, 200 at most";
        return Err(wrong("bucket", why));
    }
    parse(config)
}

pub(crate) fn parse_events(config: Config) -> Result<Parsed, Wrong> {
    match config.bucket {
        None => parse(config),
        Some(_) => Err(wrong(
            "bucket",
            "`pubsub.jetstream` has streams and no bucket; delete it here",
        )),
    }
}

/// Warns of a login that goes to another machine as plain text, unless that machine wants otherwise.
pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    let target = &parsed.target;
    let has_login = target.login.password.is_some() || target.login.token.is_some();
    let is_here = |(host, _): &(String, u16)| {
        let address = host.parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    match has_login && !target.is_secure && !target.servers.iter().all(is_here) {
        false => Vec::new(),
        true => vec![wrong(
            "natsURL",
            "the login goes to another machine as plain text, unless the server insists on TLS; write `tls://`",
        )],
    }
}

fn parse(config: Config) -> Result<Parsed, Wrong> {
    let replicas = config.replicas.unwrap_or(1);
    if !(1..=MAX_REPLICAS).contains(&replicas) {
        return Err(wrong("replicas", "expected 1 to 5"));
    }
    Ok(Parsed {
        made: Made {
            replicas,
            in_memory: config.memory_storage.unwrap_or(false),
        },
        events: Events::parse(&config)?,
        bucket: config.bucket.clone().unwrap_or_default(),
        target: target(config)?,
    })
}

fn target(config: Config) -> Result<Target, Wrong> {
    let names = ["tls_ca_cert", "tls_client_cert", "tls_client_key"];
    let written = Written::new(
        config.tls_ca_cert,
        config.tls_client_cert,
        config.tls_client_key,
    );
    let written = written.named(names);
    let (mut servers, mut user, mut password) = (Vec::new(), None, None);
    let mut is_secure = written.first().is_some();
    for text in config.nats_url.reveal().split(',').take(SERVERS) {
        let one = server(text)?;
        servers.push((one.host, one.port));
        is_secure |= one.is_secure;
        user = user.or(one.user);
        password = password.or(one.password);
    }
    written.check_pair()?;
    let prefix = prefix(config.domain.as_deref(), config.api_prefix.as_deref())?;
    let timeout = limit("timeout", config.timeout, TIMEOUT)?;
    Ok(Target {
        servers,
        is_secure,
        written,
        prefix,
        timeout,
        login: login(
            (user, password),
            config.token,
            (config.jwt, config.seed_key),
        )?,
        name: name(config.name)?,
        sync_always: config.sync_always.unwrap_or(false),
    })
}

fn name(written: Option<String>) -> Result<String, Wrong> {
    let name = written.unwrap_or_else(|| "wythe".to_owned());
    match name.len() <= 200 {
        true => Ok(name),
        false => Err(wrong("name", "expected 200 bytes at most")),
    }
}

fn login(
    (user, password): (Option<String>, Option<Secret>),
    token: Option<Secret>,
    (jwt, seed): (Option<Secret>, Option<Secret>),
) -> Result<Login, Wrong> {
    let is_written = |secret: &Secret| !secret.reveal().is_empty();
    let (jwt, seed) = (jwt.filter(is_written), seed.filter(is_written));
    if let Some(seed) = &seed
        && nkey::Key::read(seed).is_none()
    {
        let why = "expected the seed of a user's key, which begins with `SU`";
        return Err(wrong("seedKey", why));
    }
    if jwt.is_some() && seed.is_none() {
        return Err(wrong("jwt", "expected `seedKey` beside it"));
    }
    // A user without a password is a token, as servers' own clients have it.
    let (user, alone) = match (user, &password) {
        (Some(user), None) => (None, Some(Secret::new(user))),
        (user, _) => (user, None),
    };
    Ok(Login {
        user,
        password: password.map(Hidden),
        token: token.filter(is_written).or(alone).map(Hidden),
        jwt: jwt.map(Hidden),
        seed: seed.map(Hidden),
    })
}

fn prefix(domain: Option<&str>, prefix: Option<&str>) -> Result<String, Wrong> {
    let is_plain = |text: &str| {
        let bad = |c: char| c.is_whitespace() || c.is_control() || c == '*' || c == '>';
        !text.is_empty() && text.len() <= 200 && !text.contains(bad)
    };
    match (domain, prefix) {
        (Some(_), Some(_)) => Err(wrong("apiPrefix", "expected `domain` or this, not both")),
        (Some(domain), None) if is_plain(domain) && !domain.contains('.') => {
            Ok(format!("$JS.{domain}.API"))
        }
        (Some(_), None) => Err(wrong("domain", "expected one word")),
        (None, Some(prefix)) if is_plain(prefix) => Ok(prefix.trim_end_matches('.').to_owned()),
        (None, Some(_)) => Err(wrong("apiPrefix", "expected a subject, such as `$JS.API`")),
        (None, None) => Ok("$JS.API".to_owned()),
    }
}

/// One server of the URL.
struct One {
    host: String,
    port: u16,
    is_secure: bool,
    user: Option<String>,
    password: Option<Secret>,
}

fn server(text: &str) -> Result<One, Wrong> {
    let odd = || {
        let why = "expected `nats://host:port` or `tls://host:port`";
        wrong("natsURL", why)
    };
    let text = text.trim();
    let whole = match text.contains("://") {
        true => text.to_owned(),
        false => format!("nats://{text}"),
    };
    let url = Url::parse(&whole).map_err(|_| odd())?;
    let is_secure = match url.scheme() {
        "nats" => false,
        "tls" => true,
        "ws" | "wss" => {
            let why = "this build speaks no WebSocket; expected `nats://` or `tls://`";
            return Err(wrong("natsURL", why));
        }
        _ => return Err(odd()),
    };
    let host = match url.host().ok_or_else(odd)? {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    if !matches!(url.path(), "" | "/") || url.query().is_some() {
        return Err(odd());
    }
    let decoded = |text: &str| {
        let odd = || wrong("natsURL", "expected `%` before two digits in the login");
        decode(text).ok_or_else(odd)
    };
    let user = Some(url.username()).filter(|user| !user.is_empty());
    Ok(One {
        host,
        port: url.port().unwrap_or(PORT),
        is_secure,
        user: user.map(decoded).transpose()?,
        password: url.password().map(decoded).transpose()?.map(Secret::new),
    })
}

/// A time that is written, within bounds: 0 would end everything, and a day holds whoever waits.
fn limit(
    setting: &'static str,
    written: Option<Span>,
    default: Duration,
) -> Result<Duration, Wrong> {
    let time = written.map_or(default, Duration::from);
    match (Duration::from_millis(10)..=Duration::from_secs(24 * 3_600)).contains(&time) {
        true => Ok(time),
        false => Err(wrong(setting, "expected 10ms to 24h")),
    }
}

#[cfg(test)]
mod tests;
