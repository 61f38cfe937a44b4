//! A message as the server has it, and back.

use crate::{
    failure::odd,
    wire::{self, Incoming, Outgoing},
};
use serde::{Deserialize, Serialize};
use wythe_blocks::{Result, pubsub::Message};

/// The content type of a message that says none: Dapr's are such.
const EVENT: &str = "application/cloudevents+json";
/// The header with what a message has beside its data. JSON has no line ends, so that no text of an app is a header.
const DETAIL: &str = "Wythe-Message";

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    content_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ordering_key: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attributes: Vec<(String, String)>,
}

pub(super) fn outgoing(topic: &str, message: &Message) -> Result<Outgoing> {
    let detail = Detail {
        content_type: message.content_type.clone(),
        ordering_key: message.ordering_key.clone(),
        attributes: message.attributes.clone(),
    };
    let detail = serde_json::to_string(&detail).map_err(|_| odd())?;
    Ok(Outgoing::new(topic, message.data.clone()).with(DETAIL, detail))
}

/// A message that was delivered.
#[derive(Debug)]
pub(super) struct Delivered {
    /// Its number in the stream.
    pub number: u64,
    /// The time at which it was stored: a server that has lost what it had uses numbers again.
    pub stored: u64,
    pub attempt: u32,
    pub message: Message,
    /// The subject that settles it.
    pub settle: String,
}

/// Reads a delivery; none of what is no message of a stream.
pub(super) fn delivered(incoming: Incoming) -> Option<Delivered> {
    let mut parts = incoming.reply.split('.');
    if (parts.next(), parts.next()) != (Some("$JS"), Some("ACK")) {
        return None;
    }
    let parts: Vec<_> = parts.collect();
    // Newer servers have a domain and an account before stream and consumer.
    let at = match parts.len() {
        7 => 2,
        9.. => 4,
        _ => return None,
    };
    let (attempt, number) = (parts[at].parse::<u64>().ok()?, parts[at + 1].parse().ok()?);
    let stored = parts[at + 3].parse().ok()?;
    let detail = wire::header(&incoming.headers, DETAIL);
    let detail = detail.and_then(|text| serde_json::from_str::<Detail>(text).ok());
    let mut message = Message {
        data: incoming.data,
        content_type: EVENT.to_owned(),
        ..Message::default()
    };
    if let Some(detail) = detail {
        message.content_type = detail.content_type;
        message.ordering_key = detail.ordering_key;
        message.attributes = detail.attributes;
    }
    Some(Delivered {
        number,
        stored,
        attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
        message,
        settle: incoming.reply,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn came(reply: &str, headers: &str) -> Option<Delivered> {
        delivered(Incoming {
            reply: reply.to_owned(),
            headers: headers.to_owned(),
            data: "{}".into(),
            ..Incoming::default()
        })
    }

    #[test]
    fn a_message_of_dapr_is_an_event() {
        for reply in [
            "$JS.ACK.orders.app.2.17.5.1700000000000000000.0",
            "$JS.ACK.hub.hash.orders.app.2.17.5.1700000000000000000.0.x",
        ] {
            let one = came(reply, "Nats-Msg-Id: 7\r\n").unwrap();
            assert_eq!((one.number, one.attempt), (17, 2));
            assert_eq!(one.stored, 1_700_000_000_000_000_000);
            assert_eq!(one.message.content_type, EVENT);
            assert_eq!(one.settle, reply);
        }
        for reply in ["", "a.b", "$JS.ACK.a.b", "$JS.ACK.a.b.x.1.1.1.1"] {
            assert!(came(reply, "").is_none(), "{reply}");
        }
    }

    #[test]
    fn no_text_of_an_app_is_a_header() {
        let message = Message {
            content_type: "a\r\nNats-Rollup: all".to_owned(),
            attributes: vec![("\n".to_owned(), "\r\u{e9}".to_owned())],
            ..Message::default()
        };
        let sent = outgoing("topic", &message).unwrap();
        let (_, value) = &sent.headers[0];
        assert!(!value.contains(['\r', '\n']), "{value}");
        let reply = "$JS.ACK.s.c.1.1.1.1.0";
        let back = came(reply, &format!("{DETAIL}: {value}\r\n")).unwrap();
        assert_eq!(back.message.content_type, message.content_type);
        assert_eq!(back.message.attributes, message.attributes);
    }
}
