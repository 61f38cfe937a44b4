//! A message's compact form on disk.
//!
//! Layout, numbers little-endian: version (1 byte), publish time (8), then texts, each with its length (4): topic,
//! content type, ordering key (preceded by a byte that says whether there is one), the number of attributes (4) and
//! their names and values; all the rest is the data.

use bytes::Bytes;
use wythe_blocks::{Error, Result, pubsub::Message};

const VERSION: u8 = 1;

pub(crate) fn encode(topic: &str, published: u64, message: &Message) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(128 + message.data.len());
    bytes.push(VERSION);
    bytes.extend(published.to_le_bytes());
    add(&mut bytes, topic);
    add(&mut bytes, &message.content_type);
    bytes.push(u8::from(message.ordering_key.is_some()));
    if let Some(key) = &message.ordering_key {
        add(&mut bytes, key);
    }
    bytes.extend((message.attributes.len() as u32).to_le_bytes());
    for (name, value) in &message.attributes {
        add(&mut bytes, name);
        add(&mut bytes, value);
    }
    bytes.extend(&message.data);
    bytes
}

fn add(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u32).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// Reads the time at which the message was published, and not the rest of it.
pub(crate) fn published(bytes: &[u8]) -> Option<u64> {
    let time = bytes.get(1..)?.first_chunk()?;
    Some(u64::from_le_bytes(*time))
}

/// The message as it was published; its delay is over or in the queue's hands.
pub(crate) fn decode(bytes: &[u8]) -> Result<Message> {
    let mut rest = Rest(bytes);
    match rest.take::<1>()? {
        [VERSION] => {}
        [version] => {
            let error =
                format!("a stored message has version {version}; this build reads up to {VERSION}");
            return Err(Error::internal(error));
        }
    }
    rest.take::<8>()?;
    rest.text()?;
    let content_type = rest.text()?;
    let ordering_key = match rest.take::<1>()? {
        [0] => None,
        _ => Some(rest.text()?),
    };
    let count = u32::from_le_bytes(rest.take()?);
    let attributes = (0..count)
        .map(|_| Ok((rest.text()?, rest.text()?)))
        .collect::<Result<_>>()?;
    Ok(Message {
        data: Bytes::copy_from_slice(rest.0),
        content_type,
        ordering_key,
        attributes,
        delay: None,
    })
}

struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>().ok_or_else(damaged)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn text(&mut self) -> Result<String> {
        let length = u32::from_le_bytes(self.take()?) as usize;
        let (text, rest) = self.0.split_at_checked(length).ok_or_else(damaged)?;
        self.0 = rest;
        std::str::from_utf8(text)
            .map(str::to_owned)
            .map_err(|_| damaged())
    }
}

fn damaged() -> Error {
    Error::internal("a stored message is damaged: expected its texts and data")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &Message) {
        let bytes = encode("topic", 7, message);
        assert_eq!(decode(&bytes).unwrap(), *message);
        for length in 0..bytes.len() - message.data.len() {
            assert!(decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        check(&Message::default());
        check(&Message {
            data: Bytes::from_static(&[0, 255]),
            content_type: "application/json".into(),
            ordering_key: Some("ä".into()),
            attributes: vec![
                ("traceparent".into(), "00".into()),
                ("empty".into(), String::new()),
            ],
            delay: None,
        });
        check(&Message {
            ordering_key: Some(String::new()),
            ..Message::default()
        });
    }

    #[test]
    fn a_newer_version_is_named() {
        let error = decode(&[9]).unwrap_err();
        assert_eq!(
            error.message(),
            "a stored message has version 9; this build reads up to 1"
        );
    }
}
