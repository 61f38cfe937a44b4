//! A list of blobs: what is asked for, and the answer in Dapr's words.

use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Map, Value};
use wythe_blocks::{Error, Result};
use wythe_client::Element;

/// Blobs of one answer, at the most and by default.
const MOST: u32 = 5_000;
/// Properties that are numbers, and those that are times.
const NUMBERS: [&str; 1] = ["ContentLength"];
const TIMES: [&str; 2] = ["CreationTime", "LastModified"];
/// The names that Dapr has for properties, and the service's, where they differ.
const PROPERTIES: [(&str, &str); 14] = [
    ("AccessTier", "AccessTier"),
    ("BlobType", "BlobType"),
    ("CacheControl", "Cache-Control"),
    ("ContentDisposition", "Content-Disposition"),
    ("ContentEncoding", "Content-Encoding"),
    ("ContentLanguage", "Content-Language"),
    ("ContentLength", "Content-Length"),
    ("ContentMD5", "Content-MD5"),
    ("ContentType", "Content-Type"),
    ("CreationTime", "Creation-Time"),
    ("ETag", "Etag"),
    ("LastModified", "Last-Modified"),
    ("LeaseState", "LeaseState"),
    ("LeaseStatus", "LeaseStatus"),
];

/// Words that an app may ask with.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Asked {
    marker: String,
    prefix: String,
    max_results: u32,
    include: Include,
}

/// More that is listed, or said of each blob.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase", default)]
struct Include {
    copy: bool,
    metadata: bool,
    snapshots: bool,
    uncommitted_blobs: bool,
    deleted: bool,
}

/// The query of a request with this data; none asks for the first blobs of all.
pub(super) fn query(data: &[u8]) -> Result<Vec<(&'static str, String)>> {
    let asked = match data.trim_ascii().is_empty() {
        true => Asked::default(),
        false => serde_json::from_slice(data).map_err(|_| {
            Error::invalid("expected data as JSON, with some of `marker`, `prefix`, `maxResults` and `include`, or none")
        })?,
    };
    let count = match asked.max_results {
        0 => MOST,
        count => count.min(MOST),
    };
    let include = asked.include;
    let include = [
        ("copy", include.copy),
        ("deleted", include.deleted),
        ("metadata", include.metadata),
        ("snapshots", include.snapshots),
        ("uncommittedblobs", include.uncommitted_blobs),
    ];
    let include = include.into_iter().filter(|(_, is_asked)| *is_asked);
    let include: Vec<_> = include.map(|(name, _)| name).collect();
    let mut query = vec![("maxresults", count.to_string())];
    for (name, value) in [
        ("include", include.join(",")),
        ("marker", asked.marker),
        ("prefix", asked.prefix),
    ] {
        if !value.is_empty() {
            query.push((name, value));
        }
    }
    Ok(query)
}

/// One page of a list.
pub(super) struct Listed {
    pub blobs: Vec<Value>,
    pub number: usize,
    /// The marker of the next page, or nothing.
    pub next: String,
}

/// The blobs with the names that Dapr has for their parts.
pub(super) fn read(body: &[u8]) -> Result<Listed, String> {
    let root = Element::read(body)?;
    let found = root.find(&["Blobs"]).ok_or("a list without `Blobs`")?;
    // Each of them takes three hundred times its bytes.
    if found.all("Blob").nth(MOST as usize).is_some() {
        return Err(format!("more than {MOST} blobs"));
    }
    let blobs = found.all("Blob").map(blob).collect::<Result<Vec<_>, _>>()?;
    Ok(Listed {
        number: blobs.len(),
        blobs,
        next: root.text(&["NextMarker"]).unwrap_or_default().to_owned(),
    })
}

fn blob(element: &Element) -> Result<Value, String> {
    let text = |name: &str| element.text(&[name]).map(Value::from).unwrap_or_default();
    let mut properties = Map::new();
    for (name, written) in PROPERTIES {
        let text = element.text(&["Properties", written]);
        let value = match text.filter(|text| !text.is_empty()) {
            None => Value::Null,
            Some(text) if NUMBERS.contains(&name) => {
                let number = text.parse::<u64>();
                number
                    .map_err(|_| format!("`{written}` is no number"))?
                    .into()
            }
            Some(text) if TIMES.contains(&name) => {
                let time = DateTime::parse_from_rfc2822(text);
                let time = time.map_err(|_| format!("`{written}` is no time"))?;
                time.to_utc()
                    .format("%Y-%m-%dT%H:%M:%SZ")
                    .to_string()
                    .into()
            }
            Some(text) => text.into(),
        };
        properties.insert(name.to_owned(), value);
    }
    let metadata = element.find(&["Metadata"]).map(|metadata| {
        let pairs = metadata.pairs();
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.into()));
        Value::Object(pairs.collect())
    });
    Ok(Value::Object(Map::from_iter([
        ("Name".to_owned(), text("Name")),
        ("Deleted".to_owned(), (text("Deleted") == "true").into()),
        ("Snapshot".to_owned(), text("Snapshot")),
        ("Properties".to_owned(), Value::Object(properties)),
        ("Metadata".to_owned(), metadata.unwrap_or_default()),
    ])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_asked_for_in_words_of_dapr() {
        let asked = br#"{"prefix":"a/","maxResults":9000,"marker":"b","include":{"metadata":true,"snapshots":true}}"#;
        let expected = [
            ("maxresults", "5000"),
            ("include", "metadata,snapshots"),
            ("marker", "b"),
            ("prefix", "a/"),
        ];
        let asked = query(asked).unwrap();
        let asked: Vec<_> = asked.iter().map(|(n, v)| (*n, v.as_str())).collect();
        assert_eq!(asked, expected);
        assert_eq!(query(b" ").unwrap().len(), 1);
        assert!(query(b"1").is_err() && query(br#"{"other":1}"#).is_err());
    }

    #[test]
    fn an_answer_has_the_parts_that_dapr_names() {
        let text = "<EnumerationResults><Blobs><Blob><Name>a&amp;b</Name><Properties>\
            <Last-Modified>Fri, 26 Jun 2015 23:39:12 GMT</Last-Modified><Etag>0x1</Etag>\
            <Content-Length>3</Content-Length><Content-Type/></Properties>\
            <Metadata><author>ada</author></Metadata></Blob></Blobs><NextMarker>m</NextMarker></EnumerationResults>";
        let listed = read(text.as_bytes()).unwrap();
        let blob = &listed.blobs[0];
        assert_eq!(blob["Name"], "a&b");
        assert_eq!(blob["Properties"]["ContentLength"], 3);
        assert_eq!(blob["Properties"]["LastModified"], "2015-06-26T23:39:12Z");
        assert_eq!(blob["Properties"]["ContentType"], Value::Null);
        assert_eq!(blob["Metadata"]["author"], "ada");
        assert_eq!((listed.number, listed.next.as_str()), (1, "m"));
        let many = |count: usize| format!("<a><Blobs>{}</Blobs></a>", "<Blob/>".repeat(count));
        assert_eq!(read(many(5_000).as_bytes()).unwrap().number, 5_000);
        assert!(
            read(many(5_001).as_bytes()).is_err(),
            "more than were asked for"
        );
        for odd in [
            "<a/>",
            "<a><Blobs><Blob><Properties><Content-Length>x</Content-Length></Properties></Blob></Blobs></a>",
        ] {
            assert!(read(odd.as_bytes()).is_err(), "{odd}");
        }
    }
}
