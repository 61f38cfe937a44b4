//! The interface of a key store; the keys themselves never leave it.

use crate::{Error, Result};
use async_trait::async_trait;

/// The algorithm by which a key is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WrapAlgorithm {
    A128Kw,
    A192Kw,
    A256Kw,
    A128Cbc,
    A192Cbc,
    A256Cbc,
    RsaOaep,
    RsaOaep256,
    RsaOaep384,
    RsaOaep512,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SignatureAlgorithm {
    Es256,
    Es384,
    Es512,
    EdDsa,
    Ps256,
    Ps384,
    Ps512,
    Rs256,
    Rs384,
    Rs512,
}

/// The algorithms that a key is good for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Algorithms that it wraps or unwraps by, in the order of preference: the first one that the encryption scheme has
    /// is its default.
    pub wrap: Vec<WrapAlgorithm>,
    /// Says whether it unwraps: a public key cannot, and neither can it sign.
    pub unwrap: bool,
    /// Algorithms that it signs or verifies by.
    pub sign: Vec<SignatureAlgorithm>,
    /// The public half as a JWK; absent for a symmetric key.
    pub public: Option<String>,
}

/// The one answer to whatever is wrong with a wrapped key.
pub fn not_unwrapped() -> Error {
    Error::invalid("the wrapped key cannot be unwrapped with this key")
}

/// A technology that stores keys and works with them. A key that is not there is `not-found`, one that does not fit the
/// algorithm is `invalid`, and no error tells anything of a key.
#[async_trait]
pub trait Driver: Send + Sync {
    async fn describe(&self, key: &str) -> Result<KeyInfo>;

    async fn wrap(&self, key: &str, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>>;

    /// Unwraps a key: [`not_unwrapped`] for every way to fail, but for an algorithm that is none of the key's.
    async fn unwrap(&self, key: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>>;

    async fn sign(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>>;

    async fn verify(
        &self,
        key: &str,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<bool>;

    /// The names of the keys, in order, for the operator.
    async fn names(&self) -> Result<Vec<String>>;

    /// An error while the driver cannot do its work, and knows it without trying.
    async fn health(&self) -> Result<()> {
        Ok(())
    }

    /// Closes the driver, once, after the last call.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}
