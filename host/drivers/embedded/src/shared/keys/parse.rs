//! The kind of a key, told from its bytes: PEM, JWK, or a symmetric key.

use super::{
    Hidden, Key, Material,
    curve::{self, CURVES},
    edwards, jwk, rsa, symmetric,
};
use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    rsa::PublicKey,
    signature::{
        ED25519, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, ParsedPublicKey, RsaKeyPair,
    },
};
use base64::{
    Engine,
    alphabet::{self, Alphabet},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::de::IgnoredAny;
use zeroize::Zeroizing;

const BEGIN: &[u8] = b"-----BEGIN ";
/// End of a part that one tool writes before an EC key; the key says the same again.
const PARAMETERS: &[u8] = b"-----END EC PARAMETERS-----";
const LABELS: &str = "PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE KEY, PUBLIC KEY or RSA PUBLIC KEY";
const KINDS: &str = "RSA, EC on P-256, P-384 or P-521, or Ed25519";

pub(super) fn parse(bytes: &[u8]) -> Result<Key, String> {
    let text = bytes.trim_ascii();
    if text.starts_with(BEGIN) {
        return pem(text).map(Key::from);
    }
    // A random key may begin like an object, but it does not go on as one.
    let begins = text.starts_with(b"{");
    let is_object = begins && serde_json::from_slice::<IgnoredAny>(text).is_ok();
    match symmetric(bytes) {
        Some(_) if !is_object && symmetric::is_one_byte(text) => Err(symmetric::ONE_BYTE.into()),
        Some(key) if !is_object => Ok(Material::Symmetric(key.check()?).into()),
        _ if begins => jwk::one(text),
        _ => Err(
            "expected PEM, a JWK, or a symmetric key of 16, 24 or 32 bytes, raw or in base64"
                .into(),
        ),
    }
}

/// Reads base64 first: a text of that many letters is hardly ever a key as it stands.
fn symmetric(bytes: &[u8]) -> Option<symmetric::Key> {
    let end = |line: &'static [u8]| bytes.strip_suffix(line);
    let line = end(b"\r\n").or_else(|| end(b"\n")).unwrap_or(bytes);
    let decode = |alphabet: &Alphabet| {
        let config =
            GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
        let decoded = GeneralPurpose::new(alphabet, config).decode(line);
        decoded.ok().map(Zeroizing::new)
    };
    let copied = |bytes: &[u8]| Hidden::new(bytes.to_vec());
    [
        decode(&alphabet::STANDARD),
        decode(&alphabet::URL_SAFE),
        Some(copied(bytes)),
        Some(copied(line)),
    ]
    .into_iter()
    .flatten()
    .find_map(symmetric::Key::new)
}

fn pem(text: &[u8]) -> Result<Material, String> {
    let (label, der) = decoded(after_parameters(text))?;
    let key = match label {
        "PRIVATE KEY" => private(&der)?,
        "RSA PRIVATE KEY" => rsa(RsaKeyPair::from_der(&der)
            .map_err(rsa::Refused::from)
            .and_then(rsa::Key::private))?,
        "EC PRIVATE KEY" => curve(|curve| EcdsaKeyPair::from_private_key_der(curve, &der).ok()),
        "PUBLIC KEY" => public(&der)?,
        "RSA PUBLIC KEY" => rsa(PublicKey::from_der(&der)
            .map_err(rsa::Refused::from)
            .and_then(rsa::Key::public))?,
        "ENCRYPTED PRIVATE KEY" => {
            return Err("it is encrypted by a password; expected a private key as it is".into());
        }
        _ => return Err(format!("PEM of another label; expected {LABELS}")),
    };
    key.ok_or_else(|| format!("the {label} in it is not readable; expected {KINDS}"))
}

fn after_parameters(text: &[u8]) -> &[u8] {
    let found = text
        .windows(PARAMETERS.len())
        .position(|window| window == PARAMETERS);
    found.map_or(text, |at| text[at + PARAMETERS.len()..].trim_ascii_start())
}

fn decoded(text: &[u8]) -> Result<(&str, Hidden), String> {
    let malformed = || format!("malformed PEM; expected one block of {LABELS}");
    let mut decoder = pem_rfc7468::Decoder::new_detect_wrap(text).map_err(|_| malformed())?;
    let mut der = Hidden::new(vec![0; decoder.remaining_len()]);
    decoder.decode(&mut der).map_err(|_| malformed())?;
    Ok((decoder.type_label(), der))
}

/// PKCS#8 says itself what it is.
fn private(der: &[u8]) -> Result<Option<Material>, String> {
    let found = rsa(RsaKeyPair::from_pkcs8(der)
        .map_err(rsa::Refused::from)
        .and_then(rsa::Key::private))?;
    let on_curve = || curve(|curve| EcdsaKeyPair::from_pkcs8(curve, der).ok());
    let edwards = || {
        let pair = Ed25519KeyPair::from_pkcs8(der).ok()?;
        edwards::Key::private(pair).map(Material::Edwards)
    };
    Ok(found.or_else(on_curve).or_else(edwards))
}

fn public(der: &[u8]) -> Result<Option<Material>, String> {
    let found = rsa(PublicKey::from_der(der)
        .map_err(rsa::Refused::from)
        .and_then(rsa::Key::public))?;
    let on_curve = || {
        CURVES.iter().find_map(|curve| {
            let key = ParsedPublicKey::new(curve.verification, der).ok()?;
            // The library writes the point last.
            let der: PublicKeyX509Der = key.as_der().ok()?;
            let der = der.as_ref();
            let point = der.get(der.len().checked_sub(1 + 2 * curve.size)?..)?;
            curve::Key::public(curve, point).map(Material::Curve)
        })
    };
    let edwards = || {
        let key = ParsedPublicKey::new(&ED25519, der).ok()?;
        let der: PublicKeyX509Der = key.as_der().ok()?;
        der.as_ref().last_chunk::<{ edwards::SIZE }>().copied()
    };
    match found.or_else(on_curve) {
        Some(found) => Ok(Some(found)),
        None => Ok(edwards()
            .map(edwards::Key::public)
            .transpose()?
            .map(Material::Edwards)),
    }
}

fn rsa(key: Result<rsa::Key, rsa::Refused>) -> Result<Option<Material>, String> {
    match key {
        Ok(key) => Ok(Some(Material::Rsa(Box::new(key)))),
        Err(rsa::Refused::Unreadable) => Ok(None),
        Err(rsa::Refused::Because(reason)) => Err(reason),
    }
}

fn curve(
    pair: impl Fn(&'static EcdsaSigningAlgorithm) -> Option<EcdsaKeyPair>,
) -> Option<Material> {
    let mut curves = CURVES.iter();
    curves.find_map(|curve| {
        let pair = pair(curve.signing)?;
        Some(Material::Curve(curve::Key::private(curve, pair)))
    })
}
