//! The keys by which tokens are signed, from a JWKS. A key that is none for signatures is passed over, whatever it is.

use jsonwebtoken::{
    Algorithm, AlgorithmFamily, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;

/// Keys of a set.
const KEYS: usize = 100;

/// The keys of one set.
#[derive(Default)]
pub struct Keys(Vec<Key>);

struct Key {
    id: Option<String>,
    /// The algorithm that the key is for, where it says one.
    only: Option<Algorithm>,
    curve: Option<Algorithm>,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

impl Keys {
    /// Reads a set; a reason ends a sentence about it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let set: Set = serde_json::from_slice(bytes)
            .map_err(|_| "is no JWKS; expected JSON with a list `keys`".to_owned())?;
        if set.keys.len() > KEYS {
            return Err(format!("has more than {KEYS} keys"));
        }
        let keys: Vec<_> = set.keys.into_iter().filter_map(Key::read).collect();
        match keys.is_empty() {
            true => Err("has no key for signatures of RSA, ECDSA or EdDSA".to_owned()),
            false => Ok(Keys(keys)),
        }
    }

    /// The key for a token: the one with its id, or the only one that fits where it names none.
    pub fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&DecodingKey> {
        let mut fitting = self.0.iter().filter(|key| key.fits(algorithm));
        match id {
            Some(id) => {
                let mut named = fitting.filter(|key| key.id.as_deref() == Some(id));
                named.next().map(|key| &key.key)
            }
            None => match (fitting.next(), fitting.next()) {
                (Some(only), None) => Some(&only.key),
                _ => None,
            },
        }
    }
}

impl Key {
    /// Symmetric keys are never read: what everybody may know proves nothing.
    fn read(value: Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(value).ok()?;
        let curve = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => None,
            AlgorithmParameters::EllipticCurve(parameters) => Some(match parameters.curve {
                EllipticCurve::P256 => Algorithm::ES256,
                EllipticCurve::P384 => Algorithm::ES384,
                _ => return None,
            }),
            AlgorithmParameters::OctetKeyPair(parameters) => match parameters.curve {
                EllipticCurve::Ed25519 => Some(Algorithm::EdDSA),
                _ => return None,
            },
            _ => return None,
        };
        let common = &jwk.common;
        let signs = common.public_key_use.as_ref();
        if signs.is_some_and(|one| *one != PublicKeyUse::Signature) {
            return None;
        }
        let only = match common.key_algorithm {
            // An algorithm that is not for signatures, or not known.
            Some(algorithm) => Some(algorithm.to_string().parse().ok()?),
            None => None,
        };
        Some(Key {
            id: common.key_id.clone(),
            key: DecodingKey::from_jwk(&jwk).ok()?,
            only,
            curve,
        })
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        let is_of_key = match self.curve {
            Some(curve) => curve == algorithm,
            None => algorithm.family() == AlgorithmFamily::Rsa,
        };
        is_of_key && self.only.is_none_or(|only| only == algorithm)
    }
}
