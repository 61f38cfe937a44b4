//! The JSON of the gateway: numbers are texts, keys and values are in base64, and what is zero or empty is left out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor},
};
use std::fmt;

/// A number of 64 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Number(pub i64);

/// Bytes of a key or a value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Octets(pub Vec<u8>);

/// Encodes bytes as the gateway takes them.
pub(crate) fn octets(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Header {
    pub revision: Number,
}

/// A row of the store.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct KeyValue {
    pub key: Octets,
    pub value: Octets,
    pub mod_revision: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Ranged {
    pub kvs: Vec<KeyValue>,
    pub more: bool,
    pub count: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Transacted {
    pub header: Header,
    pub succeeded: bool,
    pub responses: Vec<Response>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Response {
    pub response_range: Option<Ranged>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Granted {
    #[serde(rename = "ID")]
    pub id: Number,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Authenticated {
    pub token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Status {
    pub version: String,
    /// Alarms, and a leader that is missing.
    pub errors: Vec<String>,
}

/// The answer to a request that failed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Refusal {
    pub error: String,
    pub message: String,
    pub code: u32,
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl Visitor<'_> for Numbers {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a text of one")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                // Identifiers use all of the bits.
                let signed = text.parse::<i64>();
                let number = signed.or_else(|_| text.parse::<u64>().map(u64::cast_signed));
                number.map(Number).map_err(|_| E::custom("no number"))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number.cast_signed()))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number))
            }
        }
        deserializer.deserialize_any(Numbers)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;
        impl Visitor<'_> for Texts {
            type Value = Octets;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in base64")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Octets, E> {
                let decoded = STANDARD.decode(text);
                decoded.map(Octets).map_err(|_| E::custom("no base64"))
            }
        }
        let read = deserializer.deserialize_str(Texts);
        read.map_err(|error| D::Error::custom(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_texts_and_bytes_are_base64() {
        let text = r#"{"kvs":[{"key":"YQ==","mod_revision":"7","value":"AP8="},{"key":"Yg==","mod_revision":8}],"count":"2"}"#;
        let read: Ranged = serde_json::from_str(text).unwrap();
        assert_eq!((read.count, read.more), (Number(2), false));
        assert_eq!(read.kvs[0].key.0, b"a");
        assert_eq!(read.kvs[0].value.0, [0, 255]);
        assert_eq!(
            (read.kvs[0].mod_revision.0, read.kvs[1].mod_revision.0),
            (7, 8)
        );
        for text in [
            r#"{"kvs":[{"key":"?"}]}"#,
            r#"{"count":"seven"}"#,
            r#"{"kvs":[{"value":7}]}"#,
            "[7]",
        ] {
            assert!(serde_json::from_str::<Ranged>(text).is_err(), "{text}");
        }
        let large: Granted = serde_json::from_str(r#"{"ID":"18446744073709551615"}"#).unwrap();
        assert_eq!(large.id, Number(-1));
    }
}
