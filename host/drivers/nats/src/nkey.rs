//! The key by which the host proves itself: a seed in the form of NATS, which signs the text of a greeting.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use wythe_manifest::Secret;

/// The first byte of a seed, and of the kinds of keys, as their letters begin.
const SEED: u8 = 18 << 3;
const USER: u8 = 20 << 3;
/// Bytes of a seed: two of its kind, 32 of the key, and two that check.
const LENGTH: usize = 36;
const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A user's key.
pub(crate) struct Key {
    pair: Ed25519KeyPair,
}

impl Key {
    /// Reads a seed, which begins with `SU`.
    pub fn read(seed: &Secret) -> Option<Self> {
        let mut bytes = decode(seed.reveal().trim().as_bytes())?;
        let is_whole = bytes.len() == LENGTH
            && bytes[0] == SEED | (USER >> 5)
            && bytes[1] & 0xf8 == (USER & 0x1f) << 3
            && check(&bytes[..LENGTH - 2]).to_le_bytes() == bytes[LENGTH - 2..];
        let pair = Ed25519KeyPair::from_seed_unchecked(bytes.get(2..LENGTH - 2)?);
        bytes.fill(0);
        Some(Key {
            pair: pair.ok().filter(|_| is_whole)?,
        })
    }

    /// The public half, which begins with `U`.
    pub fn public(&self) -> String {
        let mut bytes = vec![USER];
        bytes.extend(self.pair.public_key().as_ref());
        bytes.extend(check(&bytes).to_le_bytes());
        encode(&bytes)
    }

    pub fn sign(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.pair.sign(text.as_bytes()))
    }
}

/// CRC-16 as XMODEM has it.
fn check(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << 8), |sum, _| match sum & 0x8000 {
            0 => sum << 1,
            _ => (sum << 1) ^ 0x1021,
        })
    })
}

/// Base32 without padding.
fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for letter in text {
        let value = LETTERS.iter().position(|known| known == letter)?;
        bits = (bits << 5) | u32::try_from(value).ok()?;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    Some(bytes)
}

fn encode(bytes: &[u8]) -> String {
    let (mut bits, mut count, mut text) = (0u32, 0, String::new());
    let mut push = |bits: u32| text.push(char::from(LETTERS[(bits & 31) as usize]));
    for byte in bytes {
        bits = (bits << 8) | u32::from(*byte);
        count += 8;
        while count >= 5 {
            count -= 5;
            push(bits >> count);
        }
    }
    if count > 0 {
        push(bits << (5 - count));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A seed of the key of 32 zeros, with what checks it.
    fn seed() -> String {
        let mut bytes = vec![SEED | (USER >> 5), (USER & 0x1f) << 3];
        bytes.extend([0; 32]);
        bytes.extend(check(&bytes).to_le_bytes());
        encode(&bytes)
    }

    #[test]
    fn a_seed_of_a_user_is_read_and_no_other_one() {
        let seed = seed();
        assert!(seed.starts_with("SU"), "{seed}");
        let key = Key::read(&Secret::new(seed.clone())).unwrap();
        assert!(key.public().starts_with('U') && key.public().len() == 56);
        assert_eq!(key.sign("x").len(), 86);
        let damaged = format!("{}{}", &seed[..seed.len() - 1], "2");
        for text in ["", "SU", "SUxx", &damaged, &seed.replacen('U', "A", 1)] {
            assert!(Key::read(&Secret::new(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn the_check_is_that_of_xmodem() {
        assert_eq!(check(b"123456789"), 0x31c3);
        assert_eq!(decode(encode(b"hello").as_bytes()).unwrap(), b"hello");
    }
}
