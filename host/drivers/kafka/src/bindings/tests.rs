//! Requests as records, and records as deliveries.

use super::*;
use wythe_blocks::Trace;

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

#[test]
fn a_request_names_its_key() {
    let cases = [
        (&[("partitionKey", "a"), ("colour", "blue")][..], Some("a")),
        (&[("__key", "b")], Some("b")),
        (&[("PartitionKey", "c")], Some("c")),
        (&[("partitionKey", "")], None),
        (&[], None),
    ];
    for (metadata, key) in cases {
        let metadata = pairs(metadata);
        let record = record(&Request {
            operation: "create",
            data: &Bytes::from_static(b"\0\xff"),
            metadata: &metadata,
            max_bytes: 0,
            trace: Trace::start(),
            account: None,
        });
        assert_eq!(record.key.as_deref(), key.map(str::as_bytes));
        assert_eq!(record.value.as_deref(), Some(&b"\0\xff"[..]));
        let headers = metadata.into_iter();
        let headers = headers.map(|(name, value)| (name, Some(Bytes::from(value))));
        assert_eq!(record.headers, Vec::from_iter(headers));
    }
}

#[test]
fn a_delivery_says_where_it_was() {
    let record = Record {
        key: Some("seven".into()),
        value: None,
        headers: vec![
            ("colour".to_owned(), Some("blue".into())),
            ("__topic".to_owned(), Some("another".into())),
            ("none".to_owned(), None),
            ("bytes".to_owned(), Some(Bytes::from_static(b"\xff"))),
        ],
    };
    let taken = |record| Taken {
        record,
        partition: 2,
        offset: 40,
        attempt: 3,
        receipt: Vec::new(),
    };
    let place = [("__topic", "a"), ("__partition", "2"), ("__offset", "40")];
    let whole = [&place[..], &[("__key", "seven"), ("colour", "blue")]].concat();
    let expected = Delivery {
        data: Bytes::new(),
        metadata: pairs(&whole),
        attempt: 3,
    };
    assert_eq!(delivery("a", taken(record)), expected);
    let bare = delivery("a", taken(Record::default()));
    assert_eq!(bare.metadata, pairs(&place));
}
