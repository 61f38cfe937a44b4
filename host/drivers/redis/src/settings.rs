//! The settings, which all blocks have in common: Dapr's names, and a few more.

use serde::Deserialize;
use std::time::Duration;
use wythe_blocks::{Result, Wrong};
use wythe_manifest::{Duration as Span, Secret};
use wythe_net::{Hidden, Tls, Written, limit, wrong};

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// The time to connect, and the time of a call; by default.
const CONNECT: Duration = Duration::from_secs(5);
const CALL: Duration = Duration::from_secs(5);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Config {
    /// `host:port`, with port 6379 where none is written. With `failover`, the sentinels, parted by commas.
    redis_host: String,
    redis_username: Option<String>,
    redis_password: Option<Secret>,
    /// The number of the database; default 0.
    #[serde(rename = "redisDB")]
    redis_db: Option<u32>,
    /// `node`, or `cluster`, which is an error; default `node`.
    redis_type: Option<Kind>,
    /// Default false.
    #[serde(rename = "enableTLS")]
    enable_tls: Option<bool>,
    /// Certificates in PEM that are believed in place of the web's authorities.
    ca_cert: Option<String>,
    /// A certificate in PEM by which the host proves itself, with its key.
    client_cert: Option<String>,
    client_key: Option<Secret>,
    /// Asks sentinels for the server; default false.
    failover: Option<bool>,
    sentinel_master_name: Option<String>,
    sentinel_username: Option<String>,
    sentinel_password: Option<Secret>,
    /// The time to connect; default 5s.
    dial_timeout: Option<Span>,
    /// The time of a call; default 5s.
    read_timeout: Option<Span>,
    /// Seconds, of state alone, after which an entry ends that does not say when; 0 for never.
    ttl_in_seconds: Option<u64>,
    /// An index of the keys, of state alone, for `list`; default true.
    key_index: Option<bool>,
    /// The time, as all below of pub/sub alone, after which a message of a host that is gone goes to another one; default 15s.
    processing_timeout: Option<Span>,
    /// The interval between two looks for such messages; default 60s, and not above `processingTimeout`.
    redeliver_interval: Option<Span>,
    /// Messages of one read; default 100.
    queue_depth: Option<usize>,
    /// Messages of a subscription that an app has at once; default 1000.
    concurrency: Option<usize>,
    /// Messages that a topic holds for groups which have not acknowledged them; default 1,000,000.
    max_backlog: Option<u64>,
    /// Messages that a topic holds, acknowledged or not; older ones are dropped.
    max_len_approx: Option<u64>,
    /// The time that a topic holds a message, acknowledged or not.
    #[serde(rename = "streamTTL")]
    stream_ttl: Option<Span>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Node,
    Cluster,
}

/// The settings of one connection: equal ones are shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    /// The server, or the sentinels that know it.
    pub hosts: Vec<(String, u16)>,
    pub database: u32,
    pub login: Login,
    /// The name by which sentinels know the server, and the login with them.
    pub sentinel: Option<(String, Login)>,
    pub connect: Duration,
    pub call: Duration,
    pub tls: Option<Tls>,
}

impl Target {
    /// The server in messages and descriptions.
    pub fn address(&self) -> String {
        let hosts = self
            .hosts
            .iter()
            .map(|(host, port)| format!("{host}:{port}"));
        let hosts = hosts.collect::<Vec<_>>().join(", ");
        match &self.sentinel {
            None => hosts,
            Some((name, _)) => format!("`{name}` of the sentinels {hosts}"),
        }
    }
}

#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    pub user: Option<String>,
    pub password: Option<Hidden>,
}

/// A config that was found good.
pub(crate) struct Parsed {
    pub target: Target,
    pub ttl: Option<Duration>,
    pub has_index: bool,
    pub streams: Streams,
}

/// The settings of pub/sub.
#[derive(Clone)]
pub(crate) struct Streams {
    pub processing: Duration,
    pub look: Duration,
    pub read: usize,
    pub at_once: usize,
    pub max_backlog: u64,
    pub max_length: Option<u64>,
    pub ttl: Option<Duration>,
}

pub(crate) fn parse_state(config: Config) -> Result<Parsed, Wrong> {
    check_streams(&config)?;
    parse(config)
}

pub(crate) fn parse_pubsub(config: Config) -> Result<Parsed, Wrong> {
    check_state(&config)?;
    parse(config)
}

/// Settings of a block that has none of its own.
pub(crate) fn parse_plain(config: Config) -> Result<Parsed, Wrong> {
    check_state(&config)?;
    check_streams(&config)?;
    parse(config)
}

fn check_state(config: &Config) -> Result<(), Wrong> {
    let own = [
        ("ttlInSeconds", config.ttl_in_seconds.is_some()),
        ("keyIndex", config.key_index.is_some()),
    ];
    check_foreign(&own, "state.redis")
}

fn check_streams(config: &Config) -> Result<(), Wrong> {
    let own = [
        ("processingTimeout", config.processing_timeout.is_some()),
        ("redeliverInterval", config.redeliver_interval.is_some()),
        ("queueDepth", config.queue_depth.is_some()),
        ("concurrency", config.concurrency.is_some()),
        ("maxBacklog", config.max_backlog.is_some()),
        ("maxLenApprox", config.max_len_approx.is_some()),
        ("streamTTL", config.stream_ttl.is_some()),
    ];
    check_foreign(&own, "pubsub.redis")
}

fn check_foreign(settings: &[(&'static str, bool)], kind: &str) -> Result<(), Wrong> {
    match settings.iter().find(|(_, is_written)| *is_written) {
        None => Ok(()),
        Some((setting, _)) => Err(wrong(
            setting,
            &format!("this is a setting of `{kind}` alone; delete it here"),
        )),
    }
}

fn parse(config: Config) -> Result<Parsed, Wrong> {
    if config.redis_type == Some(Kind::Cluster) {
        return Err(wrong(
            "redisType",
            "this build speaks to no cluster; expected `node`, and a server that is none",
        ));
    }
    Ok(Parsed {
        // Dapr's 0 is no end.
        ttl: (config.ttl_in_seconds.filter(|seconds| *seconds > 0)).map(Duration::from_secs),
        has_index: config.key_index.unwrap_or(true),
        streams: streams(&config)?,
        target: target(config)?,
    })
}

fn target(config: Config) -> Result<Target, Wrong> {
    let sentinel = sentinel(&config)?;
    let port = match sentinel {
        None => PORT,
        Some(_) => SENTINEL_PORT,
    };
    let hosts = config.redis_host.split(',').map(|host| address(host, port));
    let hosts = hosts.collect::<Result<Vec<_>, _>>()?;
    if sentinel.is_none() && hosts.len() > 1 {
        return Err(wrong(
            "redisHost",
            "expected one server, or `failover: true`",
        ));
    }
    Ok(Target {
        hosts,
        sentinel,
        database: config.redis_db.unwrap_or(0),
        tls: secure(&config)?,
        connect: limit("dialTimeout", config.dial_timeout, CONNECT)?,
        call: limit("readTimeout", config.read_timeout, CALL)?,
        login: login(config.redis_username, config.redis_password),
    })
}

/// A login; an empty password is none, as in the file that `dapr init` writes.
fn login(user: Option<String>, password: Option<Secret>) -> Login {
    Login {
        user: user.filter(|user| !user.is_empty()),
        password: password
            .filter(|password| !password.reveal().is_empty())
            .map(Hidden),
    }
}

fn sentinel(config: &Config) -> Result<Option<(String, Login)>, Wrong> {
    match (
        config.failover.unwrap_or(false),
        &config.sentinel_master_name,
    ) {
        (true, Some(name)) => {
            let (user, password) = (&config.sentinel_username, &config.sentinel_password);
            Ok(Some((name.clone(), login(user.clone(), password.clone()))))
        }
        (true, None) => Err(wrong("failover", "expected `sentinelMasterName` beside it")),
        (false, Some(_)) => Err(wrong(
            "sentinelMasterName",
            "expected `failover: true` beside it",
        )),
        (false, None) => Ok(None),
    }
}

fn secure(config: &Config) -> Result<Option<Tls>, Wrong> {
    let written = Written::new(
        config.ca_cert.clone(),
        config.client_cert.clone(),
        config.client_key.clone(),
    );
    match (config.enable_tls.unwrap_or(false), written.first()) {
        (false, None) => Ok(None),
        (false, Some(name)) => Err(wrong(name, "expected `enableTLS: true` beside it")),
        (true, _) => Tls::new("enableTLS", written).map(Some),
    }
}

fn address(text: &str, port: u16) -> Result<(String, u16), Wrong> {
    let text = text.trim();
    let odd = |why: &str| wrong("redisHost", why);
    if text.contains("://") || text.contains('@') || text.contains('/') {
        return Err(odd(
            "expected `host:port` and no URL; a user and a password are `redisUsername` and `redisPassword`",
        ));
    }
    let (host, port) = match text.rsplit_once(':') {
        // An address of IPv6 alone, without brackets.
        Some((before, _)) if before.contains(':') && !before.ends_with(']') => (text, port),
        Some((host, written)) => {
            let parsed = written.parse();
            (host, parsed.map_err(|_| odd("expected `host:port`"))?)
        }
        None => (text, port),
    };
    let host = host.trim_matches(['[', ']']);
    match host.is_empty() || host.len() > 255 || host.contains(char::is_whitespace) {
        true => Err(odd("expected `host:port`")),
        false => Ok((host.to_owned(), port)),
    }
}

fn streams(config: &Config) -> Result<Streams, Wrong> {
    let second = Duration::from_secs(1);
    let processing = limit("processingTimeout", config.processing_timeout, 15 * second)?;
    let look = limit("redeliverInterval", config.redeliver_interval, 60 * second)?;
    let streams = Streams {
        processing,
        look: look.min(processing),
        read: config.queue_depth.unwrap_or(100),
        at_once: config.concurrency.unwrap_or(1_000),
        max_backlog: config.max_backlog.unwrap_or(1_000_000),
        max_length: config.max_len_approx,
        ttl: config.stream_ttl.map(Duration::from),
    };
    for (setting, number) in [
        ("queueDepth", streams.read),
        ("concurrency", streams.at_once),
    ] {
        if !(1..=10_000).contains(&number) {
            return Err(wrong(setting, "expected 1 to 10000"));
        }
    }
    Ok(streams)
}

#[cfg(test)]
mod tests;
