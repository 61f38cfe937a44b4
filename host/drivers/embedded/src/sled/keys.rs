//! The one tree's keys: entries, pieces of big entries, the index of expiries, and the format.

use wythe_blocks::{Error, Result};

pub(super) const FORMAT: &[u8] = b"m/format";
const ENTRY: u8 = b'e';
const EXPIRY: u8 = b'x';
const PIECE: u8 = b'p';

pub(super) fn entry(key: &str) -> Vec<u8> {
    [&[ENTRY], key.as_bytes()].concat()
}

/// The first key after all entries.
pub(super) const AFTER_ENTRIES: &[u8] = &[ENTRY + 1];

pub(super) fn key_of_entry(raw: &[u8]) -> Result<&str> {
    raw.get(1..)
        .and_then(|key| std::str::from_utf8(key).ok())
        .ok_or_else(|| Error::internal("a stored key is damaged; expected a letter and a text"))
}

/// Etags are never used twice, so the pieces of two writes of one key never meet.
pub(super) fn piece(etag: u64, index: u32) -> Vec<u8> {
    [&[PIECE][..], &etag.to_be_bytes(), &index.to_be_bytes()].concat()
}

/// Makes keys that sort in the order of time.
pub(super) fn expiry(at: u64, key: &str) -> Vec<u8> {
    [&[EXPIRY][..], &at.to_be_bytes(), key.as_bytes()].concat()
}

/// Range of all expiries up to and with `now`.
pub(super) fn expiries_until(now: u64) -> std::ops::Range<Vec<u8>> {
    vec![EXPIRY]..expiry(now.saturating_add(1), "")
}

pub(super) fn key_of_expiry(raw: &[u8]) -> Result<&str> {
    raw.get(9..)
        .and_then(|key| std::str::from_utf8(key).ok())
        .ok_or_else(|| Error::internal("a stored expiry is damaged; expected a time and a key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back() {
        assert_eq!(key_of_entry(&entry("ä||b")).unwrap(), "ä||b");
        assert_eq!(key_of_expiry(&expiry(7, "ä")).unwrap(), "ä");
        assert!(key_of_expiry(b"x").is_err());
        assert!(*entry("\u{10ffff}") < *AFTER_ENTRIES);
    }

    #[test]
    fn expiries_are_in_the_order_of_time() {
        let range = expiries_until(256);
        assert!(range.contains(&expiry(0, "")));
        assert!(range.contains(&expiry(256, "\u{10ffff}")));
        assert!(!range.contains(&expiry(257, "")));
        assert!(!range.contains(&entry("a")));
        assert!(!range.contains(&piece(0, 0)));
    }
}
