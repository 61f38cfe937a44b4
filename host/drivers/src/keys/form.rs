//! What a file with a key may hold: PEM, a JWK, or an AES key as it is or in base64.

use super::{
    Kind, curve, curve::Curve, edwards::Edwards, jwk, modulus::Modulus, symmetric::Symmetric,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use pkcs8::{
    ObjectIdentifier, PrivateKeyInfoRef,
    der::Decode,
    spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef},
};
use zeroize::Zeroizing;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const CURVES: [(ObjectIdentifier, curve::Name); 3] = [
    (
        ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
        curve::Name::P256,
    ),
    (
        ObjectIdentifier::new_unwrap("1.3.132.0.34"),
        curve::Name::P384,
    ),
    (
        ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        curve::Name::P521,
    ),
];

const UNKNOWN: &str =
    "is no key; expected PEM, a JWK, or an AES key of 16, 24 or 32 bytes as it is or in base64";
const PEM: &str = "is malformed PEM; expected one block of base64 between its BEGIN and END lines";
const LABEL: &str =
    "is PEM of another kind; expected a private or a public key that is not encrypted";
const RSA_KEY: &str = "is no RSA key that can be used; expected one of 2048 to 8192 bits";
const EC_KEY: &str = "is no elliptic key that can be used; expected one on P-256, P-384 or P-521";
const ED25519_KEY: &str = "is no Ed25519 key";
const OTHER: &str = "is a key of another kind; expected RSA, P-256, P-384, P-521 or Ed25519";

/// An error says what was expected.
pub(super) fn read(bytes: &[u8]) -> Result<Kind, &'static str> {
    // A raw AES key may look like anything, so its length comes first.
    if let Some(key) = Symmetric::new(bytes.to_vec()) {
        return Ok(Kind::Symmetric(key));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| UNKNOWN)?.trim();
    if text.starts_with("-----BEGIN ") {
        return pem(text);
    }
    if text.starts_with('{') {
        return jwk::read(text);
    }
    let decoded = STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE_NO_PAD.decode(text))
        .map_err(|_| UNKNOWN)?;
    Symmetric::new(decoded).map(Kind::Symmetric).ok_or(UNKNOWN)
}

fn pem(text: &str) -> Result<Kind, &'static str> {
    let (label, der) = pem_rfc7468::decode_vec(text.as_bytes()).map_err(|_| PEM)?;
    let der = Zeroizing::new(der);
    match label {
        "PRIVATE KEY" => private(&der),
        "PUBLIC KEY" => public(&der),
        "RSA PRIVATE KEY" => Modulus::from_private(&der).map(Kind::Rsa).ok_or(RSA_KEY),
        "RSA PUBLIC KEY" => Modulus::from_public(&der).map(Kind::Rsa).ok_or(RSA_KEY),
        "EC PRIVATE KEY" => Curve::from_private(&der).map(Kind::Ec).ok_or(EC_KEY),
        _ => Err(LABEL),
    }
}

fn private(der: &[u8]) -> Result<Kind, &'static str> {
    let info = PrivateKeyInfoRef::from_der(der).map_err(|_| PEM)?;
    match info.algorithm.oid {
        RSA => Modulus::from_pkcs8(der).map(Kind::Rsa).ok_or(RSA_KEY),
        EC => Curve::from_private(der).map(Kind::Ec).ok_or(EC_KEY),
        ED25519 => Edwards::from_pkcs8(der)
            .map(Kind::Ed25519)
            .ok_or(ED25519_KEY),
        _ => Err(OTHER),
    }
}

fn public(der: &[u8]) -> Result<Kind, &'static str> {
    let info = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| PEM)?;
    let bits = info.subject_public_key.as_bytes().ok_or(PEM)?;
    match info.algorithm.oid {
        RSA => Modulus::from_public(der).map(Kind::Rsa).ok_or(RSA_KEY),
        EC => curve_of(&info.algorithm)
            .and_then(|curve| Curve::from_point(curve, bits))
            .map(Kind::Ec)
            .ok_or(EC_KEY),
        ED25519 => Edwards::from_public(bits)
            .map(Kind::Ed25519)
            .ok_or(ED25519_KEY),
        _ => Err(OTHER),
    }
}

fn curve_of(algorithm: &AlgorithmIdentifierRef<'_>) -> Option<curve::Name> {
    let named = algorithm.parameters_oid().ok()?;
    let known = CURVES.iter().find(|(oid, _)| *oid == named);
    known.map(|(_, curve)| *curve)
}
