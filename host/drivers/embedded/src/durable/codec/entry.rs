//! A record's compact form on disk.
//!
//! Layout, numbers little-endian: version (1 byte), flags (1), etag (8), expiry (8, if flagged), fence (8, if
//! flagged), content type (4 for the length, then the text; if flagged), and all the rest is the value. The engines
//! keep checksums of their pages, so there is none here.

use crate::shared::state::record::{Record, Version};
use bytes::Bytes;
use wythe_blocks::{Error, Result};

const VERSION: u8 = 1;
const EXPIRES: u8 = 1;
const CONTENT_TYPE: u8 = 2;
const FENCE: u8 = 4;
const FLAGS: u8 = EXPIRES | CONTENT_TYPE | FENCE;
const FIXED: usize = 10;

pub(crate) fn encode(record: &Record) -> Vec<u8> {
    let type_length = record
        .content_type
        .as_ref()
        .map_or(0, |text| text.len() + 4);
    let mut bytes = Vec::with_capacity(length(record.version) + type_length + record.value.len());
    let mut flags = 0;
    if record.version.expires.is_some() {
        flags |= EXPIRES;
    }
    if record.version.fence.is_some() {
        flags |= FENCE;
    }
    if record.content_type.is_some() {
        flags |= CONTENT_TYPE;
    }
    bytes.extend([VERSION, flags]);
    bytes.extend(record.version.etag.to_le_bytes());
    for number in [record.version.expires, record.version.fence]
        .iter()
        .flatten()
    {
        bytes.extend(number.to_le_bytes());
    }
    if let Some(text) = &record.content_type {
        bytes.extend((text.len() as u32).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes.extend(&record.value);
    bytes
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Record> {
    let version = self::version(bytes)?;
    let mut at = length(version);
    let mut content_type = None;
    if flags(bytes)? & CONTENT_TYPE != 0 {
        let length = take(bytes, at, 4)?
            .try_into()
            .map(u32::from_le_bytes)
            .map_err(|_| damaged())?;
        let text = take(bytes, at + 4, length as usize)?;
        content_type = Some(std::str::from_utf8(text).map_err(|_| damaged())?.to_owned());
        at += 4 + text.len();
    }
    let value = bytes.get(at..).ok_or_else(damaged)?;
    Ok(Record {
        version,
        content_type,
        value: Bytes::copy_from_slice(value),
    })
}

/// Reads the beginning of an encoded record.
pub(crate) fn version(bytes: &[u8]) -> Result<Version> {
    let flags = flags(bytes)?;
    let mut at = FIXED;
    let mut optional = |flag| match flags & flag {
        0 => Ok(None),
        _ => {
            at += 8;
            number(bytes, at - 8).map(Some)
        }
    };
    Ok(Version {
        etag: number(bytes, 2)?,
        expires: optional(EXPIRES)?,
        fence: optional(FENCE)?,
    })
}

/// [`Record::length`] of an encoded record that has so many bytes, of which these are the first; of a damaged one, which
/// says nothing of itself, all of them.
pub(crate) fn length_of(beginning: &[u8], bytes: usize) -> u64 {
    let header = || {
        let has_type = flags(beginning)? & CONTENT_TYPE != 0;
        Ok::<_, Error>(length(version(beginning)?) + if has_type { 4 } else { 0 })
    };
    bytes.saturating_sub(header().unwrap_or(0)) as u64
}

/// Bytes in front of the content type.
fn length(version: Version) -> usize {
    let optional = [version.expires, version.fence];
    FIXED + 8 * optional.iter().flatten().count()
}

fn flags(bytes: &[u8]) -> Result<u8> {
    match bytes {
        [VERSION, flags, ..] if flags & !FLAGS == 0 => Ok(*flags),
        [version, ..] if *version > VERSION => Err(Error::internal(format!(
            "a stored record has version {version}; this build reads up to {VERSION}"
        ))),
        _ => Err(damaged()),
    }
}

fn number(bytes: &[u8], at: usize) -> Result<u64> {
    take(bytes, at, 8)?
        .try_into()
        .map(u64::from_le_bytes)
        .map_err(|_| damaged())
}

fn take(bytes: &[u8], at: usize, length: usize) -> Result<&[u8]> {
    bytes
        .get(at..)
        .and_then(|rest| rest.get(..length))
        .ok_or_else(damaged)
}

fn damaged() -> Error {
    Error::internal("a stored record is damaged: expected version, flags, etag and value")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: [Option<u64>; 2], content_type: Option<&str>, value: &[u8]) {
        let [expires, fence] = numbers;
        let record = Record {
            version: Version {
                etag: 0x0123_4567_89ab_cdef,
                expires,
                fence,
            },
            content_type: content_type.map(str::to_owned),
            value: Bytes::copy_from_slice(value),
        };
        let bytes = encode(&record);
        assert_eq!(decode(&bytes).unwrap(), record);
        assert_eq!(version(&bytes).unwrap(), record.version);
        let beginning = &bytes[..bytes.len() - value.len()];
        assert_eq!(length_of(beginning, bytes.len()), record.length());
        let header = bytes.len() - value.len();
        for length in 0..header {
            assert!(
                decode(&bytes[..length]).is_err(),
                "{length} of {header} header bytes"
            );
        }
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        check([None, None], None, b"");
        check([None, None], None, b"value");
        check([Some(1), None], None, b"value");
        check([None, Some(0)], None, b"value");
        check([Some(1), Some(2)], Some("text/plain"), b"value");
        check([None, None], Some("application/json"), b"{}");
        check([Some(u64::MAX), Some(u64::MAX)], Some(""), &[0; 70_000]);
    }

    #[test]
    fn layout_is_fixed() {
        let mut record = Record {
            version: Version {
                etag: 2,
                expires: Some(3),
                fence: None,
            },
            content_type: Some("t".into()),
            value: Bytes::from_static(b"v"),
        };
        let expected = [
            1, 3, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, b't', b'v',
        ];
        assert_eq!(encode(&record), expected);
        record.version.fence = Some(4);
        let expected = [
            1, 7, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0,
            0, b't', b'v',
        ];
        assert_eq!(encode(&record), expected);
    }

    #[test]
    fn a_newer_version_is_named() {
        let error = decode(&[2, 0, 0]).unwrap_err();
        assert_eq!(
            error.message(),
            "a stored record has version 2; this build reads up to 1"
        );
    }

    #[test]
    fn unknown_flags_are_damage() {
        let error = decode(&[1, 8, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap_err();
        assert_eq!(
            error.message(),
            "a stored record is damaged: expected version, flags, etag and value"
        );
    }
}
