//! Keys as JSON, by RFC 7517 and 7518: read with care, and written without what is private.

use super::{
    Hidden, Key, Material,
    curve::{self, CURVES, Curve},
    edwards,
    purpose::{self, Member, Members, Purpose},
    rsa, symmetric,
};
use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rsa::{KeyPairComponents, PublicKey, PublicKeyComponents},
    signature::{EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey, RsaKeyPair},
};
use base64::{
    Engine,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::{collections::BTreeMap, sync::Arc};
use wythe_blocks::{Error, Result};
use zeroize::Zeroizing;

/// Base64 that is written without padding and read with it, too.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::URL_SAFE,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

type Text = Option<Zeroizing<String>>;

/// Members of other names say nothing of what a key is.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    crv: Option<String>,
    k: Text,
    n: Text,
    e: Text,
    d: Text,
    p: Text,
    q: Text,
    dp: Text,
    dq: Text,
    qi: Text,
    x: Text,
    y: Text,
    #[serde(default, rename = "use", deserialize_with = "purpose::present")]
    usage: Member,
    #[serde(default, deserialize_with = "purpose::present")]
    key_ops: Member,
    #[serde(default, deserialize_with = "purpose::present")]
    alg: Member,
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// One key; the error says what is wrong, and nothing of what is there.
pub(super) fn one(json: &[u8]) -> Result<Key, String> {
    let jwk: Jwk = serde_json::from_slice(json)
        .map_err(|_| "this is no JWK; expected a JSON object with `kty`")?;
    jwk.key()
}

/// The keys of a set by their names, all or none.
pub(crate) fn set(json: &str) -> Result<BTreeMap<String, Arc<Key>>> {
    let set: Set = serde_json::from_str(json).map_err(|_| {
        Error::invalid("`jwks` is no set of keys; expected JSON such as { \"keys\": [ .. ] }, each key with `kty` and `kid`")
    })?;
    let mut keys = BTreeMap::new();
    for (index, jwk) in set.keys.iter().enumerate() {
        let named = jwk.kid.as_deref().filter(|kid| !kid.is_empty());
        let name = named.ok_or_else(|| {
            Error::invalid(format!(
                "key {} of `jwks` has no name; expected one in `kid`",
                index + 1
            ))
        })?;
        let key = jwk
            .key()
            .map_err(|problem| Error::invalid(format!("key `{name}` of `jwks`: {problem}")))?;
        if keys.insert(name.to_owned(), Arc::new(key)).is_some() {
            return Err(Error::invalid(format!(
                "two keys of `jwks` have the `kid` `{name}`; expected one"
            )));
        }
    }
    Ok(keys)
}

impl Jwk {
    fn key(&self) -> Result<Key, String> {
        let material = self.material()?;
        let members = Members {
            usage: &self.usage,
            key_ops: &self.key_ops,
            alg: &self.alg,
        };
        let purpose = Purpose::new(members, &material)?;
        Ok(Key { material, purpose })
    }

    fn material(&self) -> Result<Material, String> {
        match self.kty.as_str() {
            "oct" => self.symmetric(),
            "RSA" => self.rsa(),
            "EC" => self.curve(),
            "OKP" => self.edwards(),
            _ => Err("`kty` is of a kind that is not known; expected oct, RSA, EC or OKP".into()),
        }
    }

    fn symmetric(&self) -> Result<Material, String> {
        symmetric::Key::new(number("k", &self.k)?)
            .ok_or("`k` has the wrong size; expected 128, 192 or 256 bits")?
            .check()
            .map(Material::Symmetric)
    }

    fn rsa(&self) -> Result<Material, String> {
        let (n, e) = (number("n", &self.n)?, number("e", &self.e)?);
        let public_key = PublicKeyComponents {
            n: without_zeros(&n),
            e: without_zeros(&e),
        };
        let key = match &self.d {
            None => public_key
                .as_der()
                .ok()
                .and_then(|der: PublicKeyX509Der| PublicKey::from_der(der.as_ref()).ok())
                .ok_or(rsa::Refused::Unreadable)
                .and_then(rsa::Key::public),
            Some(_) => {
                let (d, p, q) = (
                    number("d", &self.d)?,
                    number("p", &self.p)?,
                    number("q", &self.q)?,
                );
                let (dp, dq, qi) = (
                    number("dp", &self.dp)?,
                    number("dq", &self.dq)?,
                    number("qi", &self.qi)?,
                );
                let components = KeyPairComponents {
                    public_key,
                    d: &d[..],
                    p: &p[..],
                    q: &q[..],
                    dP: &dp[..],
                    dQ: &dq[..],
                    qInv: &qi[..],
                };
                RsaKeyPair::from_components(&components)
                    .map_err(rsa::Refused::from)
                    .and_then(rsa::Key::private)
            }
        };
        key.map(|key| Material::Rsa(Box::new(key)))
            .map_err(|refused| match refused {
                rsa::Refused::Because(reason) => reason,
                rsa::Refused::Unreadable => "its numbers make no RSA key".into(),
            })
    }

    fn curve(&self) -> Result<Material, String> {
        let known = CURVES
            .iter()
            .find(|curve| self.crv.as_deref() == Some(curve.name));
        let curve =
            known.ok_or("`crv` is no curve of this kind; expected P-256, P-384 or P-521")?;
        let mut point = vec![4];
        point.extend_from_slice(&coordinate("x", &self.x, curve)?);
        point.extend_from_slice(&coordinate("y", &self.y, curve)?);
        let key = match &self.d {
            None => ParsedPublicKey::new(curve.verification, &point)
                .ok()
                .and_then(|_| curve::Key::public(curve, &point)),
            Some(_) => {
                let d = coordinate("d", &self.d, curve)?;
                EcdsaKeyPair::from_private_key_and_public_key(curve.signing, &d, &point)
                    .ok()
                    .map(|pair| curve::Key::private(curve, pair))
            }
        };
        key.map(Material::Curve)
            .ok_or_else(|| format!("its numbers make no key on {}", curve.name))
    }

    fn edwards(&self) -> Result<Material, String> {
        if self.crv.as_deref() != Some("Ed25519") {
            return Err("`crv` is no curve of this kind; expected Ed25519".into());
        }
        let x = sized("x", &self.x, edwards::SIZE)?;
        let key = match (&self.d, x[..].try_into()) {
            (None, Ok(point)) => Some(edwards::Key::public(point)?),
            (None, Err(_)) => None,
            (Some(_), _) => {
                let d = sized("d", &self.d, edwards::SIZE)?;
                let pair = Ed25519KeyPair::from_seed_and_public_key(&d, &x).ok();
                pair.and_then(edwards::Key::private)
            }
        };
        key.map(Material::Edwards)
            .ok_or_else(|| "its numbers make no Ed25519 key".into())
    }
}

fn number(member: &str, text: &Text) -> Result<Hidden, String> {
    let text = text
        .as_ref()
        .ok_or_else(|| format!("`{member}` is missing; this kind of key has one"))?;
    BASE64
        .decode(text.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| format!("`{member}` is not readable; expected base64 as in URLs"))
}

fn sized(member: &str, text: &Text, size: usize) -> Result<Hidden, String> {
    let bytes = number(member, text)?;
    match bytes.len() == size {
        true => Ok(bytes),
        false => Err(format!(
            "`{member}` has {} bytes; expected {size}",
            bytes.len()
        )),
    }
}

fn coordinate(member: &str, text: &Text, curve: &Curve) -> Result<Hidden, String> {
    sized(member, text, curve.size)
}

/// Some write a number as if it had a sign.
fn without_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    &number[zeros..]
}

/// A public key, written.
pub(super) fn rsa(n: &[u8], e: &[u8]) -> Map<String, Value> {
    written("RSA", None, &[("n", n), ("e", e)])
}

/// A public key, written.
pub(super) fn curve(name: &str, x: &[u8], y: &[u8]) -> Map<String, Value> {
    written("EC", Some(name), &[("x", x), ("y", y)])
}

/// A public key, written.
pub(super) fn edwards(point: &[u8]) -> Map<String, Value> {
    written("OKP", Some("Ed25519"), &[("x", point)])
}

fn written(kty: &str, crv: Option<&str>, numbers: &[(&str, &[u8])]) -> Map<String, Value> {
    let text = |name: &str, text: String| (name.to_owned(), Value::from(text));
    let names = [("kty", Some(kty)), ("crv", crv)];
    let names = names
        .into_iter()
        .filter_map(|(name, said)| Some((name, said?)));
    let names = names.map(|(name, said)| text(name, said.to_owned()));
    let numbers = numbers.iter();
    let numbers = numbers.map(|(name, bytes)| text(name, BASE64.encode(bytes)));
    names.chain(numbers).collect()
}
