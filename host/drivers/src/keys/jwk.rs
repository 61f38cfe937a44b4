//! Keys as JSON, by RFC 7517, 7518 and 8037: read in, and the public halves written out.

use super::{
    Key, Kind,
    curve::{self, Curve},
    edwards::Edwards,
    malformed,
    modulus::{Modulus, Parts},
    symmetric::Symmetric,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use std::collections::BTreeMap;
use wythe_blocks::{Error, Result};
use zeroize::{Zeroize, Zeroizing};

const JSON: &str = "is malformed JSON; expected a JWK, an object with `kty`";
const NUMBERS: &str = "is a JWK without the numbers that its `kty` needs, each in base64url";
const PRIMES: &str =
    "is a JWK without `p`, `q`, `dp`, `dq` and `qi`, which a private RSA key needs here";
const RSA_KEY: &str = "is no RSA key that can be used; expected one of 2048 to 8192 bits";
const CURVE: &str = "is a JWK with another `crv`; expected P-256, P-384, P-521 or Ed25519";
const POINT: &str = "is a JWK whose numbers are no key on its curve";
const SIZE: &str = "is a JWK of another size; expected an AES key of 16, 24 or 32 bytes";
const KIND: &str = "is a JWK with another `kty`; expected oct, RSA, EC or OKP";

/// What is known of a JWK; other members have no effect here.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    crv: Option<String>,
    k: Option<Hidden>,
    n: Option<Hidden>,
    e: Option<Hidden>,
    d: Option<Hidden>,
    p: Option<Hidden>,
    q: Option<Hidden>,
    dp: Option<Hidden>,
    dq: Option<Hidden>,
    qi: Option<Hidden>,
    x: Option<Hidden>,
    y: Option<Hidden>,
}

/// A member that may be secret.
#[derive(Deserialize)]
struct Hidden(String);

impl Drop for Hidden {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl Hidden {
    fn bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let text = self.0.trim_end_matches('=');
        URL_SAFE_NO_PAD.decode(text).ok().map(Zeroizing::new)
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// An error says what was expected.
pub(super) fn read(text: &str) -> Result<Kind, &'static str> {
    serde_json::from_str::<Jwk>(text).map_err(|_| JSON)?.kind()
}

/// Every key of a set, by its `kid`.
pub(crate) fn set(text: &str) -> Result<BTreeMap<String, Key>> {
    let expected = "expected an object with `keys`, a list of JWKs that each have a `kid`";
    // The parser's own words could repeat a part of a key.
    let set: Set = serde_json::from_str(text).map_err(|error| {
        Error::invalid(format!(
            "`jwks` is malformed in line {}; {expected}",
            error.line()
        ))
    })?;
    let mut keys = BTreeMap::new();
    for jwk in set.keys {
        let name = jwk.kid.clone().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| {
            Error::invalid(format!("`jwks` has a key without a name; {expected}"))
        })?;
        let kind = jwk.kind().map_err(|what| malformed(&name, what))?;
        let key = Key {
            name: name.clone(),
            kind,
        };
        if keys.insert(name.clone(), key).is_some() {
            return Err(Error::invalid(format!("`jwks` has two keys `{name}`")));
        }
    }
    Ok(keys)
}

impl Jwk {
    fn kind(&self) -> Result<Kind, &'static str> {
        match self.kty.as_str() {
            "oct" => {
                let bytes = needed(&self.k)?;
                let key = Symmetric::new(bytes.to_vec());
                key.map(Kind::Symmetric).ok_or(SIZE)
            }
            "RSA" => {
                let parts = self.rsa()?;
                Modulus::from_parts(&parts).map(Kind::Rsa).ok_or(RSA_KEY)
            }
            "EC" => {
                let curve = self.crv.as_deref().and_then(curve::Name::parse);
                let (x, y, d) = (needed(&self.x)?, needed(&self.y)?, optional(&self.d)?);
                let d = d.as_ref().map(|d| d.as_slice());
                let key = Curve::from_parts(curve.ok_or(CURVE)?, &x, &y, d);
                key.map(Kind::Ec).ok_or(POINT)
            }
            "OKP" if self.crv.as_deref() == Some("Ed25519") => {
                let (x, d) = (needed(&self.x)?, optional(&self.d)?);
                let key = Edwards::from_parts(&x, d.as_ref().map(|d| d.as_slice()));
                key.map(Kind::Ed25519).ok_or(POINT)
            }
            "OKP" => Err(CURVE),
            "" => Err(JSON),
            _ => Err(KIND),
        }
    }

    fn rsa(&self) -> Result<Parts, &'static str> {
        let (n, e) = (needed(&self.n)?, needed(&self.e)?);
        let private = match &self.d {
            None => None,
            Some(_) => {
                let part =
                    |member: &Option<Hidden>| member.as_ref().and_then(Hidden::bytes).ok_or(PRIMES);
                Some([
                    part(&self.d)?,
                    part(&self.p)?,
                    part(&self.q)?,
                    part(&self.dp)?,
                    part(&self.dq)?,
                    part(&self.qi)?,
                ])
            }
        };
        Ok(Parts {
            n: n.to_vec(),
            e: e.to_vec(),
            private,
        })
    }
}

fn needed(member: &Option<Hidden>) -> Result<Zeroizing<Vec<u8>>, &'static str> {
    member.as_ref().and_then(Hidden::bytes).ok_or(NUMBERS)
}

fn optional(member: &Option<Hidden>) -> Result<Option<Zeroizing<Vec<u8>>>, &'static str> {
    let bytes = |member: &Hidden| member.bytes().ok_or(NUMBERS);
    member.as_ref().map(bytes).transpose()
}

// Members in the order of RFC 7638, so that equal keys have equal texts.

pub(super) fn rsa(n: &[u8], e: &[u8]) -> String {
    let (n, e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
    format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#)
}

pub(super) fn ec(curve: &str, x: &[u8], y: &[u8]) -> String {
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#)
}

pub(super) fn okp(x: &[u8]) -> String {
    let x = URL_SAFE_NO_PAD.encode(x);
    format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#)
}
