//! Keys that the host itself holds: how they are read, what they are good for, and what is done with them.
//!
//! Every algorithm is the library's. A key never leaves this module: not in an error, not in the log.

mod curve;
mod edwards;
mod jwk;
mod parse;
mod purpose;
mod ring;
mod rsa;
mod symmetric;

pub(crate) use jwk::set;
pub(crate) use ring::{Keys, Ring};

use aws_lc_rs::digest::{self, Digest};
use purpose::{
    Algorithm,
    Operation::{self, Sign, Unwrap, Verify, Wrap},
    Purpose,
};
use serde_json::{Map, Value};
use wythe_blocks::{
    Error, Result,
    crypto::{KeyInfo, SignatureAlgorithm, WrapAlgorithm, not_unwrapped},
};
use zeroize::Zeroizing;

/// Bytes that clear themselves.
type Hidden = Zeroizing<Vec<u8>>;

/// One key, with what it is for.
pub(crate) struct Key {
    material: Material,
    purpose: Purpose,
}

/// A key of any kind.
enum Material {
    Symmetric(symmetric::Key),
    Rsa(Box<rsa::Key>),
    Curve(curve::Key),
    Edwards(edwards::Key),
}

impl From<Material> for Key {
    fn from(material: Material) -> Self {
        Key {
            material,
            purpose: Purpose::default(),
        }
    }
}

impl Key {
    /// The error says what is wrong, and nothing of what is there.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        parse::parse(bytes)
    }

    pub(crate) fn describe(&self) -> KeyInfo {
        let (material, allows) = (&self.material, |one| self.purpose.allows(one));
        let (mut wrap, mut sign) = (Vec::new(), Vec::new());
        for algorithm in material.algorithms() {
            let may = |one| self.purpose.allows_by(one, algorithm);
            match algorithm {
                Algorithm::Wrap(by) if may(Wrap) || may(Unwrap) => wrap.push(by),
                Algorithm::Sign(by) if may(Sign) || may(Verify) => sign.push(by),
                _ => {}
            }
        }
        KeyInfo {
            wrap,
            unwrap: material.is_private() && allows(Unwrap),
            sign,
            public: self.public(),
        }
    }

    fn public(&self) -> Option<String> {
        let mut jwk = self.material.public()?;
        self.purpose.write_public(&mut jwk);
        Some(Value::from(jwk).to_string())
    }

    /// True if its work takes long enough to be in the way of others.
    fn is_slow(&self) -> bool {
        !matches!(self.material, Material::Symmetric(_))
    }

    fn wrap(&self, name: &str, algorithm: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        self.check(name, Wrap, Algorithm::Wrap(algorithm))?;
        let wrapped = match &self.material {
            Material::Symmetric(key) => key.wrap(algorithm, plain),
            Material::Rsa(key) => key.wrap(algorithm, plain),
            _ => return Err(self.misfit(name, Algorithm::Wrap(algorithm))),
        };
        wrapped.map_err(|problem| Error::invalid(format!("key `{name}`: {problem}")))
    }

    fn unwrap(&self, name: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        self.check(name, Unwrap, Algorithm::Wrap(algorithm))?;
        let plain = match &self.material {
            Material::Symmetric(key) => key.unwrap(algorithm, wrapped),
            Material::Rsa(key) => key.unwrap(algorithm, wrapped).ok_or_else(|| {
                Error::invalid(format!(
                    "key `{name}` is public and only wraps; its private key unwraps"
                ))
            })?,
            _ => return Err(self.misfit(name, Algorithm::Wrap(algorithm))),
        };
        plain.ok_or_else(not_unwrapped)
    }

    fn sign(&self, name: &str, algorithm: SignatureAlgorithm, data: &[u8]) -> Result<Vec<u8>> {
        self.check(name, Sign, Algorithm::Sign(algorithm))?;
        let signature = match &self.material {
            Material::Rsa(key) => key.sign(algorithm, &imported(algorithm, data)?),
            Material::Curve(key) => key.sign(&imported(algorithm, data)?),
            Material::Edwards(key) => key.sign(data),
            Material::Symmetric(_) => return Err(self.misfit(name, Algorithm::Sign(algorithm))),
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
        self.check(name, Verify, Algorithm::Sign(algorithm))?;
        match &self.material {
            Material::Rsa(key) => Ok(key.verify(algorithm, &imported(algorithm, data)?, signature)),
            Material::Curve(key) => Ok(key.verify(&imported(algorithm, data)?, signature)),
            Material::Edwards(key) => Ok(key.verify(data, signature)),
            Material::Symmetric(_) => Err(self.misfit(name, Algorithm::Sign(algorithm))),
        }
    }

    /// Checks that the algorithm is the key's, and that its JWK allows it.
    fn check(&self, name: &str, operation: Operation, by: Algorithm) -> Result<()> {
        if !self.material.algorithms().contains(&by) {
            return Err(self.misfit(name, by));
        }
        if self.purpose.allows_by(operation, by) {
            return Ok(());
        }
        let (by, verb) = (by.as_str(), operation.verb());
        Err(Error::invalid(format!(
            "key `{name}` may not {verb} by `{by}`: in its JWK {}",
            self.purpose
        )))
    }

    fn misfit(&self, name: &str, by: Algorithm) -> Error {
        let kind = match &self.material {
            Material::Symmetric(key) => format!("a symmetric key of {} bits", key.bits()),
            Material::Rsa(_) => "an RSA key".into(),
            Material::Curve(key) => format!("an EC key on {}", key.curve()),
            Material::Edwards(_) => "an Ed25519 key".into(),
        };
        let needs = match by {
            Algorithm::Wrap(by) => by.needs(),
            Algorithm::Sign(by) => by.needs(),
        };
        let by = by.as_str();
        Error::invalid(format!("key `{name}` is {kind}; `{by}` needs {needs}"))
    }
}

impl Material {
    /// Algorithms in the order of preference.
    fn algorithms(&self) -> Vec<Algorithm> {
        let (wraps, signs) = match self {
            Material::Symmetric(key) => (key.wraps().to_vec(), Vec::new()),
            Material::Rsa(_) => (rsa::WRAPS.to_vec(), rsa::SIGNS.to_vec()),
            Material::Curve(key) => (Vec::new(), vec![key.algorithm()]),
            Material::Edwards(_) => (Vec::new(), vec![SignatureAlgorithm::EdDsa]),
        };
        let wraps = wraps.into_iter().map(Algorithm::Wrap);
        wraps
            .chain(signs.into_iter().map(Algorithm::Sign))
            .collect()
    }

    /// Operations that the key can do, whatever it is for.
    fn operations(&self) -> Vec<Operation> {
        match (self, self.is_private()) {
            (Material::Symmetric(_), _) => vec![Wrap, Unwrap],
            (Material::Rsa(_), true) => vec![Wrap, Unwrap, Sign, Verify],
            (Material::Rsa(_), false) => vec![Wrap, Verify],
            (_, true) => vec![Sign, Verify],
            (_, false) => vec![Verify],
        }
    }

    fn is_private(&self) -> bool {
        match self {
            Material::Symmetric(_) => true,
            Material::Rsa(key) => key.is_private(),
            Material::Curve(key) => key.is_private(),
            Material::Edwards(key) => key.is_private(),
        }
    }

    /// The public half as a JWK.
    fn public(&self) -> Option<Map<String, Value>> {
        match self {
            Material::Symmetric(_) => None,
            Material::Rsa(key) => Some(key.public_half()),
            Material::Curve(key) => Some(key.public_half()),
            Material::Edwards(key) => Some(key.public_half()),
        }
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

/// The error for work that the library refuses although nothing is wrong with it.
fn fault(what: &str) -> Error {
    Error::internal(format!("the library failed to {what}"))
}

#[cfg(test)]
mod tests;
