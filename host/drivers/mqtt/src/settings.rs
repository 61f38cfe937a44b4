//! The settings of both blocks, by Dapr's names, and what they come to.

use rumqttc::mqttbytes::QoS;
use serde::Deserialize;
use std::time::Duration;
use url::Url;
use wythe_blocks::{Result, Wrong};
use wythe_manifest::{Duration as Span, Secret};
use wythe_net::{Hidden, Tls, Written, decode, limit, wrong};

const PORT: u16 = 1883;
const SECURE_PORT: u16 = 8883;
/// The time to connect and of one request, by default.
const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct PubSubConfig {
    /// `tcp://user:password@host:port`, or `ssl://` for TLS.
    url: Secret,
    /// 1 for messages that are acknowledged, 0 for those that are not; default 1.
    qos: Option<u8>,
    /// The server keeps the last message of a topic for whoever subscribes; default false.
    retain: Option<bool>,
    /// The server forgets a group while it has no member; default false.
    clean_session: Option<bool>,
    /// Certificates in PEM that are believed in place of the web's authorities.
    ca_cert: Option<String>,
    /// A certificate in PEM by which the host proves itself, with its key.
    client_cert: Option<String>,
    client_key: Option<Secret>,
    /// An error that says what to write instead.
    back_off_max_retries: Option<u32>,
    /// The time to connect, and that of one request; default 10s.
    timeout: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct BindingConfig {
    /// `tcp://user:password@host:port`, or `ssl://` for TLS.
    url: Secret,
    /// The topic; for input alone it may have wildcards.
    topic: String,
    /// The name of the session of the input; default `wythe.TENANT.COMPONENT`.
    #[serde(rename = "consumerID")]
    consumer_id: Option<String>,
    /// 1 for messages that are acknowledged, 0 for those that are not; default 1.
    qos: Option<u8>,
    /// The server keeps the last message of the topic for whoever subscribes; default false.
    retain: Option<bool>,
    /// The server forgets the input while nobody listens; default false.
    clean_session: Option<bool>,
    /// Certificates in PEM that are believed in place of the web's authorities.
    ca_cert: Option<String>,
    /// A certificate in PEM by which the host proves itself, with its key.
    client_cert: Option<String>,
    client_key: Option<Secret>,
    /// Attempts after the first one, after which a message that the app refuses is given up; default without end.
    back_off_max_retries: Option<u32>,
    /// The time to connect, and that of one request; default 10s.
    timeout: Option<Span>,
}

/// A server, and the login there.
#[derive(Clone)]
pub(crate) struct Target {
    pub host: String,
    pub port: u16,
    pub user: Option<String>,
    pub password: Option<Hidden>,
    pub tls: Option<Tls>,
    /// The time to connect, and that of one request.
    pub timeout: Duration,
}

impl Target {
    /// The server in messages and descriptions.
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }
}

/// The settings of both blocks that were found good.
pub(crate) struct Parsed {
    pub target: Target,
    pub qos: QoS,
    pub retain: bool,
    pub is_clean: bool,
}

pub(crate) struct Binding {
    pub parsed: Parsed,
    pub topic: String,
    pub id: Option<String>,
    pub retries: Option<u32>,
}

pub(crate) fn parse_pubsub(config: PubSubConfig) -> Result<Parsed, Wrong> {
    if config.back_off_max_retries.is_some() {
        return Err(wrong(
            "backOffMaxRetries",
            "write `deadLetterTopic` and `maxDeliveryAttempts` into the subscription",
        ));
    }
    let written = Written::new(config.ca_cert, config.client_cert, config.client_key);
    Ok(Parsed {
        target: target(&config.url, written, config.timeout)?,
        qos: qos(config.qos)?,
        retain: config.retain.unwrap_or(false),
        is_clean: config.clean_session.unwrap_or(false),
    })
}

pub(crate) fn parse_binding(config: BindingConfig) -> Result<Binding, Wrong> {
    if !rumqttc::mqttbytes::valid_filter(&config.topic) || config.topic.len() > 1_024 {
        return Err(wrong("topic", "expected a topic or a filter of MQTT"));
    }
    if config
        .consumer_id
        .as_ref()
        .is_some_and(|id| id.is_empty() || id.len() > 1_024)
    {
        return Err(wrong("consumerID", "expected 1 to 1024 bytes"));
    }
    let written = Written::new(config.ca_cert, config.client_cert, config.client_key);
    Ok(Binding {
        parsed: Parsed {
            target: target(&config.url, written, config.timeout)?,
            qos: qos(config.qos)?,
            retain: config.retain.unwrap_or(false),
            is_clean: config.clean_session.unwrap_or(false),
        },
        topic: config.topic,
        id: config.consumer_id,
        retries: config.back_off_max_retries,
    })
}

fn qos(written: Option<u8>) -> Result<QoS, Wrong> {
    match written.unwrap_or(1) {
        0 => Ok(QoS::AtMostOnce),
        1 => Ok(QoS::AtLeastOnce),
        _ => Err(wrong(
            "qos",
            "expected 0 or 1: an app may see a message again whatever the server promises",
        )),
    }
}

const EXPECTED: &str = "expected `tcp://user:password@host:port`, or `ssl://` for TLS";

fn odd() -> Wrong {
    wrong("url", EXPECTED)
}

fn target(url: &Secret, written: Written, timeout: Option<Span>) -> Result<Target, Wrong> {
    let url = Url::parse(url.reveal()).map_err(|_| odd())?;
    let is_secure = is_secure(&url)?;
    let tls = match (is_secure, written.first()) {
        (true, _) => Some(Tls::new("url", written)?),
        (false, Some(name)) => return Err(wrong(name, "expected `ssl://` in `url`")),
        (false, None) => None,
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(odd)?.trim_matches(['[', ']']).to_owned();
    // Both have their length in two bytes.
    let decoded = |text: &str| {
        let text = decode(text).filter(|text| text.len() <= 65_535);
        text.ok_or_else(odd)
    };
    let user = match url.username() {
        "" => None,
        user => Some(decoded(user)?),
    };
    let password = url.password().map(decoded).transpose()?;
    if user.is_none() && password.is_some() {
        // The protocol has no password without a user.
        return Err(odd());
    }
    Ok(Target {
        host,
        port: url
            .port()
            .unwrap_or(if is_secure { SECURE_PORT } else { PORT }),
        user,
        password: password.map(|text| Hidden(Secret::new(text))),
        tls,
        timeout: limit("timeout", timeout, TIMEOUT)?,
    })
}

fn is_secure(url: &Url) -> Result<bool, Wrong> {
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(odd());
    }
    match url.scheme() {
        "tcp" | "mqtt" => Ok(false),
        "ssl" | "tls" | "mqtts" | "tcps" => Ok(true),
        "ws" | "wss" => Err(wrong(
            "url",
            "this build speaks no WebSocket; expected `tcp://` or `ssl://`",
        )),
        _ => Err(odd()),
    }
}
