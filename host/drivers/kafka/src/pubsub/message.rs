//! A message of the block as a record, and back. Its data are the value and its ordering key is the key, as Dapr has it;
//! its attributes are headers.

use crate::records::Record;
use bytes::Bytes;
use wythe_blocks::pubsub::Message;

/// The header with the content type, which each message of the host has first.
const CONTENT_TYPE: &str = "content-type";
/// The content type of a record that says none: Dapr's are such.
const EVENT: &str = "application/cloudevents+json";
/// The attributes by which a publish names a key, where it has no ordering key: Dapr's.
pub(crate) const KEYS: [&str; 2] = ["partitionKey", "__key"];

pub(crate) fn record(message: &Message) -> Record {
    let mut attributes = message.attributes.iter();
    let named = attributes.find(|(name, _)| KEYS.contains(&name.as_str()));
    let named = named.map(|(_, value)| value);
    let key = message.ordering_key.as_ref().or(named);
    let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
    let first = (CONTENT_TYPE.to_owned(), Some(bytes(&message.content_type)));
    let attributes = message.attributes.iter();
    let attributes = attributes.map(|(name, value)| (name.clone(), Some(bytes(value))));
    Record {
        key: key.map(|key| bytes(key)),
        value: Some(message.data.clone()),
        headers: [first].into_iter().chain(attributes).collect(),
    }
}

/// The message of a record, whoever published it. Headers that are no texts are left out.
pub(crate) fn read(record: Record) -> Message {
    let text = |bytes: &Bytes| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let mut content_type = None;
    let mut attributes = Vec::new();
    for (name, value) in record.headers {
        let Some(value) = value.as_ref().and_then(text) else {
            continue;
        };
        match content_type.is_none() && name.eq_ignore_ascii_case(CONTENT_TYPE) {
            true => content_type = Some(value),
            false => attributes.push((name, value)),
        }
    }
    let key = record.key.as_ref();
    let key = key.map(|key| text(key).unwrap_or_else(|| key.escape_ascii().to_string()));
    Message {
        data: record.value.unwrap_or_default(),
        content_type: content_type.unwrap_or_else(|| EVENT.to_owned()),
        ordering_key: key,
        attributes,
        delay: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let whole = Message {
            data: Bytes::from_static(b"\0\xff"),
            content_type: "a/b".to_owned(),
            ordering_key: Some("\u{e4}".to_owned()),
            attributes: vec![
                pair("x", ""),
                pair("content-type", "c/d"),
                pair("x", "2"),
                pair("partitionKey", "other"),
            ],
            delay: None,
        };
        for message in [whole, Message::default()] {
            assert_eq!(read(record(&message)), message);
        }
    }

    #[test]
    fn a_publish_of_dapr_names_its_key() {
        let message = Message {
            attributes: vec![pair("partitionKey", "seven")],
            ..Message::default()
        };
        assert_eq!(record(&message).key, Some("seven".into()));
    }

    #[test]
    fn a_record_of_somebody_else_is_an_event() {
        let message = read(Record {
            key: Some(Bytes::from_static(b"\xff")),
            value: None,
            headers: vec![
                ("a".to_owned(), Some("1".into())),
                ("b".to_owned(), None),
                ("c".to_owned(), Some(Bytes::from_static(b"\xff"))),
            ],
        });
        assert_eq!(message.content_type, EVENT);
        assert_eq!(message.ordering_key.as_deref(), Some("\\xff"));
        assert_eq!(message.attributes, [pair("a", "1")]);
    }
}
