//! Events as apps see them, and the CloudEvents 1.0 envelope in which a broker carries them.

use crate::{Caller, Error, Result, Trace, pubsub::Message};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use std::time::{Duration, SystemTime};

const ENVELOPE: &str = "application/cloudevents+json";

/// Attributes that the host alone sets.
const RESERVED: [&str; 14] = [
    "id",
    "source",
    "type",
    "subject",
    "specversion",
    "datacontenttype",
    "data",
    "topic",
    "pubsubname",
    "time",
    "traceid",
    "traceparent",
    "expiration",
    "orderingkey",
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Set by the host when absent.
    pub id: Option<String>,
    /// CloudEvents `type`.
    pub kind: String,
    pub subject: Option<String>,
    pub content_type: String,
    pub data: Bytes,
    pub ordering_key: Option<String>,
    pub extensions: Vec<(String, String)>,
}

impl Event {
    /// Of all that the app gave.
    pub(crate) fn bytes(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let extension = |(name, value): &(String, String)| name.len() + value.len();
        let texts = self.kind.len() + self.content_type.len();
        let more = optional(&self.id) + optional(&self.subject) + optional(&self.ordering_key);
        let extensions = self.extensions.iter().map(extension);
        self.data.len() + texts + more + extensions.sum::<usize>()
    }
}

#[derive(Clone, Debug, Default)]
pub struct PublishOptions {
    pub ttl: Option<Duration>,
    pub delay: Option<Duration>,
    pub raw: bool,
    pub metadata: Vec<(String, String)>,
}

/// An event that came back from a broker.
#[derive(Clone, Debug)]
pub(crate) struct Opened {
    pub event: Event,
    pub source: String,
    pub time: SystemTime,
    pub trace: Option<Trace>,
    pub expired: bool,
}

/// Bytes of an event id.
const MAX_ID: usize = 256;

/// Checks what the app gave; the rest of the envelope is the host's.
fn check(event: &Event, options: &PublishOptions) -> Result<()> {
    if event
        .id
        .as_ref()
        .is_some_and(|id| id.is_empty() || id.len() > MAX_ID)
    {
        return Err(Error::invalid(format!(
            "the event id is empty or longer than {MAX_ID} bytes"
        )));
    }
    if event.kind.is_empty() && !options.raw {
        return Err(Error::invalid(
            "the event has no type; expected one such as `shop.order.placed`",
        ));
    }
    if options.ttl.is_some_and(|ttl| ttl.is_zero()) {
        return Err(Error::invalid("a ttl of 0; expected at least 1 ms"));
    }
    for (name, _) in &event.extensions {
        if RESERVED.contains(&name.as_str()) {
            return Err(Error::invalid(format!(
                "the attribute `{name}` is the host's; remove it"
            )));
        }
        if name.is_empty()
            || !name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        {
            return Err(Error::invalid(format!(
                "the extension attribute `{name}`; expected letters a to z and digits"
            )));
        }
    }
    Ok(())
}

/// Puts an event into its envelope and gives back its id.
pub(crate) fn seal(
    caller: &Caller,
    component: &str,
    topic: &str,
    event: Event,
    options: &PublishOptions,
) -> Result<(String, Message)> {
    check(&event, options)?;
    let id = event.id.clone().unwrap_or_else(new_id);
    let mut message = Message {
        ordering_key: event.ordering_key.clone(),
        attributes: options.metadata.clone(),
        delay: options.delay,
        ..Message::default()
    };
    let content_type = match event.content_type.as_str() {
        "" => "application/json",
        given => given,
    };
    if options.raw {
        message.content_type = content_type.to_owned();
        message.data = event.data;
        return Ok((id, message));
    }
    let mut envelope = head(caller, component, topic, &id, &event, content_type);
    if let Some(ttl) = options.ttl {
        envelope.insert(
            "expiration".into(),
            timestamp(SystemTime::now() + ttl).into(),
        );
    }
    for (name, value) in &event.extensions {
        envelope.insert(name.clone(), value.clone().into());
    }
    let (name, data) = encode_data(content_type, &event.data)?;
    envelope.insert(name.into(), data);
    message.content_type = ENVELOPE.to_owned();
    message.data = Value::Object(envelope).to_string().into();
    Ok((id, message))
}

fn head(
    caller: &Caller,
    component: &str,
    topic: &str,
    id: &str,
    event: &Event,
    content_type: &str,
) -> Map<String, Value> {
    let trace = caller.trace();
    let mut envelope = Map::new();
    let mut set = |name: &str, value: String| envelope.insert(name.into(), value.into());
    set("specversion", "1.0".into());
    set("id", id.into());
    set("source", caller.app_id().to_string());
    set("type", event.kind.clone());
    set("time", timestamp(SystemTime::now()));
    set("datacontenttype", content_type.into());
    set("topic", topic.into());
    set("pubsubname", component.into());
    set("traceid", trace.to_string());
    set("traceparent", trace.to_string());
    if let Some(subject) = &event.subject {
        set("subject", subject.clone());
    }
    if let Some(key) = &event.ordering_key {
        set("orderingkey", key.clone());
    }
    envelope
}

/// JSON stays JSON, text stays text, the rest is base64: as CloudEvents' JSON format says.
fn encode_data(content_type: &str, data: &[u8]) -> Result<(&'static str, Value)> {
    if is_json(content_type) {
        if data.is_empty() {
            return Ok(("data", Value::Null));
        }
        let value = serde_json::from_slice(data).map_err(|error| {
            Error::invalid(format!(
                "the data of content type `{content_type}` is no JSON ({error}); name another content type"
            ))
        })?;
        return Ok(("data", value));
    }
    match std::str::from_utf8(data) {
        Ok(text) if content_type.starts_with("text/") || content_type.contains("xml") => {
            Ok(("data", text.into()))
        }
        _ => Ok(("data_base64", STANDARD.encode(data).into())),
    }
}

fn is_json(content_type: &str) -> bool {
    let media = content_type.split(';').next().unwrap_or_default().trim();
    media == "application/json" || media.ends_with("+json")
}

/// Reads an envelope back; what is none becomes an event with the bytes as they are.
pub(crate) fn open(message: &Message, raw: bool) -> Opened {
    if !raw
        && let Ok(Value::Object(envelope)) = serde_json::from_slice(&message.data)
        && envelope.get("specversion").is_some_and(|v| v == "1.0")
    {
        return open_envelope(envelope);
    }
    let event = Event {
        content_type: message.content_type.clone(),
        data: message.data.clone(),
        ordering_key: message.ordering_key.clone(),
        ..Event::default()
    };
    Opened {
        event,
        source: String::new(),
        time: SystemTime::now(),
        trace: None,
        expired: false,
    }
}

fn open_envelope(mut envelope: Map<String, Value>) -> Opened {
    let mut text = |name: &str| match envelope.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let id = text("id");
    let source = text("source").unwrap_or_default();
    let kind = text("type").unwrap_or_default();
    let subject = text("subject");
    let content_type = text("datacontenttype").unwrap_or_else(|| "application/json".into());
    let ordering_key = text("orderingkey");
    let trace = text("traceparent").and_then(|header| Trace::parse(&header));
    let time = text("time").and_then(|time| parse_time(&time));
    let expires = text("expiration").and_then(|time| parse_time(&time));
    let base64 = text("data_base64").and_then(|data| STANDARD.decode(data).ok());
    let data = match (base64, envelope.remove("data")) {
        (Some(bytes), _) => bytes.into(),
        (None, Some(Value::String(text))) if !is_json(&content_type) => text.into(),
        (None, Some(Value::Null) | None) => Bytes::new(),
        (None, Some(value)) => value.to_string().into(),
    };
    let extensions = envelope
        .into_iter()
        .filter(|(name, _)| !RESERVED.contains(&name.as_str()))
        .map(|(name, value)| match value {
            Value::String(text) => (name, text),
            other => (name, other.to_string()),
        })
        .collect();
    Opened {
        event: Event {
            id,
            kind,
            subject,
            content_type,
            data,
            ordering_key,
            extensions,
        },
        source,
        time: time.unwrap_or_else(SystemTime::now),
        trace,
        expired: expires.is_some_and(|at| at <= SystemTime::now()),
    }
}

fn timestamp(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn parse_time(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(SystemTime::from)
}

/// A random UUID, version 4.
fn new_id() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the operating system has randomness");
    let bits = u128::from_be_bytes(bytes) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}
