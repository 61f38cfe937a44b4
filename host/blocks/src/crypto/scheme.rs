//! Dapr's encryption scheme v1: a header of three lines, then segments of 64 KiB that are sealed one by one.
//!
//! ```text
//! dapr.io/enc/v1
//! {"k":"key","kw":1,"wfk":"..","cph":1,"np":"..","end":1}
//! base64 of the header's MAC
//! segment 0, segment 1, ..
//! ```
//!
//! Every message has a random file key, wrapped by the key that is named. From it come the key of the MAC and the key of
//! the segments. A segment's nonce has its number and whether it is the last, so that none can be left out, moved or
//! added.
//!
//! Dapr writes an empty message as a header alone, so that any of its messages, cut off right after the header, reads as
//! an empty one, and nothing tells the two apart. A message that is written here has a last segment even where it is
//! empty, and says so in its header by `end`, which is under the MAC: without that segment it is not decrypted. Dapr
//! passes over a member that it does not know, and reads a segment of nothing. What Dapr wrote is read as Dapr reads it.

mod file_key;
mod header;
mod segments;

pub(super) use file_key::FileKey;
pub(super) use header::{Collector, HEADER, Header};
pub(super) use segments::{Segments, Way};

use super::WrapAlgorithm;
use crate::{Error, Result};

/// Bytes of plaintext in a segment.
pub(super) const SEGMENT: usize = 64 << 10;
/// Bytes that the seal of a segment adds.
pub(super) const TAG: usize = 16;

/// The cipher by which the segments are sealed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cipher {
    #[default]
    AesGcm,
    ChaCha20Poly1305,
}

/// The algorithms by which a file key may be wrapped, each with its number.
pub(super) const WRAPS: [(WrapAlgorithm, u8); 5] = [
    (WrapAlgorithm::A256Kw, 1),
    (WrapAlgorithm::A128Cbc, 2),
    (WrapAlgorithm::A192Cbc, 3),
    (WrapAlgorithm::A256Cbc, 4),
    (WrapAlgorithm::RsaOaep256, 5),
];

/// The one answer to whatever is wrong with a message: a different one would tell an attacker how near a guess came.
pub(super) fn undecryptable() -> Error {
    Error::invalid("the message cannot be decrypted with this key")
}

/// Refuses an algorithm that only wraps keys.
pub(super) fn check_wrap(algorithm: WrapAlgorithm) -> Result<()> {
    if number(algorithm).is_some() {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "`{algorithm}` only wraps keys; a message is encrypted with {}",
        names()
    )))
}

/// The names of the algorithms that a message may be encrypted with, for an error.
pub(super) fn names() -> String {
    let names: Vec<_> = WRAPS
        .iter()
        .map(|(algorithm, _)| algorithm.as_str())
        .collect();
    names.join(", ")
}

fn number(algorithm: WrapAlgorithm) -> Option<u8> {
    let mut wraps = WRAPS.iter();
    wraps
        .find(|(known, _)| *known == algorithm)
        .map(|(_, number)| *number)
}

#[cfg(test)]
mod tests;
