//! A message as fields of a stream's entry, and back.

use crate::failure::{odd, parts};
use bytes::Bytes;
use redis::Value;
use std::collections::BTreeMap;
use wythe_blocks::{Result, pubsub::Message};

/// The content type of a message that says none: Dapr's are such.
const EVENT: &str = "application/cloudevents+json";

/// A place in a stream: the milliseconds of its time, and a number within them.
pub(super) type Id = (u64, u64);

/// A message that came, with the times that it was given to somebody.
pub(super) struct Incoming {
    pub id: Id,
    pub message: Message,
    pub attempts: u32,
}

pub(super) fn text(id: Id) -> String {
    format!("{}-{}", id.0, id.1)
}

/// The five texts of a message, in the order in which the script takes them.
pub(super) type Fields = [Bytes; 5];

/// The bytes that a message has as it is sent.
pub(super) fn size(fields: &Fields) -> u64 {
    fields.iter().map(|text| text.len() as u64).sum()
}

pub(super) fn fields(message: &Message) -> Result<Fields> {
    let metadata: BTreeMap<_, _> = message.attributes.iter().cloned().collect();
    let attributes = match message.attributes.is_empty() {
        true => String::new(),
        false => serde_json::to_string(&message.attributes).map_err(|_| odd())?,
    };
    Ok([
        message.data.clone(),
        serde_json::to_string(&metadata).map_err(|_| odd())?.into(),
        message.content_type.clone().into(),
        message.ordering_key.clone().unwrap_or_default().into(),
        attributes.into(),
    ])
}

/// The answer to a read of one stream: nothing, or the stream with its entries.
pub(super) fn entries(value: Value) -> Result<Vec<Incoming>> {
    let streams = match value {
        Value::Nil => return Ok(Vec::new()),
        value => parts(value)?,
    };
    let Some(stream) = streams.into_iter().next() else {
        return Ok(Vec::new());
    };
    let mut stream = parts(stream)?;
    incoming(stream.pop().ok_or_else(odd)?)
}

/// The answer of a script: entries, each with its attempts where it is not the first one.
pub(super) fn incoming(value: Value) -> Result<Vec<Incoming>> {
    parts(value)?.into_iter().map(one).collect()
}

fn one(value: Value) -> Result<Incoming> {
    let mut values = parts(value)?.into_iter();
    let (Some(Value::BulkString(id)), Some(fields)) = (values.next(), values.next()) else {
        return Err(odd());
    };
    let attempts = match values.next() {
        None => 1,
        Some(Value::Int(count)) => u32::try_from(count).unwrap_or(u32::MAX),
        Some(_) => return Err(odd()),
    };
    let fields = match fields {
        Value::Nil => Vec::new(),
        fields => parts(fields)?,
    };
    Ok(Incoming {
        id: parsed(&id).ok_or_else(odd)?,
        message: message(fields),
        attempts,
    })
}

fn parsed(id: &[u8]) -> Option<Id> {
    let (time, number) = std::str::from_utf8(id).ok()?.split_once('-')?;
    Some((time.parse().ok()?, number.parse().ok()?))
}

/// Reads what is known, and passes over fields that somebody else wrote.
fn message(fields: Vec<Value>) -> Message {
    let mut message = Message {
        content_type: EVENT.to_owned(),
        ..Message::default()
    };
    let mut metadata = BTreeMap::<String, String>::new();
    let mut texts = fields.into_iter();
    while let (Some(Value::BulkString(name)), Some(Value::BulkString(value))) =
        (texts.next(), texts.next())
    {
        let text = || String::from_utf8_lossy(&value).into_owned();
        match &name[..] {
            b"data" => message.data = value.into(),
            b"content-type" => message.content_type = text(),
            b"ordering-key" => message.ordering_key = Some(text()),
            b"attributes" => {
                message.attributes = serde_json::from_slice(&value).unwrap_or_default()
            }
            b"metadata" => metadata = serde_json::from_slice(&value).unwrap_or_default(),
            _ => {}
        }
    }
    if message.attributes.is_empty() {
        message.attributes = metadata.into_iter().collect();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn an_entry_of_dapr_is_an_event_with_its_metadata() {
        let texts = [
            "data",
            "{}",
            "metadata",
            r#"{"b":"2","a":"1"}"#,
            "other",
            "x",
        ];
        let fields = Value::Array(texts.map(bulk).into());
        let entry = Value::Array(vec![bulk("17-3"), fields]);
        let read = incoming(Value::Array(vec![entry])).unwrap();
        let one = &read[0];
        assert_eq!((one.id, one.attempts), ((17, 3), 1));
        assert_eq!(one.message.data, "{}");
        assert_eq!(one.message.content_type, EVENT);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(one.message.attributes, [pair("a", "1"), pair("b", "2")]);
    }

    #[test]
    fn what_a_server_makes_up_is_an_error() {
        let odd = [
            Value::Int(1),
            Value::Array(vec![Value::Int(1)]),
            Value::Array(vec![Value::Array(vec![
                bulk("x"),
                Value::Array(Vec::new()),
            ])]),
            Value::Array(vec![Value::Array(vec![bulk("1-1")])]),
        ];
        assert!(odd.into_iter().all(|value| incoming(value).is_err()));
    }
}
