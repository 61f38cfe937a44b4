//! The JSON of the gateway: numbers are texts, keys and values are in base64, and what is zero or empty is left out.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, Visitor},
};
use std::fmt;
use wythe_client::few;

/// Rows of one answer, and answers in the one to a transaction: more than the host ever asks for.
const LISTED: usize = 16_384;
/// Words about the state of a server.
const ERRORS: usize = 100;

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

/// The part that each answer about rows has: without it an answer is none of etcd, and says nothing of what is there.
#[derive(Clone, Copy, Debug, Deserialize)]
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

#[derive(Debug, Deserialize)]
pub(crate) struct Ranged {
    #[expect(dead_code, reason = "it has to be there")]
    header: Header,
    #[serde(default, deserialize_with = "few::<LISTED, _, _>")]
    pub kvs: Vec<KeyValue>,
    #[serde(default)]
    pub more: bool,
    #[serde(default)]
    pub count: Number,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Transacted {
    pub header: Header,
    #[serde(default)]
    pub succeeded: bool,
    #[serde(default, deserialize_with = "few::<LISTED, _, _>")]
    pub responses: Vec<Response>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Response {
    pub response_range: Option<One>,
}

/// The row of a key.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct One {
    #[serde(deserialize_with = "few::<1, _, _>")]
    pub kvs: Vec<KeyValue>,
}

#[derive(Debug, Deserialize)]
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
    #[serde(deserialize_with = "few::<ERRORS, _, _>")]
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
        let text = r#"{"header":{"revision":"9"},"kvs":[{"key":"YQ==","mod_revision":"7","value":"AP8="},{"key":"Yg==","mod_revision":8}],"count":"2"}"#;
        let read: Ranged = serde_json::from_str(text).unwrap();
        assert_eq!((read.count, read.more), (Number(2), false));
        assert_eq!(read.kvs[0].key.0, b"a");
        assert_eq!(read.kvs[0].value.0, [0, 255]);
        assert_eq!(
            (read.kvs[0].mod_revision.0, read.kvs[1].mod_revision.0),
            (7, 8)
        );
        for part in [
            r#""kvs":[{"key":"?"}]"#,
            r#""count":"seven""#,
            r#""kvs":[{"value":7}]"#,
        ] {
            let text = format!("{{\"header\":{{\"revision\":\"9\"}},{part}}}");
            assert!(serde_json::from_str::<Ranged>(&text).is_err(), "{text}");
        }
        let large: Granted = serde_json::from_str(r#"{"ID":"18446744073709551615"}"#).unwrap();
        assert_eq!(large.id, Number(-1));
    }

    #[test]
    fn an_answer_that_is_none_of_etcd_does_not_say_that_nothing_is_there() {
        for text in ["{}", r#"{"status":"ok"}"#, r#"{"header":{}}"#] {
            assert!(serde_json::from_str::<Ranged>(text).is_err(), "{text}");
            assert!(serde_json::from_str::<Transacted>(text).is_err(), "{text}");
            assert!(serde_json::from_str::<Granted>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_answer_has_no_more_rows_than_were_asked_for() {
        let many = |count: usize| ["{}"].repeat(count).join(",");
        let ranged = |count| format!(r#"{{"header":{{"revision":"9"}},"kvs":[{}]}}"#, many(count));
        assert!(serde_json::from_str::<Ranged>(&ranged(LISTED)).is_ok());
        assert!(serde_json::from_str::<Ranged>(&ranged(LISTED + 1)).is_err());
        let row = format!(r#"{{"response_range":{{"kvs":[{}]}}}}"#, many(2));
        assert!(serde_json::from_str::<Response>(&row).is_err());
        let status = format!(
            r#"{{"errors":["{}"]}}"#,
            ["a"].repeat(ERRORS + 1).join("\",\"")
        );
        assert!(serde_json::from_str::<Status>(&status).is_err());
    }
}
