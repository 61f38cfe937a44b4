//! Keys that the host itself holds: how they are read, what they are good for, and what is done with them.
//!
//! Every algorithm is the library's. A key never leaves this module: not in an error, not in the log.

mod curve;
mod edwards;
mod jwk;
mod parse;
mod ring;
mod rsa;
mod symmetric;

pub(crate) use jwk::set;
pub(crate) use ring::{Keys, Ring};

use aws_lc_rs::digest::{self, Digest};
use wythe_blocks::{
    Error, Result,
    crypto::{KeyInfo, SignatureAlgorithm, WrapAlgorithm, not_unwrapped},
};
use zeroize::Zeroizing;

/// Bytes that clear themselves.
type Hidden = Zeroizing<Vec<u8>>;

/// One key, of any kind.
pub(crate) enum Key {
    Symmetric(symmetric::Key),
    Rsa(Box<rsa::Key>),
    Curve(curve::Key),
    Edwards(edwards::Key),
}

impl Key {
    /// The error says what is wrong, and nothing of what is there.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        parse::parse(bytes)
    }

    pub(crate) fn describe(&self) -> KeyInfo {
        match self {
            Key::Symmetric(key) => key.describe(),
            Key::Rsa(key) => key.describe(),
            Key::Curve(key) => key.describe(),
            Key::Edwards(key) => key.describe(),
        }
    }

    /// Whether its work takes long enough to be in the way of others.
    fn is_slow(&self) -> bool {
        !matches!(self, Key::Symmetric(_))
    }

    fn wrap(&self, name: &str, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        self.check(name, algorithm)?;
        let wrapped = match self {
            Key::Symmetric(key) => key.wrap(algorithm, plain),
            Key::Rsa(key) => key.wrap(algorithm, plain),
            _ => return Err(self.misfit(name, algorithm.as_str(), algorithm.needs())),
        };
        wrapped.map_err(|problem| Error::invalid(format!("key `{name}`: {problem}")))
    }

    fn unwrap(&self, name: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        self.check(name, algorithm)?;
        let plain = match self {
            Key::Symmetric(key) => key.unwrap(algorithm, wrapped),
            Key::Rsa(key) => key.unwrap(algorithm, wrapped).ok_or_else(|| {
                Error::invalid(format!(
                    "key `{name}` is public and only wraps; its private key unwraps"
                ))
            })?,
            _ => return Err(self.misfit(name, algorithm.as_str(), algorithm.needs())),
        };
        plain.ok_or_else(not_unwrapped)
    }

    fn check(&self, name: &str, algorithm: WrapAlgorithm) -> Result<()> {
        match self.describe_wraps().contains(&algorithm) {
            true => Ok(()),
            false => Err(self.misfit(name, algorithm.as_str(), algorithm.needs())),
        }
    }

    fn describe_wraps(&self) -> Vec<WrapAlgorithm> {
        match self {
            Key::Symmetric(key) => key.wraps().into(),
            Key::Rsa(_) => rsa::WRAPS.into(),
            Key::Curve(_) | Key::Edwards(_) => Vec::new(),
        }
    }

    fn sign(&self, name: &str, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>> {
        let signature = match self {
            Key::Rsa(key) if rsa::SIGNS.contains(&algorithm) => {
                key.sign(algorithm, &imported(algorithm, data)?)
            }
            Key::Curve(key) if key.algorithm() == algorithm => {
                key.sign(&imported(algorithm, data)?)
            }
            Key::Edwards(key) if algorithm == SignatureAlgorithm::EdDsa => key.sign(data),
            _ => return Err(self.misfit(name, algorithm.as_str(), algorithm.needs())),
        };
        signature.ok_or_else(|| {
            Error::invalid(format!(
                "key `{name}` is public and only verifies; its private key signs"
            ))
        })?
    }

    fn verify(
        &self,
        name: &str,
        algorithm: SignatureAlgorithm,
        data: &[u8],
        signature: &[u8],
    ) -> Result<bool> {
        match self {
            Key::Rsa(key) if rsa::SIGNS.contains(&algorithm) => {
                Ok(key.verify(algorithm, &imported(algorithm, data)?, signature))
            }
            Key::Curve(key) if key.algorithm() == algorithm => {
                Ok(key.verify(&imported(algorithm, data)?, signature))
            }
            Key::Edwards(key) if algorithm == SignatureAlgorithm::EdDsa => {
                Ok(key.verify(data, signature))
            }
            _ => Err(self.misfit(name, algorithm.as_str(), algorithm.needs())),
        }
    }

    fn misfit(&self, name: &str, algorithm: &str, needs: &str) -> Error {
        let kind = match self {
            Key::Symmetric(key) => format!("a symmetric key of {} bits", key.bits()),
            Key::Rsa(_) => "an RSA key".into(),
            Key::Curve(key) => format!("an EC key on {}", key.curve()),
            Key::Edwards(_) => "an Ed25519 key".into(),
        };
        Error::invalid(format!(
            "key `{name}` is {kind}; `{algorithm}` needs {needs}"
        ))
    }
}

/// A digest that somebody else made.
fn imported(algorithm: SignatureAlgorithm, bytes: &[u8]) -> Result<Digest> {
    use SignatureAlgorithm::*;
    let hash = match algorithm {
        Es256 | Ps256 | Rs256 => &digest::SHA256,
        Es384 | Ps384 | Rs384 => &digest::SHA384,
        Es512 | Ps512 | Rs512 | EdDsa => &digest::SHA512,
    };
    Digest::import_less_safe(bytes, hash).map_err(|_| {
        Error::invalid(format!(
            "a digest of {} bytes; `{algorithm}` needs one of {}",
            bytes.len(),
            hash.output_len()
        ))
    })
}

/// What the library refuses although nothing is wrong with it.
fn fault(what: &str) -> Error {
    Error::internal(format!("the library failed to {what}"))
}

#[cfg(test)]
mod tests;
