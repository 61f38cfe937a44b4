//! The keys of the suite. They were made for it and keep nothing secret.

use wythe_blocks::crypto::{SignatureAlgorithm, WrapAlgorithm};

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    Symmetric,
    Rsa,
    Curve,
    Edwards,
}

pub struct Stored {
    pub name: &'static str,
    pub sort: Sort,
    /// The words of an algorithm that it is for, about the key that it needs.
    pub is: &'static str,
    /// The key as a JWK, with its name as `kid`.
    pub jwk: &'static str,
    /// The same in another form: PEM, or a symmetric key as it stands or in base64.
    pub file: &'static [u8],
}

macro_rules! stored {
    ($name:literal, $sort:ident, $is:literal, $end:literal) => {
        Stored {
            name: $name,
            sort: Sort::$sort,
            is: $is,
            jwk: include_str!(concat!("keys/", $name, ".json")),
            file: include_bytes!(concat!("keys/", $name, ".", $end)),
        }
    };
}

/// The keys in the order of their names.
pub static STORED: [Stored; 11] = [
    stored!("aes-128", Symmetric, "a symmetric key of 128 bits", "key"),
    stored!("aes-192", Symmetric, "a symmetric key of 192 bits", "key"),
    stored!("aes-256", Symmetric, "a symmetric key of 256 bits", "key"),
    stored!("ec-256", Curve, "an EC key on P-256", "pem"),
    stored!("ec-256-public", Curve, "an EC key on P-256", "pem"),
    stored!("ec-384", Curve, "an EC key on P-384", "pem"),
    stored!("ec-521", Curve, "an EC key on P-521", "pem"),
    stored!("ed25519", Edwards, "an Ed25519 key", "pem"),
    stored!("ed25519-public", Edwards, "an Ed25519 key", "pem"),
    stored!("rsa-2048", Rsa, "an RSA key", "pem"),
    stored!("rsa-2048-public", Rsa, "an RSA key", "pem"),
];

impl Stored {
    pub fn is_public(&self) -> bool {
        self.private().is_some()
    }

    /// The name of the key that a public one belongs to.
    pub fn private(&self) -> Option<&'static str> {
        self.name.strip_suffix("-public")
    }

    pub fn wraps(&self) -> bool {
        matches!(self.sort, Sort::Symmetric | Sort::Rsa)
    }

    pub fn signs(&self) -> bool {
        self.sort != Sort::Symmetric
    }

    pub(super) fn is_for_wrap(&self, algorithm: WrapAlgorithm) -> bool {
        algorithm.needs() == self.is
    }

    pub(super) fn is_for_sign(&self, algorithm: SignatureAlgorithm) -> bool {
        algorithm.needs() == self.is
    }
}
