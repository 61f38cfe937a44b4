//! Ed25519 keys, which sign a message itself.

use super::{fault, jwk};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use wythe_blocks::{
    Result,
    crypto::{KeyInfo, SignatureAlgorithm},
};

/// Bytes of either half.
pub(super) const SIZE: usize = 32;

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

    pub(super) fn public(point: [u8; SIZE]) -> Self {
        Key {
            point,
            private: None,
        }
    }

    pub(super) fn describe(&self) -> KeyInfo {
        KeyInfo {
            wrap: Vec::new(),
            unwrap: self.private.is_some(),
            sign: vec![SignatureAlgorithm::EdDsa],
            public: Some(jwk::edwards(&self.point)),
        }
    }

    /// None for a public key.
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
