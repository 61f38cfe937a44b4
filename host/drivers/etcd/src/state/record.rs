//! An entry as Dapr's second layout has it: a message of protobuf with the value and the time of its write. What Dapr has no
//! field for is in fields that it passes over.

use bytes::Bytes;
use prost::Message as _;
use std::time::{Duration, SystemTime};
use wythe_blocks::time::{NEVER, since_1970};

#[derive(Clone, PartialEq, prost::Message)]
struct Value {
    #[prost(bytes = "bytes", tag = "1")]
    data: Bytes,
    #[prost(message, optional, tag = "2")]
    ts: Option<Span>,
    #[prost(message, optional, tag = "3")]
    ttl: Option<Span>,
    #[prost(string, optional, tag = "100")]
    content_type: Option<String>,
    #[prost(uint64, optional, tag = "101")]
    fence: Option<u64>,
}

/// A time since 1970, or a time between two.
#[derive(Clone, Copy, PartialEq, prost::Message)]
struct Span {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

impl Span {
    fn of(time: Duration) -> Self {
        Span {
            seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            nanos: time.subsec_nanos().cast_signed(),
        }
    }

    /// The time; none where it is before 1970, or no time.
    fn time(self) -> Option<Duration> {
        let seconds = u64::try_from(self.seconds).ok()?;
        let nanos = u32::try_from(self.nanos).ok()?;
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    }
}

/// An entry beside its revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub data: Bytes,
    pub content_type: Option<String>,
    pub fence: Option<u64>,
    /// The time at which it is over; none where it lasts.
    pub end: Option<SystemTime>,
}

impl Record {
    /// The row of an entry that is written now and lasts so long.
    pub fn encode(
        data: Bytes,
        content_type: Option<String>,
        fence: Option<u64>,
        lasts: Option<Duration>,
    ) -> Bytes {
        let value = Value {
            data,
            ts: Some(Span::of(since_1970(SystemTime::now()))),
            ttl: lasts.map(Span::of),
            content_type,
            fence,
        };
        value.encode_to_vec().into()
    }

    /// The entry of a row; none where it is a row of something else, such as one of Dapr's first layout.
    pub fn decode(row: Bytes) -> Option<Self> {
        let value = Value::decode(row).ok()?;
        // A text may be a message by chance, and has no time then.
        let written = value.ts?.time()?;
        // Dapr writes a time to live of nothing where there is none.
        let lasts = value.ttl.and_then(Span::time);
        let lasts = lasts.filter(|lasts| !lasts.is_zero() && *lasts < NEVER);
        let end = lasts.and_then(|lasts| {
            let after = written.checked_add(lasts)?;
            SystemTime::UNIX_EPOCH.checked_add(after)
        });
        Some(Record {
            data: value.data,
            content_type: value.content_type,
            fence: value.fence,
            end,
        })
    }

    pub fn is_over(&self) -> bool {
        self.end.is_some_and(|end| end <= SystemTime::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dapr_writes_is_read() {
        // `"x"`: Dapr writes a time to live of nothing where there is none, and else one such as 60 s.
        let plain =
            b"\x0a\x03\"x\"\x12\x0c\x08\x80\xaf\x8e\xcd\x06\x10\xd2\xbe\xac\x8a\x01\x1a\x00";
        let record = Record::decode(Bytes::from_static(plain)).unwrap();
        assert_eq!((&record.data[..], record.end), (&b"\"x\""[..], None));
        let lasting = b"\x0a\x03\"x\"\x12\x06\x08\x80\xaf\x8e\xcd\x06\x1a\x02\x08\x3c";
        let record = Record::decode(Bytes::from_static(lasting)).unwrap();
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_328_832 + 60);
        assert_eq!(record.end, Some(end));
    }

    #[test]
    fn an_entry_comes_back() {
        let hour = Duration::from_secs(3_600);
        let row = Record::encode("1".into(), Some("text/plain".into()), Some(7), Some(hour));
        let record = Record::decode(row).unwrap();
        assert_eq!((&record.data[..], record.fence), (&b"1"[..], Some(7)));
        assert_eq!(record.content_type.as_deref(), Some("text/plain"));
        assert!(!record.is_over() && record.end.is_some());
        let bare = Record::decode(Record::encode(Bytes::new(), None, None, None)).unwrap();
        assert_eq!(bare, Record::default());
        let short = Record::encode(Bytes::new(), None, None, Some(Duration::from_nanos(1)));
        assert!(Record::decode(short).unwrap().is_over());
    }

    #[test]
    fn what_is_no_entry_is_told_apart() {
        for text in [
            "",
            "1",
            "null",
            "true",
            "{\"a\":1}",
            "\"x\"",
            "123456789",
            "[1]",
        ] {
            assert_eq!(Record::decode(Bytes::from(text)), None, "{text}");
        }
    }
}
