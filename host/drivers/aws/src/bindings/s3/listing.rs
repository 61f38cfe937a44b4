//! A list of objects: what is asked for, and the answer in Dapr's words.

use super::words::MAX_KEY;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use wythe_blocks::{Error, Result};
use wythe_client::Element;

/// Objects of one answer, at the most and by default.
const MOST: u32 = 1_000;

/// Words that an app may ask with.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Asked {
    #[serde(default)]
    marker: String,
    #[serde(default)]
    prefix: String,
    #[serde(default)]
    max_results: u32,
    #[serde(default)]
    delimiter: String,
}

/// The query of a request with this data; none asks for the first objects of all.
pub(super) fn query(data: &[u8]) -> Result<Vec<(String, String)>> {
    let asked = match data.trim_ascii().is_empty() {
        true => Asked::default(),
        false => serde_json::from_slice(data).map_err(|_| {
            Error::invalid("expected data as JSON, with some of `marker`, `prefix`, `maxResults` and `delimiter`, or none")
        })?,
    };
    let count = match asked.max_results {
        0 => MOST,
        count => count.min(MOST),
    };
    let mut query = vec![("max-keys".to_owned(), count.to_string())];
    for (name, value) in [
        ("delimiter", asked.delimiter),
        ("marker", asked.marker),
        ("prefix", asked.prefix),
    ] {
        if value.len() > MAX_KEY {
            return Err(Error::invalid(format!(
                "expected `{name}` of at most {MAX_KEY} bytes"
            )));
        }
        if !value.is_empty() {
            query.push((name.to_owned(), value));
        }
    }
    Ok(query)
}

/// The answer with the names that Dapr has for its parts.
pub(super) fn read(body: &[u8]) -> Result<Value, String> {
    let root = Element::read(body)?;
    let text = |name: &str| root.text(&[name]).map(Value::from).unwrap_or_default();
    let contents = root
        .all("Contents")
        .map(object)
        .collect::<Result<Vec<_>, _>>()?;
    let prefixes = root.all("CommonPrefixes");
    let prefixes: Vec<_> = prefixes
        .map(|one| json!({ "Prefix": one.text(&["Prefix"]) }))
        .collect();
    Ok(json!({
        "CommonPrefixes": list(prefixes),
        "Contents": list(contents),
        "Delimiter": text("Delimiter"),
        "EncodingType": text("EncodingType"),
        "IsTruncated": root.text(&["IsTruncated"]) == Some("true"),
        "Marker": text("Marker"),
        "MaxKeys": number(&root, "MaxKeys")?,
        "Name": text("Name"),
        "NextMarker": text("NextMarker"),
        "Prefix": text("Prefix"),
    }))
}

/// A list, or null where there is nothing in it.
fn list(values: Vec<Value>) -> Value {
    match values.is_empty() {
        true => Value::Null,
        false => Value::Array(values),
    }
}

fn number(element: &Element, name: &str) -> Result<Value, String> {
    match element.text(&[name]) {
        None => Ok(Value::Null),
        Some(text) => {
            let number = text.parse::<u64>();
            number
                .map(Value::from)
                .map_err(|_| format!("`{name}` is no number"))
        }
    }
}

fn object(element: &Element) -> Result<Value, String> {
    let mut object = Map::new();
    for name in ["ETag", "Key", "LastModified", "StorageClass"] {
        let text = element.text(&[name]).map(Value::from);
        object.insert(name.to_owned(), text.unwrap_or_default());
    }
    let owner = element.find(&["Owner"]).map(
        |owner| json!({ "DisplayName": owner.text(&["DisplayName"]), "ID": owner.text(&["ID"]) }),
    );
    object.insert("Owner".to_owned(), owner.unwrap_or_default());
    object.insert("Size".to_owned(), number(element, "Size")?);
    Ok(Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_asked_for_in_words_of_dapr() {
        let asked = query(br#"{"prefix":"a/","maxResults":5000,"marker":"b"}"#).unwrap();
        let asked: Vec<_> = asked
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            asked,
            [("max-keys", "1000"), ("marker", "b"), ("prefix", "a/")]
        );
        assert_eq!(query(b" ").unwrap().len(), 1);
        let long = json!({ "prefix": "a".repeat(MAX_KEY + 1) }).to_string();
        assert!(query(long.as_bytes()).is_err(), "no key is as long");
        assert!(query(b"1").is_err() && query(br#"{"other":1}"#).is_err());
    }

    #[test]
    fn an_answer_has_the_parts_that_dapr_names() {
        let text = "<ListBucketResult><Name>b</Name><Prefix/><MaxKeys>1</MaxKeys><IsTruncated>true</IsTruncated>\
            <Contents><Key>a&amp;b</Key><LastModified>2026-01-01T00:00:00Z</LastModified><ETag>\"e\"</ETag>\
            <Size>3</Size><Owner><ID>o</ID></Owner></Contents>\
            <CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes></ListBucketResult>";
        let read = read(text.as_bytes()).unwrap();
        assert_eq!(read["Contents"][0]["Key"], "a&b");
        assert_eq!(read["Contents"][0]["Size"], 3);
        assert_eq!(read["Contents"][0]["Owner"]["ID"], "o");
        assert_eq!(read["CommonPrefixes"][0]["Prefix"], "p/");
        assert_eq!(
            (&read["IsTruncated"], &read["NextMarker"]),
            (&Value::Bool(true), &Value::Null)
        );
        let none = super::read(b"<ListBucketResult/>").unwrap();
        assert_eq!(none["Contents"], Value::Null);
        assert!(super::read(b"<a><Contents><Size>x</Size></Contents></a>").is_err());
    }
}
