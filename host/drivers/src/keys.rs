//! Keys of any kind, read from what people keep them in, with the algorithms that each is good for.
//!
//! Primitives are those of aws-lc and, for the key wrap of RFC 3394, of RustCrypto. A key shows nothing of itself: no
//! error repeats what was read, and what is held is cleared on drop.

mod curve;
mod edwards;
mod form;
mod jwk;
mod modulus;
mod symmetric;

pub(crate) use jwk::set;

use aws_lc_rs::digest::{self, Digest};
use curve::Curve;
use edwards::Edwards;
use modulus::Modulus;
use symmetric::Symmetric;
use wythe_blocks::{
    Error, Result,
    crypto::{KeyInfo, SignatureAlgorithm, WrapAlgorithm},
};

/// Bytes of a file or a text that is a key.
pub(crate) const LARGEST: usize = 64 << 10;

/// A key with the name that errors call it by.
pub(crate) struct Key {
    name: String,
    kind: Kind,
}

enum Kind {
    Symmetric(Symmetric),
    Rsa(Modulus),
    Ec(Curve),
    Ed25519(Edwards),
}

impl Key {
    /// PEM, a JWK, or a symmetric key as it is or in base64.
    pub(crate) fn parse(name: &str, bytes: &[u8]) -> Result<Self> {
        let kind = form::read(bytes).map_err(|what| malformed(name, what))?;
        Ok(Key {
            name: name.to_owned(),
            kind,
        })
    }

    pub(crate) fn info(&self) -> KeyInfo {
        match &self.kind {
            Kind::Symmetric(key) => key.info(),
            Kind::Rsa(key) => key.info(),
            Kind::Ec(key) => key.info(),
            Kind::Ed25519(key) => key.info(),
        }
    }

    pub(crate) fn wrap(&self, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        match &self.kind {
            Kind::Symmetric(key) if key.wraps(algorithm) => key.wrap(algorithm, plain),
            Kind::Rsa(key) if modulus::is_oaep(algorithm) => key.wrap(&self.name, algorithm, plain),
            _ => Err(self.misfit(algorithm, algorithm.needs())),
        }
    }

    pub(crate) fn unwrap(&self, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        match &self.kind {
            Kind::Symmetric(key) if key.wraps(algorithm) => key.unwrap(algorithm, wrapped),
            Kind::Rsa(key) if modulus::is_oaep(algorithm) => {
                key.unwrap(&self.name, algorithm, wrapped)
            }
            _ => Err(self.misfit(algorithm, algorithm.needs())),
        }
    }

    pub(crate) fn sign(&self, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>> {
        match &self.kind {
            Kind::Rsa(key) if modulus::signs(algorithm) => key.sign(&self.name, algorithm, data),
            Kind::Ec(key) if key.signs(algorithm) => key.sign(&self.name, algorithm, data),
            Kind::Ed25519(key) if algorithm == SignatureAlgorithm::EdDsa => {
                key.sign(&self.name, data)
            }
            _ => Err(self.misfit(algorithm, algorithm.needs())),
        }
    }

    /// False for whatever is no signature of this key.
    pub(crate) fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        match &self.kind {
            Kind::Rsa(key) if modulus::signs(algorithm) => key.verify(algorithm, data, signature),
            Kind::Ec(key) if key.signs(algorithm) => key.verify(algorithm, data, signature),
            Kind::Ed25519(key) if algorithm == SignatureAlgorithm::EdDsa => {
                Ok(key.verify(data, signature))
            }
            _ => Err(self.misfit(algorithm, algorithm.needs())),
        }
    }

    fn misfit(&self, algorithm: impl std::fmt::Display, needs: &str) -> Error {
        let is = match &self.kind {
            Kind::Symmetric(key) => format!("a symmetric key of {} bits", key.bits()),
            Kind::Rsa(_) => "an RSA key".to_owned(),
            Kind::Ec(key) => format!("a {} key", key.name()),
            Kind::Ed25519(_) => "an Ed25519 key".to_owned(),
        };
        Error::invalid(format!(
            "key `{}` is {is}; `{algorithm}` needs {needs}",
            self.name
        ))
    }
}

/// What a text should have been. Nothing of the text is repeated.
fn malformed(name: &str, what: &str) -> Error {
    Error::invalid(format!("key `{name}` {what}"))
}

fn only_public(name: &str, what: &str) -> Error {
    Error::invalid(format!(
        "key `{name}` is only public; {what} needs the private one"
    ))
}

fn failed(what: &str) -> Error {
    Error::internal(format!("{what} failed"))
}

/// A digest that was made elsewhere; the block has checked its length.
fn imported(algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Digest> {
    use SignatureAlgorithm::{Es384, Es512, Ps384, Ps512, Rs384, Rs512};
    let hash = match algorithm {
        Es384 | Ps384 | Rs384 => &digest::SHA384,
        Es512 | Ps512 | Rs512 => &digest::SHA512,
        _ => &digest::SHA256,
    };
    Digest::import_less_safe(data, hash)
        .map_err(|_| Error::invalid(format!("`{algorithm}` needs a digest of its own hash")))
}

#[cfg(test)]
mod tests;
