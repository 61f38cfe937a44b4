//! Events as apps see them, and their way into what a broker carries and back.

use super::{
    envelope::{Envelope, MEDIA_TYPE, Writer, parse_time, timestamp},
    media,
    seal::{self, Seal, SealScope},
};
use crate::{Call, Error, Result, Trace, pubsub::Message, random, time::since_1970};
use bytes::Bytes;
use std::time::{Duration, SystemTime};

/// Attributes that the host alone sets.
const RESERVED: [&str; 20] = [
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
    "tracestate",
    "orderingkey",
    "expiration",
    "deadletterreason",
    "deadlettertopic",
    "deadletterattempts",
    seal::NAME,
    "dataschema",
];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// The id, which the host sets when it is absent.
    pub id: Option<String>,
    /// CloudEvents `type`.
    pub kind: String,
    pub subject: Option<String>,
    pub content_type: String,
    pub data: Bytes,
    pub ordering_key: Option<String>,
    pub extensions: Vec<(String, String)>,
    /// Span that published it; absent, it is that of the call. An event that was delivered has none.
    pub trace: Option<Trace>,
}

impl Event {
    /// Bytes of all that the app gave.
    pub(crate) fn bytes(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let extension = |(name, value): &(String, String)| name.len() + value.len();
        let texts = self.kind.len() + self.content_type.len();
        let more = optional(&self.id) + optional(&self.subject) + optional(&self.ordering_key);
        let extensions = self.extensions.iter().map(extension);
        self.data.len() + texts + more + extensions.sum::<usize>()
    }
}

impl PublishOptions {
    /// Bytes of what the app gave for the broker.
    pub(crate) fn bytes(&self) -> usize {
        let one = |(name, value): &(String, String)| name.len() + value.len();
        self.metadata.iter().map(one).sum()
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
    /// The source; empty unless the host has sealed the event.
    pub source: String,
    pub time: SystemTime,
    pub trace: Option<Trace>,
    pub expired: bool,
}

/// Bytes of an event id.
const MAX_ID: usize = 256;
/// Extension attributes of an event.
const MAX_EXTENSIONS: usize = 64;
/// The end of the year 9999, in seconds since 1970: later times cannot be written.
const LAST: u64 = 253_402_300_799;

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
    check_extensions(event)?;
    let mut names = options.metadata.iter().map(|(name, _)| name.as_str());
    match names.find(|name| *name == seal::NAME || seal::HOST.contains(name)) {
        Some(name) => Err(Error::invalid(format!(
            "the metadata `{name}` is the host's; remove it"
        ))),
        None => Ok(()),
    }
}

fn check_extensions(event: &Event) -> Result<()> {
    let count = event.extensions.len();
    if count > MAX_EXTENSIONS {
        return Err(Error::invalid(format!(
            "the event has {count} extension attributes; at most {MAX_EXTENSIONS} are allowed"
        )));
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

/// Puts an event into its envelope, under the host's seal, and gives back its id.
pub(crate) fn seal(
    caller: &Call,
    seal: &Seal,
    scope: SealScope,
    event: Event,
    options: &PublishOptions,
) -> Result<(String, Message)> {
    check(&event, options)?;
    let id = event.id.clone().map_or_else(new_id, Ok)?;
    let expires = options.ttl.and_then(expiry);
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
        let expires = expires.map(|at| ("expiration".to_owned(), timestamp(at)));
        message.attributes.extend(expires);
        seal.mark(scope, &mut message);
        return Ok((id, message));
    }
    let mut envelope = head(caller, scope, &id, &event, content_type);
    if let Some(at) = expires {
        envelope.text("expiration", &timestamp(at));
    }
    for (name, value) in &event.extensions {
        envelope.text(name, value);
    }
    envelope.data(content_type, &event.data)?;
    seal.end(scope, &mut envelope.0);
    message.content_type = MEDIA_TYPE.to_owned();
    message.data = envelope.0.into();
    Ok((id, message))
}

/// The time when an event expires; never, where that is later than can be written.
fn expiry(ttl: Duration) -> Option<SystemTime> {
    let at = since_1970(SystemTime::now()).checked_add(ttl)?;
    (at.as_secs() <= LAST).then(|| SystemTime::UNIX_EPOCH + at)
}

fn head(caller: &Call, scope: SealScope, id: &str, event: &Event, content_type: &str) -> Writer {
    let trace = event.trace.unwrap_or_else(|| caller.trace()).to_string();
    let mut envelope = Writer::new();
    envelope.text("id", id);
    envelope.text("source", caller.app_id().as_str());
    envelope.text("type", &event.kind);
    envelope.text("time", &timestamp(SystemTime::now()));
    envelope.text("datacontenttype", content_type);
    envelope.text("topic", scope.topic);
    envelope.text("pubsubname", scope.component);
    envelope.text("traceid", &trace);
    envelope.text("traceparent", &trace);
    if let Some(subject) = &event.subject {
        envelope.text("subject", subject);
    }
    if let Some(key) = &event.ordering_key {
        envelope.text("orderingkey", key);
    }
    envelope
}

/// Reads a message back. Source, time, trace and id are those of an envelope that this host has sealed. The envelope of
/// anybody else is opened for its type, subject, extensions and data; what is none, or is not asked for, is data as it is.
pub(crate) fn open(seal: &Seal, scope: SealScope, message: &Message, raw: bool) -> Opened {
    let sealed = seal.sealed(scope, &message.data);
    let is_foreign = message.content_type.is_empty() || media::is_envelope(&message.content_type);
    let envelope = (sealed.is_some() || (is_foreign && !raw))
        .then(|| Envelope::read(&message.data))
        .flatten();
    match (envelope, sealed) {
        (Some(envelope), Some(open)) if raw => without_seal(&envelope, open, message),
        (Some(envelope), Some(_)) => Opened {
            event: envelope.event(&message.data),
            source: envelope.text("source").unwrap_or_default(),
            time: envelope.time("time").unwrap_or_else(SystemTime::now),
            trace: envelope.trace(),
            expired: is_over(envelope.time("expiration")),
        },
        (Some(envelope), None) => foreign(&envelope, seal, scope, message),
        (None, _) => {
            let event = Event {
                content_type: message.content_type.clone(),
                data: message.data.clone(),
                ordering_key: message.ordering_key.clone(),
                ..Event::default()
            };
            unproven(event, seal, scope, message)
        }
    }
}

fn is_over(expires: Option<SystemTime>) -> bool {
    expires.is_some_and(|at| at <= SystemTime::now())
}

/// The whole envelope as data, for a subscription that asked for plain data: without the seal, which no app sees.
fn without_seal(envelope: &Envelope, open: &[u8], message: &Message) -> Opened {
    let event = Event {
        content_type: message.content_type.clone(),
        data: [open, b"}"].concat().into(),
        ordering_key: message.ordering_key.clone(),
        ..Event::default()
    };
    Opened {
        event,
        source: String::new(),
        time: SystemTime::now(),
        trace: None,
        expired: is_over(envelope.time("expiration")),
    }
}

fn foreign(envelope: &Envelope, seal: &Seal, scope: SealScope, message: &Message) -> Opened {
    let mut event = envelope.event(&message.data);
    event.id = None;
    let is_ours = |name: &str| RESERVED.contains(&name);
    event.extensions.retain(|(name, _)| !is_ours(name));
    unproven(event, seal, scope, message)
}

/// An event of nobody that the host knows. What its attributes say is believed where the host has sealed that.
fn unproven(mut event: Event, seal: &Seal, scope: SealScope, message: &Message) -> Opened {
    let mut expires = None;
    if seal.is_marked(scope, message) {
        let said = message.attributes.iter();
        for (name, value) in said.filter(|(name, _)| seal::HOST.contains(&name.as_str())) {
            match name.as_str() {
                "expiration" => expires = parse_time(value),
                _ => event.extensions.push((name.clone(), value.clone())),
            }
        }
    }
    Opened {
        event,
        source: String::new(),
        time: SystemTime::now(),
        trace: None,
        expired: is_over(expires),
    }
}

/// A random UUID, version 4.
fn new_id() -> Result<String> {
    let bits =
        u128::from_be_bytes(random::bytes()?) & !(0xf << 76 | 0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{bits:032x}");
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

#[cfg(test)]
mod tests;
