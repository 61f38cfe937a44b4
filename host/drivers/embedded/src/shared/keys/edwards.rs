//! Ed25519 keys, which sign a message itself.

use super::{fault, jwk};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde_json::{Map, Value};
use wythe_blocks::Result;

/// Bytes of either half.
pub(super) const SIZE: usize = 32;

/// 2^255 - 19.
const PRIME: [u8; SIZE] =
    hexadecimal(b"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
/// The eight points whose order divides eight, by the coordinate that is written: found by multiplying points of the
/// curve by the order of its large group.
pub(super) const SMALL_ORDER: [[u8; SIZE]; 5] = [
    hexadecimal(b"0000000000000000000000000000000000000000000000000000000000000000"),
    hexadecimal(b"0100000000000000000000000000000000000000000000000000000000000000"),
    hexadecimal(b"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    hexadecimal(b"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    hexadecimal(b"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
];

const fn hexadecimal(text: &[u8; 2 * SIZE]) -> [u8; SIZE] {
    const fn digit(letter: u8) -> u8 {
        match letter {
            b'0'..=b'9' => letter - b'0',
            _ => letter - b'a' + 10,
        }
    }
    let (mut bytes, mut at) = ([0; SIZE], 0);
    while at < SIZE {
        bytes[at] = digit(text[2 * at]) << 4 | digit(text[2 * at + 1]);
        at += 1;
    }
    bytes
}

pub(crate) struct Key {
    point: [u8; SIZE],
    private: Option<Ed25519KeyPair>,
}

impl Key {
    pub(super) fn private(private: Ed25519KeyPair) -> Option<Self> {
        Some(Key {
            point: private.public_key().as_ref().try_into().ok()?,
            private: Some(private),
        })
    }

    /// A point is written below the prime (RFC 8032, section 5.1.3). One of small order is refused, since whoever likes
    /// makes signatures that it verifies; the library looks at neither.
    pub(super) fn public(point: [u8; SIZE]) -> Result<Self, &'static str> {
        let mut y = point;
        // The highest bit is the sign of the other coordinate. Bytes come from the lowest on.
        y[SIZE - 1] &= 0x7f;
        if y.iter().rev().ge(PRIME.iter().rev()) {
            return Err("its number is not below the prime of Ed25519");
        }
        if SMALL_ORDER.contains(&y) {
            return Err("a point of small order, for which anybody makes signatures");
        }
        Ok(Key {
            point,
            private: None,
        })
    }

    pub(super) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    pub(super) fn public_half(&self) -> Map<String, Value> {
        jwk::edwards(&self.point)
    }

    /// Signs a message; none for a public key.
    pub(super) fn sign(&self, message: &[u8]) -> Option<Result<Vec<u8>>> {
        let signed = self.private.as_ref()?.try_sign(message);
        Some(
            signed
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| fault("sign")),
        )
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.point)
            .verify(message, signature)
            .is_ok()
    }
}
