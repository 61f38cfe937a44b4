//! Metadata of an item as a driver keeps them in a text: an object of JSON, whose names stay in their order.

use serde::{
    Deserialize, Deserializer, Serializer as _,
    de::{MapAccess, Visitor},
};
use serde_json::{Serializer, Value};
use std::fmt;

struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    let text = match value {
                        Value::String(text) => text,
                        other => other.to_string(),
                    };
                    pairs.push((name, text));
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

/// Reads an object of JSON; `null` is none.
pub fn read(text: &str) -> serde_json::Result<Vec<(String, String)>> {
    let pairs: Option<Pairs> = serde_json::from_str(text)?;
    Ok(pairs.map_or_else(Vec::new, |pairs| pairs.0))
}

/// The text of metadata; none where there is none.
pub fn write(metadata: &[(String, String)]) -> Option<String> {
    let mut bytes = Vec::new();
    let pairs = metadata.iter().map(|(name, value)| (name, value));
    let written = Serializer::new(&mut bytes).collect_map(pairs);
    written.ok().filter(|()| !metadata.is_empty())?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_order() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let pairs = vec![pair("z", "1"), pair("a", "\"\u{e9}\"")];
        assert_eq!(read(&write(&pairs).unwrap()).unwrap(), pairs);
        assert_eq!(write(&[]), None);
        assert_eq!(read("null").unwrap(), []);
        let read = read(r#"{"n":1,"o":{"a":null}}"#).unwrap();
        assert_eq!(read, [pair("n", "1"), pair("o", r#"{"a":null}"#)]);
    }
}
