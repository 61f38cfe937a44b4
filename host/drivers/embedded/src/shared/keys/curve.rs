//! Keys on the curves of NIST: ECDSA, with signatures in ASN.1 as Dapr has them.

use super::{fault, jwk};
use aws_lc_rs::{
    digest::Digest,
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1,
        ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1, ECDSA_P521_SHA512_ASN1_SIGNING,
        EcdsaKeyPair, EcdsaSigningAlgorithm, EcdsaVerificationAlgorithm, KeyPair,
        UnparsedPublicKey,
    },
};
use serde_json::{Map, Value};
use wythe_blocks::{Result, crypto::SignatureAlgorithm};

pub(super) struct Curve {
    pub(super) name: &'static str,
    /// Bytes of a coordinate.
    pub(super) size: usize,
    algorithm: SignatureAlgorithm,
    pub(super) signing: &'static EcdsaSigningAlgorithm,
    pub(super) verification: &'static EcdsaVerificationAlgorithm,
}

pub(super) static CURVES: [Curve; 3] = [
    Curve {
        name: "P-256",
        size: 32,
        algorithm: SignatureAlgorithm::Es256,
        signing: &ECDSA_P256_SHA256_ASN1_SIGNING,
        verification: &ECDSA_P256_SHA256_ASN1,
    },
    Curve {
        name: "P-384",
        size: 48,
        algorithm: SignatureAlgorithm::Es384,
        signing: &ECDSA_P384_SHA384_ASN1_SIGNING,
        verification: &ECDSA_P384_SHA384_ASN1,
    },
    Curve {
        name: "P-521",
        size: 66,
        algorithm: SignatureAlgorithm::Es512,
        signing: &ECDSA_P521_SHA512_ASN1_SIGNING,
        verification: &ECDSA_P521_SHA512_ASN1,
    },
];

pub(crate) struct Key {
    curve: &'static Curve,
    /// Uncompressed: 4, then both coordinates.
    point: Vec<u8>,
    private: Option<EcdsaKeyPair>,
}

impl Key {
    pub(super) fn private(curve: &'static Curve, private: EcdsaKeyPair) -> Self {
        Key {
            curve,
            point: private.public_key().as_ref().to_vec(),
            private: Some(private),
        }
    }

    /// The point is one that the library took.
    pub(super) fn public(curve: &'static Curve, point: &[u8]) -> Option<Self> {
        let uncompressed = point.len() == 1 + 2 * curve.size && point[0] == 4;
        uncompressed.then(|| Key {
            curve,
            point: point.to_vec(),
            private: None,
        })
    }

    pub(super) fn curve(&self) -> &'static str {
        self.curve.name
    }

    pub(super) fn algorithm(&self) -> SignatureAlgorithm {
        self.curve.algorithm
    }

    pub(super) fn is_private(&self) -> bool {
        self.private.is_some()
    }

    pub(super) fn public_half(&self) -> Map<String, Value> {
        let (x, y) = self.point[1..].split_at(self.curve.size);
        jwk::curve(self.curve.name, x, y)
    }

    /// Signs a digest; none for a public key.
    pub(super) fn sign(&self, digest: &Digest) -> Option<Result<Vec<u8>>> {
        let signed = self.private.as_ref()?.sign_digest(digest);
        Some(
            signed
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| fault("sign")),
        )
    }

    pub(super) fn verify(&self, digest: &Digest, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(self.curve.verification, &self.point)
            .verify_digest(digest, signature)
            .is_ok()
    }
}
