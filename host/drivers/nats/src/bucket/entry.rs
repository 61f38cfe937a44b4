//! An entry as a message of the stream, and back.

use crate::{
    failure::odd,
    wire::{self, Outgoing},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use wythe_blocks::{
    Result,
    time::{Timestamp, now},
};

/// Seconds until the end of an entry, at most: the server counts nanoseconds.
const LONGEST: u64 = 9_000_000_000;
/// The header with what an entry has beside its value.
const DETAIL: &str = "Wythe-Entry";

/// An entry, or what is left of one that was deleted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub revision: u64,
    /// The value; absent where it was deleted.
    pub value: Option<Bytes>,
    pub detail: Detail,
}

/// The part of an entry beside its value.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(default)]
pub(crate) struct Detail {
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fence: Option<u64>,
    /// The end of the entry, by the clocks of the hosts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct GotMessage {
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

/// The message of an entry, or the mark of one that is deleted.
pub(super) fn message(subject: String, value: Option<Bytes>, detail: &Detail) -> Result<Outgoing> {
    let Some(value) = value else {
        return Ok(Outgoing::new(subject, Bytes::new()).with("KV-Operation", "DEL"));
    };
    let mut message = Outgoing::new(subject, value);
    if let Some(end) = detail.expires {
        message = message.with("Nats-TTL", rest(end, now()));
    }
    let detail = serde_json::to_string(detail).map_err(|_| odd())?;
    Ok(match detail.as_str() {
        "{}" => message,
        _ => message.with(DETAIL, detail),
    })
}

/// The time until the server removes an entry. It counts whole seconds, and the header says the end to the millisecond: what
/// is over is absent until the server has removed it.
fn rest(end: Timestamp, now: Timestamp) -> String {
    let seconds = end.saturating_sub(now).div_ceil(1_000) + 1;
    format!("{}s", seconds.min(LONGEST))
}

pub(super) fn row(message: GotMessage) -> Result<Row> {
    let decoded = |text: &str| STANDARD.decode(text).map_err(|_| odd());
    let head = decoded(&message.hdrs)?;
    let (_, headers) = wire::split(&head).map_err(|error| odd().with_source(error))?;
    let is_gone = matches!(
        wire::header(&headers, "KV-Operation"),
        Some("DEL" | "PURGE")
    );
    let detail = wire::header(&headers, DETAIL).and_then(|text| serde_json::from_str(text).ok());
    let detail: Detail = detail.unwrap_or_default();
    let is_over = detail.expires.is_some_and(|end| end <= now());
    let value = match is_gone || is_over {
        true => None,
        false => Some(decoded(&message.data)?.into()),
    };
    Ok(Row {
        revision: message.seq,
        value,
        detail,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_removed_after_its_end_and_never_before() {
        assert_eq!(rest(5_000, 5_000), "1s");
        assert_eq!(rest(5_001, 5_000), "2s");
        assert_eq!(rest(6_000, 5_000), "2s");
        assert_eq!(rest(5_000, 9_000), "1s", "the server has no shorter one");
        assert_eq!(rest(u64::MAX, 0), "9000000000s");
    }

    #[test]
    fn what_is_over_is_absent_and_has_its_revision() {
        let message = |end: Timestamp| GotMessage {
            seq: 7,
            hdrs: STANDARD.encode(format!(
                "NATS/1.0\r\n{DETAIL}: {{\"expires\":{end}}}\r\n\r\n"
            )),
            data: STANDARD.encode("a"),
        };
        let there = row(message(now() + 60_000)).unwrap();
        assert_eq!((there.revision, there.value.is_some()), (7, true));
        let over = row(message(now())).unwrap();
        assert_eq!((over.revision, over.value), (7, None));
    }
}
