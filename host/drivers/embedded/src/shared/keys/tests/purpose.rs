//! Tests of what a JWK says that its key is for, in every operation.

use super::*;
use serde_json::json;
use wythe_blocks::crypto::{SignatureAlgorithm as S, WrapAlgorithm as W};

const RSA: &[u8] = file!("rsa-2048.json");
const RSA_PUBLIC: &[u8] = file!("rsa-2048-public.json");
const EC: &[u8] = file!("ec-256.json");
const AES: &[u8] = file!("aes-256.json");

/// A key with these members beside its own.
fn said(json: &[u8], members: Value) -> Result<Key, String> {
    let mut jwk: Value = serde_json::from_slice(json).unwrap();
    let own = jwk.as_object_mut().unwrap();
    own.extend(members.as_object().unwrap().clone());
    Key::parse(jwk.to_string().as_bytes())
}

fn good(json: &[u8], members: Value) -> Key {
    said(json, members).unwrap_or_else(|problem| panic!("{problem}"))
}

/// Tells which of sign, verify, wrap and unwrap the key does.
fn does(key: &Key, sign: S, wrap: W) -> [bool; 4] {
    let digest = vec![1; sign.digest().map_or(9, |(_, size)| size)];
    let refused = |error: Error| {
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.message().starts_with("key `k` "), "{error}");
        false
    };
    let is = |result: Result<()>| result.map_or_else(refused, |()| true);
    // What fails after that is another matter: it was allowed.
    let unwraps = match key.unwrap("k", wrap, &[1; 40]) {
        Err(error) if error.message() == not_unwrapped().message() => true,
        other => is(other.map(drop)),
    };
    [
        is(key.sign("k", sign, &digest).map(drop)),
        is(key.verify("k", sign, &digest, &[1; 64]).map(drop)),
        is(key.wrap("k", wrap, &[1; 32]).map(drop)),
        unwraps,
    ]
}

const ALL: [bool; 4] = [true; 4];
const NONE: [bool; 4] = [false; 4];
const SIGNS: [bool; 4] = [true, true, false, false];
const WRAPS: [bool; 4] = [false, false, true, true];

/// Members of a key of RSA, by which it signs and wraps, and what it does of all four.
const ALLOWED: &[(&str, S, W, [bool; 4])] = &[
    (r#"{}"#, S::Rs256, W::RsaOaep, ALL),
    (r#"{ "use": "sig" }"#, S::Rs256, W::RsaOaep, SIGNS),
    (r#"{ "use": "enc" }"#, S::Rs256, W::RsaOaep, WRAPS),
    (r#"{ "alg": "PS512" }"#, S::Ps512, W::RsaOaep, SIGNS),
    (r#"{ "alg": "PS512" }"#, S::Rs256, W::RsaOaep, NONE),
    (
        r#"{ "alg": "RSA-OAEP-256" }"#,
        S::Rs256,
        W::RsaOaep256,
        WRAPS,
    ),
    (r#"{ "alg": "RSA-OAEP-256" }"#, S::Rs256, W::RsaOaep, NONE),
    (
        r#"{ "key_ops": ["sign"] }"#,
        S::Rs256,
        W::RsaOaep,
        [true, false, false, false],
    ),
    (
        r#"{ "key_ops": ["verify"] }"#,
        S::Rs256,
        W::RsaOaep,
        [false, true, false, false],
    ),
    (
        r#"{ "key_ops": ["wrapKey"] }"#,
        S::Rs256,
        W::RsaOaep,
        [false, false, true, false],
    ),
    (
        r#"{ "key_ops": ["unwrapKey"] }"#,
        S::Rs256,
        W::RsaOaep,
        [false, false, false, true],
    ),
    (
        r#"{ "use": "sig", "key_ops": ["verify"], "alg": "PS512" }"#,
        S::Ps512,
        W::RsaOaep,
        [false, true, false, false],
    ),
    (
        r#"{ "key_ops": ["verify", "wrapKey"] }"#,
        S::Rs256,
        W::RsaOaep,
        [false, true, true, false],
    ),
];

#[test]
fn every_operation_obeys_use_key_ops_and_alg() {
    for (members, sign, wrap, expected) in ALLOWED {
        let key = good(RSA, serde_json::from_str(members).expect("members"));
        assert_eq!(does(&key, *sign, *wrap), *expected, "{members}");
    }
}

#[test]
fn the_error_says_what_the_key_is_for() {
    let members = json!({ "use": "sig", "key_ops": ["verify"], "alg": "PS512" });
    let key = good(RSA, members);
    let reported = |error: Error| error.message().to_owned();
    let said = "in its JWK `use` is sig, `key_ops` is verify, `alg` is PS512";
    assert_eq!(
        reported(key.wrap("k", W::RsaOaep, &[1; 32]).unwrap_err()),
        format!("key `k` may not wrap by `rsa-oaep`: {said}")
    );
    assert_eq!(
        reported(key.sign("k", S::Ps512, &[1; 64]).unwrap_err()),
        format!("key `k` may not sign by `ps512`: {said}")
    );
    // What it is not at all comes first.
    assert_eq!(
        reported(key.wrap("k", W::A256Kw, &[1; 32]).unwrap_err()),
        "key `k` is an RSA key; `a256-kw` needs a symmetric key of 256 bits"
    );
}

#[test]
fn what_is_described_is_what_is_allowed() {
    let info = good(RSA, json!({ "use": "sig", "alg": "PS512" })).describe();
    assert_eq!(
        (info.wrap, info.unwrap, info.sign),
        (vec![], false, vec![S::Ps512])
    );
    let info = good(AES, json!({ "alg": "A256KW", "key_ops": ["wrapKey"] })).describe();
    assert_eq!(
        (info.wrap, info.unwrap, info.sign),
        (vec![W::A256Kw], false, vec![])
    );
    let info = good(AES, json!({ "alg": "A256CBC-NOPAD" })).describe();
    assert_eq!((info.wrap, info.unwrap), (vec![W::A256Cbc], true));
    let info = Key::parse(file!("rsa-2048.pem")).unwrap().describe();
    let counts = (info.wrap.len(), info.unwrap, info.sign.len());
    assert_eq!(counts, (4, true, 6), "a key in PEM is free");
}

/// A holder of the public half is told what it checks and wraps.
#[test]
fn the_public_half_is_for_the_counterparts() {
    let public = |json, members| -> Value {
        let info = good(json, members).describe();
        serde_json::from_str(&info.public.unwrap()).unwrap()
    };
    let jwk = public(
        RSA,
        json!({ "use": "sig", "alg": "PS512", "key_ops": ["sign", "verify"] }),
    );
    assert_eq!(jwk["use"], "sig");
    assert_eq!(jwk["alg"], "PS512");
    assert_eq!(jwk["key_ops"], json!(["verify"]));
    assert!(Key::parse(jwk.to_string().as_bytes()).is_ok());
    let jwk = public(RSA, json!({ "key_ops": ["unwrapKey", "sign"] }));
    assert_eq!(jwk["key_ops"], json!(["verify", "wrapKey"]));
    let jwk = public(EC, json!({}));
    assert_eq!(jwk.as_object().unwrap().len(), 4, "nothing was said: {jwk}");
}

const NOTHING: &str = "`use`, `key_ops` and `alg` leave nothing that it can do, which is ";
const DISAGREE: &str = "`use` and `key_ops` disagree";

/// A key, members that contradict it or each other, and how the problem begins.
const CONTRADICTIONS: &[(&[u8], &str, &str)] = &[
    (
        RSA,
        r#"{ "use": "hunter2" }"#,
        "`use` is none that this host knows; expected sig or enc",
    ),
    (RSA, r#"{ "use": "SIG" }"#, "`use` is none"),
    (RSA, r#"{ "use": null }"#, "`use` is none"),
    (RSA, r#"{ "key_ops": "verify" }"#, "`key_ops` is no list"),
    (RSA, r#"{ "key_ops": null }"#, "`key_ops` is no list"),
    (
        RSA,
        r#"{ "key_ops": ["hunter2"] }"#,
        "`key_ops` has one that this host does not know",
    ),
    (
        RSA,
        r#"{ "key_ops": ["sign", "verify", "sign"] }"#,
        "`key_ops` has sign twice",
    ),
    (RSA, r#"{ "key_ops": [] }"#, NOTHING),
    (RSA, r#"{ "key_ops": ["encrypt", "decrypt"] }"#, NOTHING),
    (RSA, r#"{ "use": "enc", "key_ops": ["verify"] }"#, DISAGREE),
    (
        RSA,
        r#"{ "use": "sig", "key_ops": ["sign", "deriveKey"] }"#,
        DISAGREE,
    ),
    (
        RSA,
        r#"{ "use": "enc", "alg": "PS512" }"#,
        "`use` and `alg` disagree; that algorithm goes with `sig`",
    ),
    (
        RSA,
        r#"{ "key_ops": ["wrapKey"], "alg": "PS512" }"#,
        "`key_ops` and `alg` disagree",
    ),
    (
        RSA,
        r#"{ "alg": "hunter2" }"#,
        "`alg` is none that this host has for such a key; expected RSA-OAEP-256, ",
    ),
    (RSA, r#"{ "alg": "ES256" }"#, "`alg` is none"),
    (RSA, r#"{ "alg": 7 }"#, "`alg` is none"),
    (
        AES,
        r#"{ "alg": "HS256", "use": "sig" }"#,
        "`alg` is none that this host has for such a key; expected A256KW, A256CBC-NOPAD",
    ),
    (AES, r#"{ "use": "sig" }"#, NOTHING),
    (EC, r#"{ "key_ops": ["deriveKey"] }"#, NOTHING),
    (RSA_PUBLIC, r#"{ "key_ops": ["sign"] }"#, NOTHING),
    (
        RSA_PUBLIC,
        r#"{ "use": "enc", "key_ops": ["unwrapKey"] }"#,
        NOTHING,
    ),
];

#[test]
fn what_contradicts_itself_is_told_at_once() {
    for (json, members, expected) in CONTRADICTIONS {
        let problem = said(json, serde_json::from_str(members).expect("members")).err();
        let problem = problem.unwrap_or_else(|| panic!("{members} is refused"));
        assert!(problem.starts_with(expected), "{members}: {problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}
