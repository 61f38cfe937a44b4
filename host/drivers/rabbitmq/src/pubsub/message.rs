//! A message of the block as one of the server, and back. Its data are the body, as Dapr has it; what else it has is in headers.

use crate::{
    fault::short,
    publisher::Outgoing,
    queue::{string, text},
};
use bytes::Bytes;
use lapin::{
    BasicProperties,
    types::{FieldTable, ShortString},
};
use std::time::Duration;
use wythe_blocks::{Error, Result, pubsub::Message};

/// Bytes of a message.
pub(super) const MAX_MESSAGE: u64 = 16 << 20;
/// Bytes of the attributes and of the ordering key: they are in one frame.
const MAX_HEADERS: usize = 32 << 10;
/// The header with the attributes, as JSON, which each message of the host has.
const ATTRIBUTES: &str = "wythe-attributes";
const ORDERING_KEY: &str = "wythe-ordering-key";
/// The content type of what Dapr publishes as `text/plain`, whatever it is.
const EVENT: &str = "application/cloudevents+json";

/// The form of what a component publishes.
pub(super) struct Form {
    pub ttl: Option<Duration>,
    pub is_persistent: bool,
}

impl Form {
    /// The message on its way to the exchange of its topic.
    pub fn outgoing(&self, exchange: &ShortString, message: &Message) -> Result<Outgoing> {
        let size = message.data.len() as u64;
        if size > MAX_MESSAGE {
            return Err(Error::invalid(format!(
                "a message of {size} bytes; at most {MAX_MESSAGE} are allowed"
            )));
        }
        let attribute = |name: &str| {
            let mut pairs = message.attributes.iter();
            let found = pairs.find(|(known, _)| known == name);
            found.map(|(_, value)| value.as_str())
        };
        let mut properties = BasicProperties::default()
            .with_headers(headers(message)?)
            .with_delivery_mode(if self.is_persistent { 2 } else { 1 });
        if !message.content_type.is_empty() {
            let name = short("the content type", &message.content_type)?;
            properties = properties.with_content_type(name);
        }
        if let Some(ttl) = self.ttl {
            let milliseconds = ttl.as_millis().to_string();
            properties = properties.with_expiration(short("the time", &milliseconds)?);
        }
        if let Some(priority) = attribute("priority").and_then(|text| text.parse().ok()) {
            properties = properties.with_priority(priority);
        }
        Ok(Outgoing {
            exchange: exchange.clone(),
            key: short("`routingKey`", attribute("routingKey").unwrap_or_default())?,
            data: message.data.clone(),
            properties,
            is_mandatory: false,
        })
    }
}

fn headers(message: &Message) -> Result<FieldTable> {
    let attributes = serde_json::to_string(&message.attributes)
        .map_err(|error| Error::invalid("attributes that are no JSON").with_source(error))?;
    let key = message.ordering_key.as_deref();
    let size = attributes.len() + key.map_or(0, str::len);
    if size > MAX_HEADERS {
        return Err(Error::invalid(format!(
            "attributes and ordering key have {size} bytes; at most {MAX_HEADERS} are allowed"
        )));
    }
    let mut headers = FieldTable::default();
    headers.insert(ATTRIBUTES.into(), text(&attributes));
    if let Some(key) = key {
        headers.insert(ORDERING_KEY.into(), text(key));
    }
    Ok(headers)
}

/// The message as it was published. One that somebody else published has the headers that are texts as attributes.
pub(super) fn read(data: Bytes, properties: &BasicProperties) -> Message {
    let headers = properties.headers().clone().unwrap_or_default();
    let header = |name: &str| headers.inner().get(name).and_then(string);
    let content_type = properties.content_type().as_ref();
    let content_type = content_type.map(ShortString::as_str);
    let own = header(ATTRIBUTES).and_then(|text| serde_json::from_str(&text).ok());
    let (content_type, attributes) = match own {
        Some(attributes) => (content_type.unwrap_or_default(), attributes),
        None => {
            let texts = headers.inner().iter();
            let texts = texts.filter_map(|(name, value)| Some((name.to_string(), string(value)?)));
            let content_type = content_type.filter(|name| *name != "text/plain");
            (content_type.unwrap_or(EVENT), texts.collect())
        }
    };
    Message {
        data,
        content_type: content_type.to_owned(),
        ordering_key: header(ORDERING_KEY),
        attributes,
        delay: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::types::AMQPValue;

    const FORM: Form = Form {
        ttl: Some(Duration::from_secs(2)),
        is_persistent: true,
    };

    #[test]
    fn a_message_comes_back_as_it_was() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let whole = Message {
            data: Bytes::from_static(b"\0\xff"),
            content_type: "a/b".to_owned(),
            ordering_key: Some("ä".to_owned()),
            attributes: vec![
                pair("routingKey", "a.b"),
                pair("priority", "7"),
                pair("x", ""),
            ],
            delay: None,
        };
        for message in [whole, Message::default()] {
            let sent = FORM.outgoing(&"topic".into(), &message).unwrap();
            assert_eq!(read(sent.data, &sent.properties), message);
            let expiration = sent.properties.expiration().as_ref();
            assert_eq!(expiration.map(ShortString::as_str), Some("2000"));
        }
    }

    #[test]
    fn a_message_of_dapr_is_an_event() {
        let mut headers = FieldTable::default();
        headers.insert("colour".into(), text("blue"));
        headers.insert("number".into(), AMQPValue::LongInt(7));
        let properties = BasicProperties::default()
            .with_content_type("text/plain".into())
            .with_headers(headers);
        let message = read(Bytes::from_static(b"{}"), &properties);
        assert_eq!(message.content_type, EVENT);
        assert_eq!(
            message.attributes,
            [("colour".to_owned(), "blue".to_owned())]
        );
        let raw = BasicProperties::default().with_content_type("a/b".into());
        assert_eq!(read(Bytes::new(), &raw).content_type, "a/b");
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let long = "x".repeat(300);
        let refused = [
            Message {
                content_type: long.clone(),
                ..Message::default()
            },
            Message {
                attributes: vec![("routingKey".to_owned(), long)],
                ..Message::default()
            },
            Message {
                ordering_key: Some("x".repeat(MAX_HEADERS)),
                ..Message::default()
            },
        ];
        for message in refused {
            let error = FORM.outgoing(&"topic".into(), &message).err();
            let error = error.expect("an error");
            assert_eq!(error.kind(), wythe_blocks::Kind::Invalid, "{error}");
        }
    }
}
