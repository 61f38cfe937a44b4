//! Keys in every form, keys that are malformed, and what is told of them.

use super::*;
use base64::{Engine, engine::general_purpose::STANDARD};
use wythe_blocks::Kind;

/// Made for the tests of drivers, which keep nothing secret.
macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../../tests/conformance/src/crypto/keys/",
            $name
        ))
    };
}

mod purpose;
mod weak;

fn problem(bytes: &[u8]) -> String {
    Key::parse(bytes).err().expect("it is no key")
}

#[track_caller]
fn bits(bytes: &[u8], expected: usize) {
    match Key::parse(bytes).map(|key| key.material) {
        Ok(Material::Symmetric(key)) => assert_eq!(key.bits(), expected),
        Ok(_) => panic!("another kind of key"),
        Err(problem) => panic!("{problem}"),
    }
}

#[test]
fn symmetric_keys_are_raw_or_base64() {
    for size in [16, 24, 32] {
        let mut raw: Vec<u8> = (0..size).map(|at| (at as u8).wrapping_mul(37)).collect();
        bits(&raw, size * 8);
        let text = STANDARD.encode(&raw);
        for end in ["", "\n", "\r\n"] {
            bits(format!("{text}{end}").as_bytes(), size * 8);
            let bare = text.trim_end_matches('=');
            bits(format!("{bare}{end}").as_bytes(), size * 8);
        }
        // The last byte of a key may be a line feed.
        raw[size - 1] = b'\n';
        bits(&raw, size * 8);
        raw[0] = b'{';
        bits(&raw, size * 8);
        raw.push(b'\n');
        bits(&raw, size * 8);
    }
    // 32 letters are 24 bytes, as Dapr has it.
    bits(b"abcdefghijklmnopqrstuvwxyz012345", 192);
    bits(b"AAECAwQFBgcICQoLDA0O_w", 128);
    let expected =
        "expected PEM, a JWK, or a symmetric key of 16, 24 or 32 bytes, raw or in base64";
    for wrong in [&b""[..], b"hunter2", &[7; 15], &[7; 64], b"hunter2\n"] {
        assert_eq!(problem(wrong), expected);
    }
}

#[test]
fn malformed_pem_says_what_was_expected() {
    let labels = "PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE KEY, PUBLIC KEY or RSA PUBLIC KEY";
    let kinds = "expected RSA, EC on P-256, P-384 or P-521, or Ed25519";
    let malformed = format!("malformed PEM; expected one block of {labels}");
    let block = |label: &str, body: &str| {
        format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n").into_bytes()
    };
    assert_eq!(problem(b"-----BEGIN PRIVATE KEY-----"), malformed);
    assert_eq!(problem(&block("PRIVATE KEY", "hunter2!")), malformed);
    assert_eq!(
        problem(&block("CERTIFICATE", "aHVudGVyMg==")),
        format!("PEM of another label; expected {labels}")
    );
    assert_eq!(
        problem(&block("ENCRYPTED PRIVATE KEY", "aHVudGVyMg==")),
        "it is encrypted by a password; expected a private key as it is"
    );
    for label in [
        "PRIVATE KEY",
        "RSA PRIVATE KEY",
        "EC PRIVATE KEY",
        "PUBLIC KEY",
        "RSA PUBLIC KEY",
    ] {
        let reported = problem(&block(label, "aHVudGVyMg=="));
        assert_eq!(
            reported,
            format!("the {label} in it is not readable; {kinds}")
        );
    }
}

#[test]
fn pem_may_have_other_line_ends_text_before_it_and_parameters() {
    let is_curve = |text: String| match Key::parse(text.as_bytes()).map(|key| key.material) {
        Ok(Material::Curve(key)) => assert_eq!(key.curve(), "P-384"),
        Ok(_) => panic!("another kind of key"),
        Err(problem) => panic!("{problem}"),
    };
    let pem = String::from_utf8_lossy(file!("ec-384.pem"));
    is_curve(pem.replace('\n', "\r\n"));
    is_curve(format!("\n\n{pem}\n\n"));
    is_curve(format!(
        "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n{pem}"
    ));
}

/// Malformed keys, each with the error that is told of it.
const MALFORMED: &[(&str, &str)] = &[
    (
        "{ hunter2",
        "this is no JWK; expected a JSON object with `kty`",
    ),
    (
        r#"{ "k": "hunter2" }"#,
        "this is no JWK; expected a JSON object with `kty`",
    ),
    (
        r#"{ "kty": "oct", "k": 7 }"#,
        "this is no JWK; expected a JSON object with `kty`",
    ),
    (
        r#"{ "kty": "hunter2" }"#,
        "`kty` is of a kind that is not known; expected oct, RSA, EC or OKP",
    ),
    (
        r#"{ "kty": "oct" }"#,
        "`k` is missing; this kind of key has one",
    ),
    (
        r#"{ "kty": "oct", "k": "aHVudGVy" }"#,
        "`k` has the wrong size; expected 128, 192 or 256 bits",
    ),
    (
        r#"{ "kty": "oct", "k": "hunter+2" }"#,
        "`k` is not readable; expected base64 as in URLs",
    ),
    (
        r#"{ "kty": "EC", "crv": "secp256k1" }"#,
        "`crv` is no curve of this kind; expected P-256, P-384 or P-521",
    ),
    (
        r#"{ "kty": "EC", "crv": "P-256", "x": "AQAB" }"#,
        "`x` has 3 bytes; expected 32",
    ),
    (
        r#"{ "kty": "OKP", "crv": "X25519" }"#,
        "`crv` is no curve of this kind; expected Ed25519",
    ),
    (
        r#"{ "kty": "RSA", "n": "AQAB" }"#,
        "`e` is missing; this kind of key has one",
    ),
    (
        r#"{ "kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB" }"#,
        "`p` is missing; this kind of key has one",
    ),
];

#[test]
fn malformed_jwks_say_which_member_and_what_was_expected() {
    for (json, expected) in MALFORMED {
        assert_eq!(problem(json.as_bytes()), *expected, "{json}");
    }
}

/// A key with members of another.
fn mixed(json: &[u8], member: &str, value: &str) -> String {
    let mut jwk: serde_json::Value = serde_json::from_slice(json).unwrap();
    jwk[member] = value.into();
    problem(jwk.to_string().as_bytes())
}

#[test]
fn halves_that_do_not_fit_are_no_key() {
    let other = "AAECAwQFBgcICQoLDA0ODwABAgMEBQYHCAkKCwwNDg8";
    assert_eq!(
        mixed(file!("ec-256.json"), "d", other),
        "its numbers make no key on P-256"
    );
    assert_eq!(
        mixed(file!("ec-256-public.json"), "y", other),
        "its numbers make no key on P-256"
    );
    assert_eq!(
        mixed(file!("ed25519.json"), "d", other),
        "its numbers make no Ed25519 key"
    );
    assert_eq!(
        mixed(file!("rsa-2048.json"), "d", other),
        "its numbers make no RSA key"
    );
}

#[test]
fn rsa_keys_that_are_too_small_are_refused() {
    let expected = "an RSA key of fewer than 2048 bits; expected 2048 to 8192";
    for pem in [
        &include_bytes!("tests/rsa-1024-pkcs8.pem")[..],
        include_bytes!("tests/rsa-1024-pkcs1.pem"),
        include_bytes!("tests/rsa-1024-public.pem"),
        include_bytes!("tests/rsa-1024-public-pkcs1.pem"),
        include_bytes!("tests/rsa-1024.json"),
        include_bytes!("tests/rsa-1024-public.json"),
        // One bit is missing.
        include_bytes!("tests/rsa-2047-public.pem"),
    ] {
        assert_eq!(problem(pem), expected, "{}", String::from_utf8_lossy(pem));
    }
}

#[test]
fn sets_name_the_key_that_is_wrong() {
    let reported = |json: &str| {
        let error = set(json).err().expect("it is no set");
        assert_eq!(error.kind(), Kind::Invalid);
        error.chain()
    };
    let no_set = "`jwks` is no set of keys; expected JSON such as { \"keys\": [ .. ] }, each key with `kty` and `kid`";
    for wrong in [
        "hunter2",
        "[]",
        "{}",
        "{ \"keys\": [{ \"k\": \"hunter2\" }] }",
    ] {
        assert_eq!(reported(wrong), no_set, "{wrong}");
    }
    let good = r#"{ "kty": "oct", "kid": "a", "k": "AAECAwQFBgcICQoLDA0ODw" }"#;
    assert!(set(&format!(r#"{{ "keys": [{good}] }}"#)).is_ok());
    assert_eq!(
        reported(&format!(r#"{{ "keys": [{good}, {good}] }}"#)),
        "two keys of `jwks` have the `kid` `a`; expected one"
    );
    let nameless = good.replace("\"kid\": \"a\",", "");
    assert_eq!(
        reported(&format!(r#"{{ "keys": [{good}, {nameless}] }}"#)),
        "key 2 of `jwks` has no name; expected one in `kid`"
    );
    let short = good.replace("AAEC", "");
    assert_eq!(
        reported(&format!(r#"{{ "keys": [{short}] }}"#)),
        "key `a` of `jwks`: `k` has the wrong size; expected 128, 192 or 256 bits"
    );
}
