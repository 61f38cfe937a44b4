//! The key of one message, and the two keys that come from it.

use super::{Cipher, undecryptable};
use crate::{Error, Result};
use aws_lc_rs::{
    aead::{self, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    hmac, rand,
};
use zeroize::Zeroizing;

const KEY: usize = 32;
/// Bytes of a nonce that are the message's own.
pub(crate) const PREFIX: usize = 7;

pub(crate) struct FileKey {
    pub(super) bytes: Zeroizing<[u8; KEY]>,
    pub(super) prefix: [u8; PREFIX],
    pub(super) cipher: Cipher,
}

impl FileKey {
    pub(crate) fn random(cipher: Cipher) -> Result<Self> {
        let mut prefix = [0; PREFIX];
        rand::fill(&mut prefix).map_err(|_| no_randomness())?;
        Ok(FileKey {
            bytes: random()?,
            prefix,
            cipher,
        })
    }

    /// A key that was unwrapped. A wrapped key that is wrong becomes a random one, with which the header's MAC fails as
    /// it does for any wrong key: neither the answer nor its time tells the two apart. It must not be one that an
    /// attacker could know, who would then make a header that fits it.
    pub(crate) fn unwrapped(
        unwrapped: Option<Vec<u8>>,
        prefix: [u8; PREFIX],
        cipher: Cipher,
    ) -> Result<Self> {
        let mut bytes = random()?;
        if let Some(found) = unwrapped.map(Zeroizing::new)
            && found.len() == KEY
        {
            bytes.copy_from_slice(&found);
        }
        Ok(FileKey {
            bytes,
            prefix,
            cipher,
        })
    }

    /// The bytes of the key, to be wrapped.
    pub(crate) fn reveal(&self) -> &[u8] {
        &*self.bytes
    }

    pub(super) fn mac_of(&self, lines: &[u8]) -> Result<hmac::Tag> {
        Ok(hmac::sign(&self.mac_key()?, lines))
    }

    pub(super) fn check_mac(&self, lines: &[u8], mac: &[u8]) -> Result<()> {
        hmac::verify(&self.mac_key()?, lines, mac).map_err(|_| undecryptable())
    }

    fn mac_key(&self) -> Result<hmac::Key> {
        let key = self.derive(&[], b"header")?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &*key))
    }

    pub(crate) fn payload_key(&self) -> Result<PayloadKey> {
        let key = self.derive(&self.prefix, b"payload")?;
        let algorithm = match self.cipher {
            Cipher::AesGcm => &aead::AES_256_GCM,
            Cipher::ChaCha20Poly1305 => &aead::CHACHA20_POLY1305,
        };
        let key = UnboundKey::new(algorithm, &*key).map_err(|_| fault())?;
        Ok(PayloadKey {
            key: LessSafeKey::new(key),
            prefix: self.prefix,
        })
    }

    fn derive(&self, salt: &[u8], info: &[u8]) -> Result<Zeroizing<[u8; KEY]>> {
        let secret = Salt::new(HKDF_SHA256, salt).extract(&*self.bytes);
        let mut key = Zeroizing::new([0; KEY]);
        secret
            .expand(&[info], HKDF_SHA256)
            .and_then(|output| output.fill(&mut *key))
            .map_err(|_| fault())?;
        Ok(key)
    }
}

/// Seals and opens segments.
pub(crate) struct PayloadKey {
    key: LessSafeKey,
    prefix: [u8; PREFIX],
}

impl PayloadKey {
    /// Seals a segment in place; the tag belongs after it.
    pub(super) fn seal(&self, number: u32, last: bool, segment: &mut [u8]) -> Result<aead::Tag> {
        let nonce = self.nonce(number, last);
        let sealed = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::empty(), segment);
        sealed.map_err(|_| fault())
    }

    /// Opens a segment in place, and returns how many bytes of it are plaintext.
    pub(super) fn open(&self, number: u32, last: bool, segment: &mut [u8]) -> Result<usize> {
        let nonce = self.nonce(number, last);
        let opened = self.key.open_in_place(nonce, Aad::empty(), segment);
        opened.map(|plain| plain.len()).map_err(|_| undecryptable())
    }

    /// The nonce of a segment: no two segments of a message have the same, and no two messages the same key.
    fn nonce(&self, number: u32, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..PREFIX].copy_from_slice(&self.prefix);
        nonce[PREFIX..11].copy_from_slice(&number.to_be_bytes());
        nonce[11] = last.into();
        Nonce::assume_unique_for_key(nonce)
    }
}

fn random() -> Result<Zeroizing<[u8; KEY]>> {
    let mut bytes = Zeroizing::new([0; KEY]);
    rand::fill(&mut *bytes).map_err(|_| no_randomness())?;
    Ok(bytes)
}

fn no_randomness() -> Error {
    Error::internal("the system gives no random numbers")
}

fn fault() -> Error {
    Error::internal("the cipher failed on a key and a size that are right")
}
