//! AES keys: they wrap other keys, by RFC 3394 or by CBC without padding.

use super::failed;
use aes_kw::{KeyInit, KwAes128, KwAes192, KwAes256};
use aws_lc_rs::{
    cipher::{
        AES_128, AES_192, AES_256, Algorithm, DecryptingKey, DecryptionContext, EncryptingKey,
        EncryptionContext, UnboundCipherKey,
    },
    iv::FixedLength,
};
use wythe_blocks::{
    Error, Result,
    crypto::{KeyInfo, WrapAlgorithm, not_unwrapped},
};
use zeroize::Zeroizing;

/// What RFC 3394 adds.
const CHECK: usize = 8;
/// The scheme has no place for a vector, and a file key is random and wrapped once, so it is always zero.
const VECTOR: [u8; 16] = [0; 16];

pub(super) struct Symmetric(Zeroizing<Vec<u8>>);

impl Symmetric {
    /// None unless it has the length of an AES key.
    pub(super) fn new(bytes: Vec<u8>) -> Option<Self> {
        let bytes = Zeroizing::new(bytes);
        matches!(bytes.len(), 16 | 24 | 32).then_some(Symmetric(bytes))
    }

    pub(super) fn bits(&self) -> usize {
        self.0.len() * 8
    }

    pub(super) fn info(&self) -> KeyInfo {
        use WrapAlgorithm::{A128Cbc, A128Kw, A192Cbc, A192Kw, A256Cbc, A256Kw};
        let wrap = match self.0.len() {
            16 => [A128Kw, A128Cbc],
            24 => [A192Kw, A192Cbc],
            _ => [A256Kw, A256Cbc],
        };
        KeyInfo {
            wrap: wrap.to_vec(),
            unwrap: true,
            sign: Vec::new(),
            public: None,
        }
    }

    pub(super) fn wraps(&self, algorithm: WrapAlgorithm) -> bool {
        self.info().wrap.contains(&algorithm)
    }

    pub(super) fn wrap(&self, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        if is_cbc(algorithm) {
            let key = EncryptingKey::cbc(self.unbound()?).map_err(|_| failed("AES"))?;
            let mut wrapped = plain.to_vec();
            let context = EncryptionContext::Iv128(FixedLength::from(VECTOR));
            key.less_safe_encrypt(&mut wrapped, context)
                .map_err(|_| failed("AES"))?;
            return Ok(wrapped);
        }
        let mut wrapped = vec![0; plain.len() + CHECK];
        let done = match self.0.len() {
            16 => KwAes128::new_from_slice(&self.0)
                .map(|key| key.wrap_key(plain, &mut wrapped).is_ok()),
            24 => KwAes192::new_from_slice(&self.0)
                .map(|key| key.wrap_key(plain, &mut wrapped).is_ok()),
            _ => KwAes256::new_from_slice(&self.0)
                .map(|key| key.wrap_key(plain, &mut wrapped).is_ok()),
        };
        match done {
            Ok(true) => Ok(wrapped),
            _ => Err(Error::invalid(
                "a key to wrap has 16 bytes or more, in steps of 8",
            )),
        }
    }

    pub(super) fn unwrap(&self, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        if is_cbc(algorithm) {
            if wrapped.is_empty() || !wrapped.len().is_multiple_of(VECTOR.len()) {
                return Err(not_unwrapped());
            }
            let key = DecryptingKey::cbc(self.unbound()?).map_err(|_| failed("AES"))?;
            let mut plain = wrapped.to_vec();
            let context = DecryptionContext::Iv128(FixedLength::from(VECTOR));
            key.decrypt(&mut plain, context)
                .map_err(|_| not_unwrapped())?;
            return Ok(plain);
        }
        // RFC 3394 wraps two halves or more: of one there is too little to check.
        let size = wrapped
            .len()
            .checked_sub(CHECK)
            .filter(|size| *size >= 2 * CHECK);
        let size = size.ok_or_else(not_unwrapped)?;
        let mut plain = vec![0; size];
        let done = match self.0.len() {
            16 => KwAes128::new_from_slice(&self.0)
                .map(|key| key.unwrap_key(wrapped, &mut plain).is_ok()),
            24 => KwAes192::new_from_slice(&self.0)
                .map(|key| key.unwrap_key(wrapped, &mut plain).is_ok()),
            _ => KwAes256::new_from_slice(&self.0)
                .map(|key| key.unwrap_key(wrapped, &mut plain).is_ok()),
        };
        match done {
            Ok(true) => Ok(plain),
            _ => Err(not_unwrapped()),
        }
    }

    fn unbound(&self) -> Result<UnboundCipherKey> {
        let cipher: &'static Algorithm = match self.0.len() {
            16 => &AES_128,
            24 => &AES_192,
            _ => &AES_256,
        };
        UnboundCipherKey::new(cipher, &self.0).map_err(|_| failed("AES"))
    }
}

fn is_cbc(algorithm: WrapAlgorithm) -> bool {
    use WrapAlgorithm::{A128Cbc, A192Cbc, A256Cbc};
    matches!(algorithm, A128Cbc | A192Cbc | A256Cbc)
}
