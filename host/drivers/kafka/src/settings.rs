//! The settings, by Dapr's names and a few more, and what they come to.

mod config;

pub(crate) use config::config;

use crate::{codec::Codec, names::is_plain, producer::Writing};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::time::Duration;
use wythe_blocks::{Result, Wrong};
use wythe_manifest::{Duration as Span, Secret};
use wythe_net::{Hidden, Tls, Written, limit, wrong};

const PORT: u16 = 9092;
/// Brokers that are named.
const BROKERS: usize = 100;
/// The time to connect and of one request, by default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The time after which a member that is silent is gone, and the interval of its signs of life, by default.
const SESSION: Duration = Duration::from_secs(10);
const HEARTBEAT: Duration = Duration::from_secs(3);
/// The first pause after reading has failed, by default.
const RETRY: Duration = Duration::from_millis(100);
/// Bytes of a record, and of a batch of them: what brokers take by default, and what is taken at most.
const MESSAGE: u64 = 1 << 20;
const MAX_MESSAGE: u64 = 16 << 20;
/// Messages of a partition that a subscription has at once, by default and at most.
const AT_ONCE: usize = 256;
const MAX_AT_ONCE: usize = 2_000;

config! {
    struct Config {}
}

/// A time as Dapr writes it, in milliseconds, or with a unit.
#[derive(Clone, Copy)]
pub(crate) struct Milliseconds(Duration);

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = match text.parse::<u32>() {
            Ok(number) => Duration::from_millis(number.into()),
            Err(_) => Duration::from(text.parse::<Span>().map_err(D::Error::custom)?),
        };
        Ok(Milliseconds(time))
    }
}

/// The mechanisms of a login by password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Mechanism {
    Plain,
    Sha256,
    Sha512,
}

impl Mechanism {
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::Sha256 => "SCRAM-SHA-256",
            Mechanism::Sha512 => "SCRAM-SHA-512",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Login {
    pub mechanism: Mechanism,
    pub user: String,
    pub password: Hidden,
}

/// The settings of one cluster: equal ones are shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub brokers: Vec<(String, u16)>,
    pub name: String,
    pub login: Option<Login>,
    pub tls: Option<Tls>,
    /// The time to connect, and that of one request.
    pub timeout: Duration,
}

impl Target {
    /// The brokers in messages and descriptions.
    pub fn address(&self) -> String {
        let all: Vec<_> = self.brokers.iter().map(shown).collect();
        all.join(", ")
    }
}

/// A broker in messages.
pub(crate) fn shown((host, port): &(String, u16)) -> String {
    match host.contains(':') {
        true => format!("[{host}]:{port}"),
        false => format!("{host}:{port}"),
    }
}

/// The way in which a component reads.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    /// A new group begins with what there is.
    pub from_first: bool,
    pub heartbeat: Duration,
    pub session: Duration,
    pub retry: Duration,
    pub at_once: usize,
    pub is_round_robin: bool,
}

/// The settings of pub/sub that were found good.
pub(crate) struct Parsed {
    pub target: Target,
    pub reading: Reading,
    pub group: Option<String>,
    pub prefix: String,
    pub writing: Writing,
}

pub(crate) fn parse(config: Config) -> Result<Parsed, Wrong> {
    check_dapr(&config)?;
    let prefix = config.name_prefix.clone().unwrap_or_default();
    if prefix.len() > 100 || !prefix.chars().all(is_plain) {
        let why = "expected letters, digits, `.`, `_` and `-`, 100 at most";
        return Err(wrong("namePrefix", why));
    }
    Ok(Parsed {
        reading: reading(&config)?,
        group: config
            .consumer_group
            .clone()
            .filter(|group| !group.is_empty()),
        prefix,
        writing: writing(&config)?,
        target: target(config)?,
    })
}

/// Warns of a password that goes to another machine as plain text.
pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    let target = &parsed.target;
    let is_here = |(host, _): &(String, u16)| {
        let address = host.parse::<std::net::IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    };
    let is_open = target.login.is_some() && target.tls.is_none();
    match is_open && !target.brokers.iter().all(is_here) {
        false => Vec::new(),
        true => vec![wrong(
            "disableTls",
            "the login goes to another machine without TLS",
        )],
    }
}

/// Settings of Dapr's that would lose events, or that this build cannot keep.
fn check_dapr(config: &Config) -> Result<(), Wrong> {
    if config.consume_retry_enabled == Some(false) {
        return Err(wrong(
            "consumeRetryEnabled",
            "expected true: what an app refuses comes again; a subscription bounds that by `deadLetterTopic` and `maxDeliveryAttempts`",
        ));
    }
    if config.skip_verify == Some(true) {
        return Err(wrong(
            "skipVerify",
            "expected false: write the certificate that signs for the brokers as `caCert`",
        ));
    }
    let version = config.version.as_deref().unwrap_or("2.0.0");
    let parts: Vec<_> = version.split('.').map(str::parse::<u32>).collect();
    if parts.iter().any(Result::is_err) {
        return Err(wrong("version", "expected a version, such as `2.0.0`"));
    }
    match parts.first() {
        Some(Ok(0)) => Err(wrong("version", "expected 2.1.0 or later")),
        _ => Ok(()),
    }
}

fn writing(config: &Config) -> Result<Writing, Wrong> {
    let max_batch = config.max_message_bytes.map_or(MESSAGE, u64::from);
    if !(1 << 10..=MAX_MESSAGE).contains(&max_batch) {
        return Err(wrong("maxMessageBytes", "expected 1KiB to 16MiB"));
    }
    Ok(Writing {
        max_batch: usize::try_from(max_batch).unwrap_or(usize::MAX),
        codec: match config.compression.as_deref() {
            None | Some("" | "none") => None,
            Some("gzip") => Some(Codec::Gzip),
            Some("snappy") => Some(Codec::Snappy),
            Some("lz4") => Some(Codec::Lz4),
            Some("zstd") => Some(Codec::Zstd),
            Some(_) => {
                let why = "expected `none`, `gzip`, `snappy`, `lz4` or `zstd`";
                return Err(wrong("compression", why));
            }
        },
    })
}

fn reading(config: &Config) -> Result<Reading, Wrong> {
    let time = |written: Option<Milliseconds>| written.map(|time| time.0);
    let session = limit("sessionTimeout", time(config.session_timeout), SESSION)?;
    let heartbeat = time(config.heartbeat_interval);
    let heartbeat = limit("heartbeatInterval", heartbeat, HEARTBEAT)?.min(session / 3);
    let retry = time(config.consume_retry_interval);
    let at_once = config.channel_buffer_size.unwrap_or(AT_ONCE);
    if !(1..=MAX_AT_ONCE).contains(&at_once) {
        return Err(wrong("channelBufferSize", "expected 1 to 2000"));
    }
    Ok(Reading {
        from_first: match config.initial_offset.as_deref() {
            None | Some("" | "newest") => false,
            Some("oldest") => true,
            Some(_) => return Err(wrong("initialOffset", "expected `newest` or `oldest`")),
        },
        heartbeat,
        session,
        retry: limit("consumeRetryInterval", retry, RETRY)?,
        at_once,
        is_round_robin: match config.consumer_group_rebalance_strategy.as_deref() {
            None | Some("" | "range") => false,
            Some("roundrobin") => true,
            Some(_) => {
                let why = "expected `range` or `roundrobin`";
                return Err(wrong("consumerGroupRebalanceStrategy", why));
            }
        },
    })
}

fn target(config: Config) -> Result<Target, Wrong> {
    let kind = match (config.auth_type.as_deref(), config.auth_required) {
        (Some(kind), _) if !kind.is_empty() => kind.to_ascii_lowercase(),
        (_, Some(true)) => "password".to_owned(),
        _ => "none".to_owned(),
    };
    let written = Written::new(config.ca_cert, config.client_cert, config.client_key);
    let is_open = config.disable_tls.unwrap_or(false);
    let (has_login, has_tls) = match kind.as_str() {
        "none" => (false, false),
        "password" => (true, !is_open),
        "mtls" | "certificate" if is_open => {
            return Err(wrong("disableTls", "`authType: mtls` is TLS"));
        }
        "mtls" | "certificate" => (false, true),
        "oidc" | "oidc_private_key_jwt" | "awsiam" => {
            let why = "this build has no such login; expected `none`, `password`, `mtls` or `certificate`";
            return Err(wrong("authType", why));
        }
        _ => {
            let why = "expected `none`, `password`, `mtls` or `certificate`";
            return Err(wrong("authType", why));
        }
    };
    if let Some(name) = written.first().filter(|_| !has_tls) {
        let why = "without TLS nobody looks at it: expected `authType: mtls`, or `authType: password` without `disableTls`";
        return Err(wrong(name, why));
    }
    let login = (
        config.sasl_username,
        config.sasl_password,
        config.sasl_mechanism,
    );
    Ok(Target {
        brokers: brokers(&config.brokers)?,
        name: name(config.client_id)?,
        login: has_login.then(|| self::login(login)).transpose()?,
        tls: has_tls.then(|| Tls::new("authType", written)).transpose()?,
        timeout: limit("timeout", config.timeout, TIMEOUT)?,
    })
}

fn name(written: Option<String>) -> Result<String, Wrong> {
    let name = written.unwrap_or_else(|| "wythe".to_owned());
    match name.len() <= 200 {
        true => Ok(name),
        false => Err(wrong("clientID", "expected 200 bytes at most")),
    }
}

fn login(
    (user, password, mechanism): (Option<String>, Option<Secret>, Option<String>),
) -> Result<Login, Wrong> {
    let mechanism = match mechanism.as_deref() {
        None | Some("" | "PLAINTEXT" | "PLAIN") => Mechanism::Plain,
        Some("SHA-256" | "SCRAM-SHA-256") => Mechanism::Sha256,
        Some("SHA-512" | "SCRAM-SHA-512") => Mechanism::Sha512,
        Some(_) => {
            let why = "expected `PLAINTEXT`, `SHA-256` or `SHA-512`";
            return Err(wrong("saslMechanism", why));
        }
    };
    let needed = |setting| wrong(setting, "`authType: password` needs it");
    let user = user.filter(|user| !user.is_empty());
    let user = user.ok_or_else(|| needed("saslUsername"))?;
    let password = password.ok_or_else(|| needed("saslPassword"))?;
    if user.len() + password.reveal().len() > 16 << 10 || user.contains('\0') {
        return Err(wrong("saslUsername", "a name that no broker takes"));
    }
    Ok(Login {
        mechanism,
        user,
        password: Hidden(password),
    })
}

fn brokers(text: &str) -> Result<Vec<(String, u16)>, Wrong> {
    let odd = || {
        wrong(
            "brokers",
            "expected `host:port`, with commas between several",
        )
    };
    let all: Option<Vec<_>> = text.split(',').map(|one| broker(one.trim())).collect();
    let all = all.ok_or_else(odd)?;
    match all.len() <= BROKERS {
        true => Ok(all),
        false => Err(wrong("brokers", "expected 100 at most")),
    }
}

fn broker(text: &str) -> Option<(String, u16)> {
    let is_short = |host: &str| !host.is_empty() && !host.contains(['/', '@', ' ']);
    if let Some(rest) = text.strip_prefix('[') {
        let (host, port) = rest.split_once(']')?;
        let port = port.strip_prefix(':').map_or(Ok(PORT), str::parse);
        return Some((host.to_owned(), port.ok()?)).filter(|(host, _)| is_short(host));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (text, PORT),
    };
    Some((host.to_owned(), port)).filter(|(host, _)| is_short(host))
}

#[cfg(test)]
mod tests;
