//! Ed25519 keys: they sign messages as they are.

use super::{jwk, only_public};
use aws_lc_rs::signature::{
    ED25519, ED25519_PUBLIC_KEY_LEN, Ed25519KeyPair, KeyPair, UnparsedPublicKey,
};
use wythe_blocks::{
    Result,
    crypto::{KeyInfo, SignatureAlgorithm},
};

pub(super) struct Edwards {
    private: Option<Ed25519KeyPair>,
    public: Vec<u8>,
}

impl Edwards {
    /// PKCS #8, with or without the public half.
    pub(super) fn from_pkcs8(der: &[u8]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).ok()?;
        Some(Self::from_pair(pair))
    }

    pub(super) fn from_parts(x: &[u8], d: Option<&[u8]>) -> Option<Self> {
        match d {
            Some(d) => {
                let pair = Ed25519KeyPair::from_seed_and_public_key(d, x).ok()?;
                Some(Self::from_pair(pair))
            }
            None => Self::from_public(x),
        }
    }

    pub(super) fn from_public(x: &[u8]) -> Option<Self> {
        (x.len() == ED25519_PUBLIC_KEY_LEN).then(|| Edwards {
            private: None,
            public: x.to_vec(),
        })
    }

    fn from_pair(pair: Ed25519KeyPair) -> Self {
        Edwards {
            public: pair.public_key().as_ref().to_vec(),
            private: Some(pair),
        }
    }

    pub(super) fn info(&self) -> KeyInfo {
        KeyInfo {
            wrap: Vec::new(),
            unwrap: false,
            sign: vec![SignatureAlgorithm::EdDsa],
            public: Some(jwk::okp(&self.public)),
        }
    }

    pub(super) fn sign(&self, name: &str, message: &[u8]) -> Result<Vec<u8>> {
        let pair = self.private.as_ref();
        let pair = pair.ok_or_else(|| only_public(name, "to sign"))?;
        Ok(pair.sign(message).as_ref().to_vec())
    }

    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.public);
        key.verify(message, signature).is_ok()
    }
}
