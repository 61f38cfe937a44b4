//! The settings of both blocks, by Dapr's names, and what they come to.

mod form;

pub(crate) use form::{Exchange, Layout, Limit, QueueType};

use crate::address::{self, Address};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::time::Duration;
use wythe_blocks::{Result, Wrong};
use wythe_manifest::{ByteSize, Duration as Span, Secret};
use wythe_net::{Hidden, Tls, Written, limit, wrong};

/// The time to connect and of one request, by default.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The interval of signs of life, by default.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// The longest pause between two tries to connect, by default.
const RECONNECT: Duration = Duration::from_secs(3);
/// Messages that a subscription has at once, by default and at most.
const PREFETCH: u16 = 200;
const MAX_PREFETCH: u16 = 2_000;
const BACKLOG: u64 = 1_000_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PubSubConfig {
    /// `amqp://user:password@host:port/vhost`, or `amqps://` for TLS.
    connection_string: Option<Secret>,
    /// `amqp` or `amqps`; default by the connection string, and `amqp` without one.
    protocol: Option<String>,
    /// The server, where there is no connection string.
    hostname: Option<String>,
    /// Default 5672, and 5671 with TLS.
    port: Option<u16>,
    username: Option<String>,
    password: Option<Secret>,
    /// The virtual host; default `/`.
    vhost: Option<String>,
    /// Certificates in PEM that are believed in place of the web's authorities.
    ca_cert: Option<String>,
    /// A certificate in PEM by which the host proves itself, with its key.
    client_cert: Option<String>,
    client_key: Option<Secret>,
    /// The login is the client's certificate; default false.
    sasl_external: Option<bool>,
    /// The name of the connections in the server's lists.
    client_name: Option<String>,
    /// The interval of signs of life; default 10s.
    heart_beat: Option<Span>,
    /// The longest pause between two tries to connect; default 3s.
    #[serde(alias = "reconnectWaitSeconds")]
    reconnect_wait: Option<Seconds>,
    /// The time to connect, and that of one request; default 10s.
    timeout: Option<Span>,
    /// Queues and exchanges outlive the server; default true.
    durable: Option<bool>,
    /// A queue ends with its last consumer; default false.
    deleted_when_unused: Option<bool>,
    /// May be false alone, which is the default: a message is acknowledged after the app has answered.
    auto_ack: Option<bool>,
    /// May be true alone, which is the default: what an app refuses comes again.
    requeue_in_failure: Option<bool>,
    /// The server confirms what is published, whatever this says.
    #[expect(
        dead_code,
        reason = "a file of Dapr's has it, and both of its values are kept"
    )]
    publisher_confirm: Option<bool>,
    /// 2 for messages that outlive the server, 0 or 1 for those that do not; default 2.
    delivery_mode: Option<u8>,
    /// Messages that a subscription has at once; default 200, and 0 means that.
    prefetch_count: Option<u16>,
    /// `parallel`, or `single` for one message at a time; default `parallel`.
    concurrency: Option<Concurrency>,
    /// `fanout`, `topic` or `direct`; default `fanout`.
    exchange_kind: Option<Exchange>,
    /// The time after which a message is dropped.
    ttl_in_seconds: Option<Seconds>,
    /// Messages of a queue, and bytes of them, beyond which the oldest are dropped.
    max_len: Option<u64>,
    max_len_bytes: Option<u64>,
    /// Messages of a queue, beyond which a publish is refused, 0 for no bound; default 1,000,000.
    max_backlog: Option<u64>,
    /// Bytes of them.
    max_backlog_bytes: Option<ByteSize>,
    /// Messages that the server drops go to the queue `dlq-QUEUE`; default false.
    enable_dead_letter: Option<bool>,
    /// `quorum` or `classic`; default `quorum`, and `classic` where the other settings want it.
    queue_type: Option<QueueType>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct BindingConfig {
    /// `amqp://user:password@host:port/vhost`, or `amqps://` for TLS.
    host: Secret,
    /// The queue, which is made where it is missing.
    queue_name: String,
    /// The queue outlives the server; default false.
    durable: Option<bool>,
    /// The queue ends with its last consumer; default false.
    delete_when_unused: Option<bool>,
    /// The queue belongs to one connection, and ends with it; default false.
    exclusive: Option<bool>,
    /// The time after which a message of the queue is dropped.
    ttl_in_seconds: Option<Seconds>,
    /// Messages that the app has at once; default 200, and 0 means that.
    prefetch_count: Option<u16>,
    /// The highest priority, 1 to 255, for a queue that sorts by it.
    max_priority: Option<u8>,
    /// The content type of what is created; default `text/plain`.
    content_type: Option<String>,
    /// The longest pause between two tries to connect; default 5s.
    reconnect_wait_in_seconds: Option<Seconds>,
    /// Certificates in PEM that are believed in place of the web's authorities.
    ca_cert: Option<String>,
    /// A certificate in PEM by which the host proves itself, with its key.
    client_cert: Option<String>,
    client_key: Option<Secret>,
    /// The login is the client's certificate; default false.
    #[serde(alias = "saslExternal")]
    external_sasl: Option<bool>,
    /// The name of the connections in the server's lists.
    client_name: Option<String>,
    /// The time to connect, and that of one request; default 10s.
    timeout: Option<Span>,
}

/// A time as Dapr writes it, in seconds, or with a unit.
#[derive(Clone, Copy)]
pub(crate) struct Seconds(Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let seconds = text.parse::<u32>();
        let time = match seconds {
            Ok(seconds) => Duration::from_secs(seconds.into()),
            Err(_) => Duration::from(text.parse::<Span>().map_err(D::Error::custom)?),
        };
        Ok(Seconds(time))
    }
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Concurrency {
    Parallel,
    Single,
}

/// The settings of one connection: equal ones are shared.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Target {
    pub address: Address,
    pub user: String,
    pub password: Hidden,
    /// The login is the certificate of the client.
    pub is_external: bool,
    pub tls: Option<Tls>,
    pub name: Option<String>,
    pub heartbeat: Duration,
    /// The longest pause between two tries to connect.
    pub reconnect: Duration,
    /// The time to connect, and that of one request.
    pub timeout: Duration,
}

/// The settings of pub/sub that were found good.
pub(crate) struct Parsed {
    pub target: Target,
    pub layout: Layout,
    pub prefetch: u16,
    pub ttl: Option<Duration>,
    pub is_persistent: bool,
}

/// The settings of a binding that were found good.
pub(crate) struct Binding {
    pub target: Target,
    pub queue: String,
    pub is_durable: bool,
    pub is_passing: bool,
    pub is_exclusive: bool,
    pub ttl: Option<Duration>,
    pub prefetch: u16,
    pub max_priority: Option<u8>,
    pub content_type: String,
}

pub(crate) fn parse_pubsub(config: PubSubConfig) -> Result<Parsed, Wrong> {
    check_dapr(&config)?;
    let prefetch = match config.concurrency {
        Some(Concurrency::Single) => 1,
        _ => prefetch(config.prefetch_count)?,
    };
    Ok(Parsed {
        prefetch,
        ttl: ttl(config.ttl_in_seconds)?,
        is_persistent: config.delivery_mode.unwrap_or(2) == 2,
        layout: layout(&config)?,
        target: target(config)?,
    })
}

/// Settings of Dapr's by which messages would be lost.
fn check_dapr(config: &PubSubConfig) -> Result<(), Wrong> {
    if config.auto_ack == Some(true) {
        return Err(wrong(
            "autoAck",
            "expected false: a message that is acknowledged before the app has it is lost with the host",
        ));
    }
    if config.requeue_in_failure == Some(false) {
        return Err(wrong(
            "requeueInFailure",
            "expected true: what an app refuses comes again; a subscription bounds that by `deadLetterTopic` and `maxDeliveryAttempts`",
        ));
    }
    match config.delivery_mode {
        Some(3..) => Err(wrong("deliveryMode", "expected 0, 1 or 2")),
        _ => Ok(()),
    }
}

fn layout(config: &PubSubConfig) -> Result<Layout, Wrong> {
    let is_durable = config.durable.unwrap_or(true);
    let is_passing = config.deleted_when_unused.unwrap_or(false);
    // Queues of the other type are durable, and outlive their consumers.
    let default = match is_durable && !is_passing {
        true => QueueType::Quorum,
        false => QueueType::Classic,
    };
    let queue = config.queue_type.unwrap_or(default);
    if queue == QueueType::Quorum && default == QueueType::Classic {
        return Err(wrong(
            "queueType",
            "a quorum queue is durable and outlives its consumers: expected `classic`, or `durable: true` and `deletedWhenUnused: false`",
        ));
    }
    Ok(Layout {
        exchange: config.exchange_kind.unwrap_or(Exchange::Fanout),
        queue,
        is_durable,
        is_passing,
        limit: bounds(config)?,
        has_letters: config.enable_dead_letter.unwrap_or(false),
    })
}

fn bounds(config: &PubSubConfig) -> Result<Limit, Wrong> {
    let some = |number: Option<u64>| number.filter(|number| *number > 0);
    let drops = config.max_len.is_some() || config.max_len_bytes.is_some();
    let refuses = config.max_backlog.is_some() || config.max_backlog_bytes.is_some();
    match (drops, refuses) {
        (true, true) => Err(wrong(
            "maxLen",
            "beyond this old messages are dropped, and beyond `maxBacklog` new ones are refused: expected one of them",
        )),
        (true, false) => Ok(Limit {
            messages: some(config.max_len),
            bytes: some(config.max_len_bytes),
            drops: true,
        }),
        (false, _) => Ok(Limit {
            messages: some(Some(config.max_backlog.unwrap_or(BACKLOG))),
            bytes: some(config.max_backlog_bytes.map(u64::from)),
            drops: false,
        }),
    }
}

pub(crate) fn parse_binding(config: BindingConfig) -> Result<Binding, Wrong> {
    let queue = config.queue_name;
    if queue.is_empty() || queue.len() > 255 {
        return Err(wrong("queueName", "expected 1 to 255 bytes"));
    }
    let content_type = config.content_type.unwrap_or_else(|| "text/plain".into());
    if content_type.len() > 255 {
        return Err(wrong("contentType", "expected at most 255 bytes"));
    }
    if config.max_priority == Some(0) {
        return Err(wrong("maxPriority", "expected 1 to 255"));
    }
    let written = Written::new(config.ca_cert, config.client_cert, config.client_key);
    let mut found = address::parse("host", config.host.reveal())?;
    let is_external = config.external_sasl.unwrap_or(false);
    let wait = config.reconnect_wait_in_seconds;
    Ok(Binding {
        queue,
        content_type,
        is_durable: config.durable.unwrap_or(false),
        is_passing: config.delete_when_unused.unwrap_or(false),
        is_exclusive: config.exclusive.unwrap_or(false),
        ttl: ttl(config.ttl_in_seconds)?,
        prefetch: prefetch(config.prefetch_count)?,
        max_priority: config.max_priority,
        target: Target {
            tls: secure("host", found.is_secure, is_external, written)?,
            user: found.user.take().unwrap_or_else(guest),
            password: Hidden(
                found
                    .password
                    .take()
                    .unwrap_or_else(|| Secret::new(guest())),
            ),
            address: found.address("host", None, None, None)?,
            is_external,
            name: config.client_name,
            heartbeat: HEARTBEAT,
            reconnect: pause("reconnectWaitInSeconds", wait, Duration::from_secs(5))?,
            timeout: limit("timeout", config.timeout, TIMEOUT)?,
        },
    })
}

fn guest() -> String {
    "guest".to_owned()
}

fn target(config: PubSubConfig) -> Result<Target, Wrong> {
    let mut found = match &config.connection_string {
        Some(text) => address::parse("connectionString", text.reveal())?,
        None => address::Found::default(),
    };
    let is_secure = match config.protocol.as_deref() {
        None => found.is_secure,
        Some("amqp") if !found.is_secure => false,
        Some("amqps") if found.is_secure || found.host.is_none() => true,
        Some("amqp" | "amqps") => {
            return Err(wrong("protocol", "the connection string has the other one"));
        }
        Some(_) => return Err(wrong("protocol", "expected `amqp` or `amqps`")),
    };
    found.is_secure = is_secure;
    let is_external = config.sasl_external.unwrap_or(false);
    let written = Written::new(config.ca_cert, config.client_cert, config.client_key);
    let password = config.password.or(found.password.take());
    Ok(Target {
        tls: secure("protocol", is_secure, is_external, written)?,
        user: config.username.or(found.user.take()).unwrap_or_else(guest),
        password: Hidden(password.unwrap_or_else(|| Secret::new(guest()))),
        address: found.address("hostname", config.hostname, config.port, config.vhost)?,
        is_external,
        name: config.client_name,
        heartbeat: limit("heartBeat", config.heart_beat, HEARTBEAT)?.max(Duration::from_secs(1)),
        reconnect: pause("reconnectWait", config.reconnect_wait, RECONNECT)?,
        timeout: limit("timeout", config.timeout, TIMEOUT)?,
    })
}

fn secure(
    setting: &'static str,
    is_secure: bool,
    is_external: bool,
    written: Written,
) -> Result<Option<Tls>, Wrong> {
    match (is_secure, written.first()) {
        (true, _) => {
            let tls = Tls::new(setting, written)?;
            match is_external && !tls.has_certificate() {
                true => Err(wrong("clientCert", "the login by certificate needs one")),
                false => Ok(Some(tls)),
            }
        }
        (false, Some(name)) => Err(wrong(name, "expected `amqps` beside it")),
        (false, None) if is_external => Err(wrong(
            setting,
            "the login by certificate needs `amqps`, `clientCert` and `clientKey`",
        )),
        (false, None) => Ok(None),
    }
}

fn prefetch(written: Option<u16>) -> Result<u16, Wrong> {
    match written.filter(|count| *count > 0).unwrap_or(PREFETCH) {
        count @ 1..=MAX_PREFETCH => Ok(count),
        _ => Err(wrong("prefetchCount", "expected 0 to 2000")),
    }
}

/// The time of a message, as the server takes it: in milliseconds.
fn ttl(written: Option<Seconds>) -> Result<Option<Duration>, Wrong> {
    match written {
        Some(Seconds(ttl)) if ttl > Duration::from_secs(u32::MAX.into()) / 1_000 => {
            Err(wrong("ttlInSeconds", "expected at most 4294967"))
        }
        // Dapr's 0 is no end.
        written => Ok(written.map(|ttl| ttl.0).filter(|ttl| !ttl.is_zero())),
    }
}

/// A pause between two tries; Dapr's 0 is the shortest.
fn pause(
    setting: &'static str,
    written: Option<Seconds>,
    default: Duration,
) -> Result<Duration, Wrong> {
    let written = written.map(|wait| wait.0.max(Duration::from_millis(50)));
    limit(setting, written, default)
}
