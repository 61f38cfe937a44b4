//! AES keys: they wrap other keys, by RFC 3394 or in CBC mode without padding.

use super::Hidden;
use aes_kw::{KeyInit, KwAes128, KwAes192, KwAes256};
use aws_lc_rs::{
    cipher::{
        AES_128, AES_192, AES_256, DecryptingKey, DecryptionContext, EncryptingKey,
        EncryptionContext, UnboundCipherKey,
    },
    error::Unspecified,
    iv::FixedLength,
};
use wythe_blocks::crypto::WrapAlgorithm;
use zeroize::Zeroizing;

pub(super) const ONE_BYTE: &str =
    "a symmetric key of one byte over and over; expected random bytes";
const BLOCK: usize = 16;
/// Bytes that RFC 3394 adds, and the unit that it works in.
const UNIT: usize = 8;

pub(crate) struct Key(Hidden);

impl Key {
    /// Makes a key of 128, 192 or 256 bits.
    pub(super) fn new(bytes: Hidden) -> Option<Self> {
        [16, 24, 32].contains(&bytes.len()).then_some(Key(bytes))
    }

    /// Refuses a key of one repeated byte, as one that was never filled in; all others could be random.
    pub(super) fn check(self) -> Result<Self, String> {
        match is_one_byte(&self.0) {
            true => Err(ONE_BYTE.into()),
            false => Ok(self),
        }
    }

    pub(super) fn bits(&self) -> usize {
        self.0.len() * 8
    }

    pub(super) fn wraps(&self) -> [WrapAlgorithm; 2] {
        use WrapAlgorithm::*;
        match self.0.len() {
            16 => [A128Kw, A128Cbc],
            24 => [A192Kw, A192Cbc],
            _ => [A256Kw, A256Cbc],
        }
    }

    pub(super) fn wrap(&self, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>, String> {
        let unit = match is_cbc(algorithm) {
            true => BLOCK,
            false => UNIT,
        };
        let size = plain.len();
        if size < BLOCK || !size.is_multiple_of(unit) {
            return Err(format!(
                "{size} bytes to wrap; `{algorithm}` takes 16 or more, in steps of {unit}"
            ));
        }
        let wrapped = match is_cbc(algorithm) {
            true => self.encrypt(plain).ok(),
            false => self.wrap_by_rfc(plain),
        };
        wrapped.ok_or_else(|| "the cipher failed on a size that is right".into())
    }

    pub(super) fn unwrap(&self, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Option<Vec<u8>> {
        match is_cbc(algorithm) {
            true => self.decrypt(wrapped),
            false => self.unwrap_by_rfc(wrapped),
        }
    }

    /// A random first block, then the ciphertext: this is how it is told what it was made with.
    fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let first = FixedLength::<BLOCK>::new()?;
        let mut wrapped = first.as_ref().to_vec();
        let mut cipher = Zeroizing::new(plain.to_vec());
        let key = EncryptingKey::cbc(self.unbound()?)?;
        key.less_safe_encrypt(&mut cipher, EncryptionContext::Iv128(first))?;
        wrapped.extend_from_slice(&cipher);
        Ok(wrapped)
    }

    fn decrypt(&self, wrapped: &[u8]) -> Option<Vec<u8>> {
        let (first, cipher) = wrapped.split_first_chunk::<BLOCK>()?;
        if cipher.is_empty() {
            return None;
        }
        let mut plain = cipher.to_vec();
        let key = DecryptingKey::cbc(self.unbound().ok()?).ok()?;
        let context = DecryptionContext::Iv128(FixedLength::from(first));
        key.decrypt(&mut plain, context).ok()?;
        Some(plain)
    }

    fn unbound(&self) -> Result<UnboundCipherKey, Unspecified> {
        let algorithm = match self.0.len() {
            16 => &AES_128,
            24 => &AES_192,
            _ => &AES_256,
        };
        UnboundCipherKey::new(algorithm, &self.0)
    }

    fn wrap_by_rfc(&self, plain: &[u8]) -> Option<Vec<u8>> {
        let (key, mut wrapped) = (&self.0[..], vec![0; plain.len() + UNIT]);
        match key.len() {
            16 => with::<KwAes128>(key)?.wrap_key(plain, &mut wrapped),
            24 => with::<KwAes192>(key)?.wrap_key(plain, &mut wrapped),
            _ => with::<KwAes256>(key)?.wrap_key(plain, &mut wrapped),
        }
        .ok()?;
        Some(wrapped)
    }

    fn unwrap_by_rfc(&self, wrapped: &[u8]) -> Option<Vec<u8>> {
        // The shortest that wraps a key is three units: the RFC has none of two.
        if wrapped.len() < 3 * UNIT {
            return None;
        }
        let (key, mut plain) = (&self.0[..], vec![0; wrapped.len() - UNIT]);
        match key.len() {
            16 => with::<KwAes128>(key)?.unwrap_key(wrapped, &mut plain),
            24 => with::<KwAes192>(key)?.unwrap_key(wrapped, &mut plain),
            _ => with::<KwAes256>(key)?.unwrap_key(wrapped, &mut plain),
        }
        .ok()?;
        Some(plain)
    }
}

/// Says whether all bytes are the same.
pub(super) fn is_one_byte(bytes: &[u8]) -> bool {
    bytes.windows(2).all(|pair| pair[0] == pair[1])
}

fn is_cbc(algorithm: WrapAlgorithm) -> bool {
    use WrapAlgorithm::*;
    matches!(algorithm, A128Cbc | A192Cbc | A256Cbc)
}

fn with<K: KeyInit>(key: &[u8]) -> Option<K> {
    K::new_from_slice(key).ok()
}
