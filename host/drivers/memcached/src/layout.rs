//! The layout of an entry: the value as Dapr has it, and beside it, in the number that a server keeps with each value, what
//! Dapr has not. A content type that has no number there follows the value.

use bytes::Bytes;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wythe_blocks::{
    Error, Result,
    time::{Timestamp, time},
};

/// The mark of a number that is the host's own: `10`, two bits for the content type, 28 for the end.
const OWN: u32 = 0b10 << 30;
const MARK: u32 = 0b11 << 30;
/// The lowest bits of an entry's end in milliseconds since 1970; the server's own time tells the rest.
const END: u32 = (1 << 28) - 1;
/// Content types by number; the last number is of all others.
const TYPES: [&str; 2] = ["application/json", "application/octet-stream"];
const OTHER: u32 = 3;
/// Bytes of a content type.
const LONGEST: usize = 2 << 10;
/// Bytes beside a value, at most: the server's own, a key, and a content type with its length.
pub(crate) const BESIDE: u64 = 4 << 10;
/// Seconds beyond which a server takes a time as one since 1970, and the last such time that it knows.
const RELATIVE: u64 = 30 * 86_400;
const LAST: u64 = i32::MAX as u64;
/// Seconds for which a server keeps an entry beyond its end: its clock has whole seconds and may be late.
const GRACE: u64 = 2;

/// An entry as it is written.
pub(crate) struct Written {
    pub flags: u32,
    /// The server's time to live, 0 for none.
    pub ttl: u64,
    /// Bytes that follow the value.
    pub trailer: Vec<u8>,
}

impl Written {
    pub fn new(ttl: Option<Duration>, content_type: Option<&str>, now: Timestamp) -> Result<Self> {
        let number = match content_type {
            None => 0,
            Some(text) => TYPES
                .iter()
                .position(|known| *known == text)
                .map_or(OTHER, |place| place as u32 + 1),
        };
        let mut trailer = Vec::new();
        if let (OTHER, Some(text)) = (number, content_type) {
            let odd = || Error::invalid(format!("a content type has at most {LONGEST} bytes"));
            let length = u16::try_from(text.len()).ok();
            let length = length.filter(|length| usize::from(*length) <= LONGEST);
            trailer.extend_from_slice(text.as_bytes());
            trailer.extend_from_slice(&length.ok_or_else(odd)?.to_be_bytes());
        }
        let end = ttl.and_then(|ttl| end(ttl, now));
        let flags = match (number, end) {
            (0, None) => 0,
            (number, end) => OWN | number << 28 | end.map_or(0, |(end, _)| end as u32 & END),
        };
        Ok(Written {
            flags,
            ttl: end.map_or(0, |(_, ttl)| ttl),
            trailer,
        })
    }
}

/// The end of an entry, with the time to live that a server is told; none for one that is later than it knows.
fn end(ttl: Duration, now: Timestamp) -> Option<(Timestamp, u64)> {
    let milliseconds = u64::try_from(ttl.as_nanos().div_ceil(1_000_000)).ok()?;
    let end = now.checked_add(milliseconds)?;
    let last = end.div_ceil(1_000) + GRACE;
    match milliseconds.div_ceil(1_000) + GRACE {
        left if left <= RELATIVE => Some((end, left)),
        _ => (last <= LAST).then_some((end, last)),
    }
}

/// The end of an entry that a server still has for so many seconds, none where it has it for ever.
pub(crate) fn ends(flags: u32, left: Option<u64>, now: Timestamp) -> Option<SystemTime> {
    let about = now.saturating_add(left?.saturating_mul(1_000));
    if flags & MARK != OWN {
        return time(about);
    }
    // The time that has these bits and is nearest.
    let (range, bits) = (u64::from(END) + 1, u64::from(flags & END));
    let before = about.saturating_sub(range / 2);
    let step = bits.wrapping_sub(before) & u64::from(END);
    UNIX_EPOCH.checked_add(Duration::from_millis(before + step))
}

/// Value and content type of what a server has; none where they do not fit each other.
pub(crate) fn read(flags: u32, mut value: Bytes) -> Option<(Bytes, Option<String>)> {
    if flags & MARK != OWN {
        return Some((value, None));
    }
    let number = (flags >> 28) & 0b11;
    if number != OTHER {
        let known = TYPES.get((number as usize).wrapping_sub(1));
        return Some((value, known.map(|known| (*known).to_owned())));
    }
    let rest = value.len().checked_sub(2)?;
    let length = value.split_off(rest);
    let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
    let text = value.split_off(value.len().checked_sub(length)?);
    let text = std::str::from_utf8(&text).ok()?.to_owned();
    Some((value, Some(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wythe_blocks::time::timestamp;

    const NOW: Timestamp = 1_800_000_000_123;

    fn written(ttl: Option<u64>, content_type: Option<&str>) -> Written {
        Written::new(ttl.map(Duration::from_millis), content_type, NOW).unwrap()
    }

    #[test]
    fn an_entry_of_dapr_is_its_value() {
        let plain = written(None, None);
        assert_eq!((plain.flags, plain.ttl, plain.trailer.len()), (0, 0, 0));
        for flags in [0, 1, 0x4000_0000, 0xffff_ffff] {
            let value = Bytes::from_static(b"value");
            assert_eq!(read(flags, value.clone()), Some((value, None)));
            assert_eq!(ends(flags, Some(2), NOW).map(timestamp), Some(NOW + 2_000));
            assert_eq!(ends(flags, None, NOW), None);
        }
    }

    #[test]
    fn the_end_is_exact_and_later_on_the_server() {
        for ttl in [1, 999, 1_000, 1_001, 86_400_000 * 5, 86_400_000 * 29] {
            let entry = written(Some(ttl), None);
            assert!(entry.trailer.is_empty());
            assert!(entry.ttl * 1_000 >= ttl + GRACE * 1_000, "{ttl}");
            for late in 0..3 {
                let end = ends(entry.flags, Some(entry.ttl - late), NOW);
                assert_eq!(end.map(timestamp), Some(NOW + ttl), "{ttl} {late}");
            }
        }
        let month = 86_400_000 * 31;
        let entry = written(Some(month), None);
        assert!(entry.ttl > NOW / 1_000, "a time since 1970");
        let left = entry.ttl - NOW / 1_000;
        let end = ends(entry.flags, Some(left), NOW);
        assert_eq!(end.map(timestamp), Some(NOW + month));
        for ttl in [86_400_000 * 365 * 20, u64::MAX] {
            assert_eq!(written(Some(ttl), None).ttl, 0, "no end");
        }
    }

    #[test]
    fn content_types_come_back() {
        for kind in TYPES.into_iter().chain(["text/plain", "", "\u{e9}"]) {
            let entry = written(Some(5_000), Some(kind));
            let stored = [b"value", &entry.trailer[..]].concat();
            let (value, found) = read(entry.flags, stored.into()).unwrap();
            assert_eq!((&value[..], found.as_deref()), (&b"value"[..], Some(kind)));
            let end = ends(entry.flags, Some(6), NOW);
            assert_eq!(end.map(timestamp), Some(NOW + 5_000));
        }
        let long = "x".repeat(LONGEST + 1);
        assert!(Written::new(None, Some(&long), NOW).is_err());
    }

    #[test]
    fn what_does_not_fit_is_no_entry() {
        let flags = OWN | OTHER << 28;
        for value in [&b""[..], b"a", b"\0\x01", b"\xff\0\x01", b"a\xff\xff"] {
            assert_eq!(read(flags, Bytes::from_static(value)), None, "{value:?}");
        }
    }
}
