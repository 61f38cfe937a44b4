//! The CloudEvents 1.0 envelope as text: attributes in the order in which they were written, values as they stand.

use super::{Event, media, seal};
use crate::{Error, Result, Trace};
use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::{fmt, time::SystemTime};

pub(super) const MEDIA_TYPE: &str = "application/cloudevents+json";
/// Attributes of an envelope; what has more is none.
const MAX_ATTRIBUTES: usize = 128;

/// Attributes that are no extensions, and the seal.
const OWN: [&str; 17] = [
    "id",
    "source",
    "type",
    "subject",
    "specversion",
    "datacontenttype",
    "dataschema",
    "data",
    "data_base64",
    "topic",
    "pubsubname",
    "time",
    "traceid",
    "traceparent",
    "expiration",
    "orderingkey",
    seal::NAME,
];

/// An envelope that is being written; its end is the seal.
pub(super) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn new() -> Self {
        Writer(br#"{"specversion":"1.0""#.to_vec())
    }

    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        string(&mut self.0, value);
    }

    pub fn raw(&mut self, name: &str, json: &[u8]) {
        self.name(name);
        self.0.extend(json);
    }

    fn name(&mut self, name: &str) {
        self.0.push(b',');
        string(&mut self.0, name);
        self.0.push(b':');
    }

    /// JSON stays as it is, text stays text, the rest is base64: as CloudEvents' JSON format says. JSON that begins or
    /// ends with spaces is base64, too, since a reader would leave them out.
    pub fn data(&mut self, content_type: &str, data: &[u8]) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        if media::is_json(content_type) {
            let json: &RawValue = serde_json::from_slice(data).map_err(|error| {
                Error::invalid(format!(
                    "the data of content type `{content_type}` is no JSON ({error}); name another content type"
                ))
            })?;
            if json.get().len() == data.len() {
                self.raw("data", data);
                return Ok(());
            }
        } else if let Ok(text) = std::str::from_utf8(data)
            && media::is_text(content_type)
        {
            self.text("data", text);
            return Ok(());
        }
        self.text("data_base64", &STANDARD.encode(data));
        Ok(())
    }
}

fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a text goes into memory");
}

/// An envelope that was read, from anybody.
pub(super) struct Envelope<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Envelope<'a> {
    /// The attributes of a JSON object with `specversion` 1.0.
    pub fn read(data: &'a [u8]) -> Option<Self> {
        let mut reader = serde_json::Deserializer::from_slice(data);
        let attributes = reader.deserialize_map(Attributes).ok()?;
        reader.end().ok()?;
        let envelope = Envelope(attributes);
        (envelope.text("specversion")? == "1.0").then_some(envelope)
    }

    pub fn attributes(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    fn value(&self, name: &str) -> Option<&'a RawValue> {
        self.attributes()
            .find_map(|(known, value)| (known == name).then_some(value))
    }

    pub fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.value(name)?.get()).ok()
    }

    pub fn time(&self, name: &str) -> Option<SystemTime> {
        self.text(name).and_then(|time| parse_time(&time))
    }

    pub fn trace(&self) -> Option<Trace> {
        self.text("traceparent")
            .and_then(|header| Trace::parse(&header))
    }

    /// The event; `whole` is what the envelope was read from, of which its data may be a part.
    pub fn event(&self, whole: &Bytes) -> Event {
        let content_type = self.text("datacontenttype");
        let content_type = content_type.unwrap_or_else(|| "application/json".into());
        let extensions = self.attributes().filter(|(name, _)| !OWN.contains(name));
        Event {
            id: self.text("id"),
            kind: self.text("type").unwrap_or_default(),
            subject: self.text("subject"),
            data: self.data(&content_type, whole),
            content_type,
            ordering_key: self.text("orderingkey"),
            extensions: extensions
                .map(|(name, value)| (name.to_owned(), shown(value)))
                .collect(),
            trace: None,
        }
    }

    fn data(&self, content_type: &str, whole: &Bytes) -> Bytes {
        let base64 = self.text("data_base64");
        if let Some(bytes) = base64.and_then(|data| STANDARD.decode(data).ok()) {
            return bytes.into();
        }
        let Some(value) = self.value("data") else {
            return Bytes::new();
        };
        match serde_json::from_str::<Option<String>>(value.get()) {
            Ok(text) if !media::is_json(content_type) => text.unwrap_or_default().into(),
            _ => whole.slice_ref(value.get().as_bytes()),
        }
    }
}

/// A text, or the JSON of what is none.
fn shown(value: &RawValue) -> String {
    serde_json::from_str(value.get()).unwrap_or_else(|_| value.get().to_owned())
}

struct Attributes;

impl<'de> Visitor<'de> for Attributes {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object of at most {MAX_ATTRIBUTES} attributes")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut attributes = Vec::new();
        while let Some(entry) = map.next_entry()? {
            if attributes.len() == MAX_ATTRIBUTES {
                return Err(serde::de::Error::invalid_length(MAX_ATTRIBUTES + 1, &self));
            }
            attributes.push(entry);
        }
        Ok(attributes)
    }
}

pub(super) fn timestamp(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) fn parse_time(text: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(SystemTime::from)
}
