//! The vectors that others published of each algorithm, valid and invalid, through the driver that the host has for it.

use super::open;
use crate::list;
use aws_lc_rs::aead::{AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use conformance::runtime;
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::{path::Path, sync::Arc};
use wythe_blocks::crypto::{Driver, SignatureAlgorithm, WrapAlgorithm};

#[derive(Deserialize)]
struct Vectors {
    algorithm: String,
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    key: serde_json::Map<String, serde_json::Value>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    id: u32,
    about: String,
    valid: bool,
    #[serde(default)]
    message: String,
    #[serde(default)]
    signature: String,
    #[serde(default)]
    plain: String,
    #[serde(default)]
    wrapped: String,
    #[serde(default)]
    nonce: String,
    #[serde(default)]
    aad: String,
    #[serde(default)]
    sealed: String,
}

/// The names of the encryption scheme's own ciphers.
const CIPHERS: [&str; 2] = ["aes-gcm", "chacha20-poly1305"];

/// Trials, one for every algorithm that the host has.
pub(super) fn trials() -> Vec<Trial> {
    let wraps = WrapAlgorithm::ALL.map(WrapAlgorithm::as_str);
    let signatures = SignatureAlgorithm::ALL.map(SignatureAlgorithm::as_str);
    let all = wraps.into_iter().chain(signatures).chain(CIPHERS);
    let trials = all.map(|algorithm| {
        let name = format!("crypto::vectors::{algorithm}");
        Trial::test(name, move || run(algorithm))
    });
    trials.collect()
}

fn run(algorithm: &str) -> Result<(), Failed> {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let json = std::fs::read(vectors.join(format!("{algorithm}.json")))?;
    let vectors: Vectors = serde_json::from_slice(&json)?;
    assert_eq!(vectors.algorithm, algorithm);
    let cases = vectors.groups.iter().flat_map(|group| &group.cases);
    assert!(cases.count() >= 4, "there are cases");
    runtime()?.block_on(async {
        for group in vectors.groups {
            check(algorithm, group).await;
        }
    });
    Ok(())
}

async fn check(algorithm: &str, group: Group) {
    if CIPHERS.contains(&algorithm) {
        let key = group.key["k"].as_str().expect("a key");
        let key = URL_SAFE_NO_PAD.decode(key).expect("base64");
        for case in &group.cases {
            cipher(algorithm, &key, case);
        }
        return;
    }
    let driver = driver(group.key).await;
    for case in &group.cases {
        match algorithm.parse::<WrapAlgorithm>() {
            Ok(by) => wrap(&*driver, by, case).await,
            Err(_) => {
                let by = algorithm.parse().expect("it signs");
                signature(&*driver, by, case).await;
            }
        }
    }
}

/// A driver with the one key `k`.
async fn driver(mut key: serde_json::Map<String, serde_json::Value>) -> Arc<dyn Driver> {
    key.insert("kid".into(), "k".into());
    let jwks = serde_json::json!({ "keys": [key] }).to_string();
    let directory = tempfile::tempdir().expect("a directory");
    let open = open(list::find("crypto.memory"), &jwks)(directory.path());
    open().await.expect("it is a key")
}

async fn wrap(driver: &dyn Driver, by: WrapAlgorithm, case: &Case) {
    let (plain, wrapped) = (bytes(&case.plain), bytes(&case.wrapped));
    let back = driver.unwrap("k", by, &wrapped).await;
    assert_eq!(back.is_ok(), case.valid, "{case}");
    if let Ok(back) = back {
        assert_eq!(back, plain, "{case}");
    }
    // No other has the same wrapped key each time.
    if case.valid && by.as_str().ends_with("-kw") {
        let again = driver.wrap("k", by, &plain).await;
        assert_eq!(again.expect("it wraps"), wrapped, "{case}");
    }
}

async fn signature(driver: &dyn Driver, by: SignatureAlgorithm, case: &Case) {
    let message = bytes(&case.message);
    let digest = match by.digest() {
        Some(("SHA-256", _)) => Sha256::digest(&message).to_vec(),
        Some(("SHA-384", _)) => Sha384::digest(&message).to_vec(),
        Some(_) => Sha512::digest(&message).to_vec(),
        None => message,
    };
    let answer = driver
        .verify("k", by, &digest, &bytes(&case.signature))
        .await;
    assert_eq!(answer.expect("an answer"), case.valid, "{case}");
}

/// Checks the ciphers as the encryption scheme has them.
fn cipher(algorithm: &str, key: &[u8], case: &Case) {
    let cipher = match algorithm {
        "aes-gcm" => &AES_256_GCM,
        _ => &CHACHA20_POLY1305,
    };
    let key = LessSafeKey::new(UnboundKey::new(cipher, key).expect("a key"));
    let nonce = || Nonce::try_assume_unique_for_key(&bytes(&case.nonce)).expect("a nonce");
    let (plain, sealed) = (bytes(&case.plain), bytes(&case.sealed));
    let mut opened = sealed.clone();
    let opened = key.open_in_place(nonce(), Aad::from(bytes(&case.aad)), &mut opened);
    assert_eq!(opened.is_ok(), case.valid, "{case}");
    if case.valid {
        assert_eq!(opened.expect("it is valid"), plain, "{case}");
        let mut again = plain;
        let aad = Aad::from(bytes(&case.aad));
        key.seal_in_place_append_tag(nonce(), aad, &mut again)
            .expect("it seals");
        assert_eq!(again, sealed, "{case}");
    }
}

fn bytes(hexadecimal: &str) -> Vec<u8> {
    let digits = (0..hexadecimal.len()).step_by(2);
    let byte = |at| u8::from_str_radix(&hexadecimal[at..at + 2], 16);
    digits.map(|at| byte(at).expect("hexadecimal")).collect()
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "case {}: {}", self.id, self.about)
    }
}
