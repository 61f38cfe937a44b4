//! A message as the text of a notification, and back: an event in JSON is as Dapr has it, and what else a message has is in
//! one attribute beside it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use wythe_blocks::{Error, Result, pubsub::Message};

/// The content type of a message that says none: Dapr's are such.
const EVENT: &str = "application/cloudevents+json";
/// The attribute of our own.
pub(super) const ATTRIBUTE: &str = "wythe";
/// Bytes of a message with all that goes with it.
pub(super) const LARGEST: usize = 256 << 10;
/// The text in place of one that is empty, which the service does not take.
const NOTHING: &str = "-";

/// Parts of a message beside its text.
#[derive(Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default, rename_all = "camelCase")]
struct Extra {
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ordering_key: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    form: Option<Form>,
}

/// The form of a text that is not the data itself.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Form {
    Base64,
    Empty,
}

/// A message as it is sent.
#[derive(Debug)]
pub(super) struct Sent {
    pub text: String,
    pub extra: Option<String>,
}

impl Sent {
    pub fn of(message: &Message) -> Result<Self> {
        let too_large = |size: usize| {
            Error::invalid(format!(
                "a message of {size} bytes as it is sent; at most {LARGEST} are allowed"
            ))
        };
        if message.data.len() > LARGEST {
            return Err(too_large(message.data.len()));
        }
        let (text, form) = match std::str::from_utf8(&message.data) {
            Ok("") => (NOTHING.to_owned(), Some(Form::Empty)),
            Ok(text) if text.chars().all(can_be) => (text.to_owned(), None),
            _ => (STANDARD.encode(&message.data), Some(Form::Base64)),
        };
        let extra = Extra {
            content_type: (message.content_type != EVENT).then(|| message.content_type.clone()),
            ordering_key: message.ordering_key.clone(),
            attributes: message.attributes.clone(),
            form,
        };
        let extra = match extra == Extra::default() {
            true => None,
            false => Some(plain(&serde_json::json!(extra).to_string())),
        };
        let sent = Sent { text, extra };
        match sent.size() <= LARGEST {
            true => Ok(sent),
            false => Err(too_large(sent.size())),
        }
    }

    /// Bytes that the service counts.
    pub fn size(&self) -> usize {
        let extra = self.extra.as_ref();
        let extra = extra.map_or(0, |extra| ATTRIBUTE.len() + "String".len() + extra.len());
        self.text.len() + extra
    }
}

/// Characters that the services take.
fn can_be(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// JSON in ASCII alone, so that every text of it is taken.
fn plain(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c.is_ascii() && c != '\u{7f}' {
            true => text.push(c),
            false => {
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    text
}

/// The topic and the message of a queue's text: a notification, or the bare message where the delivery is raw.
pub(super) fn received(body: &str) -> (Option<String>, Message) {
    let notification: Option<Value> = serde_json::from_str(body).ok();
    let text = |name: &str| {
        let value = notification.as_ref()?.get(name)?;
        value.as_str()
    };
    let (Some(topic), Some(said)) = (text("TopicArn"), text("Message")) else {
        let message = Message {
            data: Bytes::copy_from_slice(body.as_bytes()),
            content_type: EVENT.to_owned(),
            ..Message::default()
        };
        return (None, message);
    };
    let attributes = notification
        .as_ref()
        .and_then(|one| one.get("MessageAttributes"));
    let own = attributes.and_then(|all| all.get(ATTRIBUTE)?.get("Value")?.as_str());
    let extra: Extra = own
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let data = match extra.form {
        Some(Form::Empty) => Bytes::new(),
        Some(Form::Base64) => match STANDARD.decode(said) {
            Ok(data) => data.into(),
            Err(_) => Bytes::copy_from_slice(said.as_bytes()),
        },
        None => Bytes::copy_from_slice(said.as_bytes()),
    };
    let message = Message {
        data,
        content_type: extra.content_type.unwrap_or_else(|| EVENT.to_owned()),
        ordering_key: extra.ordering_key,
        attributes: extra.attributes,
        delay: None,
    };
    let topic = topic.rsplit(':').next().unwrap_or_default();
    (Some(topic.to_owned()), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn back(message: &Message) -> (Option<String>, Message) {
        let sent = Sent::of(message).unwrap();
        assert!(sent.text.chars().all(can_be) && !sent.text.is_empty());
        let mut body = json!({ "Type": "Notification", "TopicArn": "arn:aws:sns:a:1:orders", "Message": sent.text });
        if let Some(extra) = sent.extra {
            assert!(extra.is_ascii(), "{extra}");
            body["MessageAttributes"] = json!({ ATTRIBUTE: { "Type": "String", "Value": extra } });
        }
        received(&body.to_string())
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let event = Message {
            data: r#"{"id":"1"}"#.into(),
            content_type: EVENT.to_owned(),
            ..Message::default()
        };
        assert!(
            Sent::of(&event).unwrap().extra.is_none(),
            "as Dapr sends it"
        );
        let whole = Message {
            data: vec![0, 255].into(),
            content_type: "x".to_owned(),
            ordering_key: Some("a key \u{e4}\u{1f600}".to_owned()),
            attributes: vec![("a".to_owned(), "\u{0}\u{fffe}".to_owned())],
            delay: None,
        };
        for message in [event, whole, Message::default()] {
            assert_eq!(back(&message), (Some("orders".to_owned()), message));
        }
    }

    #[test]
    fn what_is_no_notification_is_a_message_without_a_topic() {
        for body in ["", "text", "[1]", r#"{"TopicArn":1,"Message":"a"}"#] {
            let (topic, message) = received(body);
            assert_eq!((topic, &message.data[..]), (None, body.as_bytes()));
        }
    }

    #[test]
    fn a_message_has_a_bound_as_it_is_sent() {
        let message = |data: Vec<u8>| Message {
            data: data.into(),
            content_type: EVENT.to_owned(),
            ..Message::default()
        };
        assert!(Sent::of(&message(vec![b'a'; LARGEST])).is_ok());
        assert!(Sent::of(&message(vec![b'a'; LARGEST + 1])).is_err());
        assert!(Sent::of(&message(vec![0; LARGEST * 3 / 4 - 100])).is_ok());
        assert!(
            Sent::of(&message(vec![0; LARGEST])).is_err(),
            "larger in base64"
        );
    }
}
