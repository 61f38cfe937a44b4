//! The block over a driver that keeps one symmetric key and one that only signs.

mod held;

use super::*;
use crate::{Metrics, Trace};
use std::time::{Duration, Instant};
use wythe_manifest::{Grants, parse_resources};

/// Wraps by turning each byte, so that a test can make wrapped keys of its own.
struct Turned;

#[async_trait]
impl Driver for Turned {
    async fn describe(&self, key: &str) -> Result<KeyInfo> {
        let wraps = match key {
            "k" => vec![WrapAlgorithm::A128Kw, WrapAlgorithm::A256Kw],
            "signs" => Vec::new(),
            _ => return Err(Error::not_found("it is not there")),
        };
        Ok(KeyInfo {
            wrap: wraps,
            unwrap: true,
            sign: vec![SignatureAlgorithm::EdDsa],
            public: None,
        })
    }

    async fn wrap(&self, _: &str, _: WrapAlgorithm, plain: &[u8]) -> Result<Vec<u8>> {
        Ok(plain.iter().map(|byte| !byte).collect())
    }

    async fn unwrap(&self, _: &str, algorithm: WrapAlgorithm, wrapped: &[u8]) -> Result<Vec<u8>> {
        match algorithm {
            WrapAlgorithm::A256Kw if wrapped == [0; 32] => Err(Error::unavailable("away")),
            WrapAlgorithm::A256Kw => Ok(wrapped.iter().map(|byte| !byte).collect()),
            other => Err(Error::invalid(format!("no {other} here"))),
        }
    }

    async fn sign(&self, _: &str, _: SignatureAlgorithm, digest: &[u8]) -> Result<Vec<u8>> {
        Ok(digest.to_vec())
    }

    async fn verify(&self, _: &str, _: SignatureAlgorithm, d: &[u8], s: &[u8]) -> Result<bool> {
        Ok(d == s)
    }

    async fn names(&self) -> Result<Vec<String>> {
        Ok(vec!["gone".into(), "k".into()])
    }
}

fn block() -> Crypto {
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: vault }\nspec: { type: crypto.turned, version: v1 }\nscopes: [app]\n";
    let (resources, problems) = parse_resources(text, std::path::Path::new("vault.yaml"));
    assert!(problems.is_empty(), "{problems}");
    let driver = Arc::new(Configured {
        driver: Arc::new(Turned),
    });
    let component = Component::new(
        &"t".parse().unwrap(),
        "crypto",
        OPERATIONS,
        &resources.components[0],
        driver,
    );
    let crypto = Crypto::default();
    crypto.components.insert(&Metrics::default(), component);
    crypto
}

fn caller(app: &str, grants: &[&str]) -> Call {
    let grants = Grants {
        crypto: grants.iter().map(|grant| grant.parse().unwrap()).collect(),
        ..Grants::default()
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    let (tenant, app) = ("default".parse().unwrap(), app.parse().unwrap());
    Call::app(tenant, app, Arc::new(grants), Trace::start(), deadline)
}

async fn key() -> (Key, Call) {
    let caller = caller("app", &["vault/k"]);
    let key = block().open_key(&caller, "vault", "k").await.unwrap();
    (key, caller)
}

async fn encrypted(size: usize) -> (Key, Call, Vec<u8>, Vec<u8>) {
    let (key, caller) = key().await;
    let data: Vec<u8> = (0..size).map(|at| (at ^ (at >> 8)) as u8).collect();
    let sealed = key.encrypt(&caller, &data, EncryptOptions::default()).await;
    (key, caller, data, sealed.unwrap())
}

#[track_caller]
fn is<T>(result: Result<T>, kind: Kind, message: &str) {
    let error = result.err().expect("an error");
    assert_eq!((error.kind(), error.message()), (kind, message));
}

#[tokio::test]
async fn a_key_is_opened_by_those_who_may() {
    let block = block();
    let open = async |app, grants: &[&str], component, name| {
        block
            .open_key(&caller(app, grants), component, name)
            .await
            .map(|_| ())
    };
    assert!(open("app", &["vault/k"], "vault", "k").await.is_ok());
    assert!(open("app", &["vault"], "vault", "k").await.is_ok());
    let denied = open("app", &["vault/other"], "vault", "k")
        .await
        .unwrap_err();
    assert_eq!(denied.kind(), Kind::Denied);
    let expected = "app `app` is not granted key `k` of crypto component `vault`; add it to `grants: { crypto: [vault/k] }` at ";
    assert!(denied.message().starts_with(expected), "{denied}");
    let missing = "no key `none` in crypto component `vault`";
    is(
        open("app", &["vault"], "vault", "none").await,
        Kind::NotFound,
        missing,
    );
    let missing = "no crypto component `vault` for app `other`";
    is(
        open("other", &["*"], "vault", "k").await,
        Kind::NotFound,
        missing,
    );
    let wrong = "a key's name has 1 to 256 bytes and no control characters";
    for name in ["", "a\nb", &"k".repeat(257)] {
        is(
            open("app", &["*"], "vault", name).await,
            Kind::Invalid,
            wrong,
        );
    }
}

#[tokio::test]
async fn a_message_comes_back_whatever_the_chunks() {
    let mut state: u64 = 7;
    let mut below = |end: u64| {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 33) % end
    };
    for size in [0, 1, 65_535, 65_536, 65_537, 131_072, 131_088, 300_000] {
        let (key, caller, data, _) = encrypted(size).await;
        for _ in 0..4 {
            let mut transform = key
                .encryptor(&caller, EncryptOptions::default())
                .await
                .unwrap();
            let sealed = through(&caller, &mut transform, &data, &mut below).await;
            let opened = through(&caller, &mut key.decryptor(), &sealed, &mut below).await;
            assert!(opened == data, "{size} bytes");
            assert!(
                key.decrypt(&caller, &sealed).await.unwrap() == data,
                "{size} bytes"
            );
        }
    }
}

async fn through(
    caller: &Call,
    transform: &mut Transform,
    mut data: &[u8],
    below: &mut impl FnMut(u64) -> u64,
) -> Vec<u8> {
    let mut out = Vec::new();
    let largest = [3, 1_000, 70_000, 200_000][below(4) as usize];
    // Chunks of single bytes are tried at the beginning, where the header is.
    while !data.is_empty() {
        let largest = if out.len() > 1_000 { 70_000 } else { largest };
        let (now, later) = data.split_at(data.len().min(below(largest) as usize));
        out.extend(transform.push(caller, now).await.unwrap());
        data = later;
    }
    out.extend(transform.finish().await.unwrap());
    out
}

const ONE_ERROR: &str = "the message cannot be decrypted with this key";

/// Every change of a message comes to the same error, in one piece and in chunks.
#[tokio::test]
async fn a_changed_message_fails_with_one_error() {
    let (key, caller, _, sealed) = encrypted(150_000).await;
    let header = sealed.len() - 150_000 - 3 * TAG;
    let (first, second) = (header + SEGMENT + TAG, header + 2 * (SEGMENT + TAG));
    let mut changed = vec![
        sealed[..5].to_vec(),
        sealed[..header - 1].to_vec(),
        sealed[..header].to_vec(),
        sealed[..header + 1].to_vec(),
        sealed[..first].to_vec(),
        sealed[..second].to_vec(),
        sealed[..sealed.len() - 1].to_vec(),
        [&sealed[..], &[0]].concat(),
        [&sealed[..], &[0; TAG]].concat(),
        // Reordered, doubled, and one left out.
        [
            &sealed[..header],
            &sealed[first..second],
            &sealed[header..first],
            &sealed[second..],
        ]
        .concat(),
        [&sealed[..second], &sealed[first..]].concat(),
        [&sealed[..header], &sealed[first..]].concat(),
        Vec::new(),
    ];
    for at in [
        0,
        16,
        20,
        header - 3,
        header,
        first - 1,
        second + 5,
        sealed.len() - 1,
    ] {
        changed.push(flipped(&sealed, at));
    }
    for (number, message) in changed.iter().enumerate() {
        let whole = key.decrypt(&caller, message).await.map(|_| ());
        is_the_one_error(whole, number);
        is_the_one_error(chunked(&key, &caller, message).await, number);
    }
}

fn flipped(message: &[u8], at: usize) -> Vec<u8> {
    let mut flipped = message.to_vec();
    flipped[at] ^= 1;
    flipped
}

fn is_the_one_error(result: Result<()>, number: usize) {
    let error = result.expect_err("an error");
    let reported = (error.kind(), error.message());
    assert_eq!(reported, (Kind::Invalid, ONE_ERROR), "{number}");
}

async fn chunked(key: &Key, caller: &Call, message: &[u8]) -> Result<()> {
    let mut transform = key.decryptor();
    for chunk in message.chunks(10_000) {
        transform.push(caller, chunk).await?;
    }
    transform.finish().await.map(|_| ())
}

#[tokio::test]
async fn a_decryptor_hands_out_nothing_that_is_not_authentic() {
    let (key, caller, data, mut sealed) = encrypted(150_000).await;
    let last = sealed.len() - 1;
    sealed[last] ^= 1;
    let mut transform = key.decryptor();
    let out = transform.push(&caller, &sealed).await.unwrap();
    assert!(out == data[..2 * SEGMENT]);
    is(transform.finish().await, Kind::Invalid, ONE_ERROR);
    let over = "the message is over: nothing may follow `finish` or an error";
    is(transform.push(&caller, b"more").await, Kind::Invalid, over);
    is(transform.finish().await, Kind::Invalid, over);
}

#[tokio::test]
async fn a_driver_that_is_away_is_not_a_wrong_message() {
    let (key, caller) = key().await;
    let file_key = scheme::FileKey::random(Cipher::AesGcm).unwrap();
    let away = scheme::Header::write(None, WrapAlgorithm::A256Kw, &[0; 32], &file_key).unwrap();
    let error = key.decrypt(&caller, &away).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unavailable);
    let misfit = scheme::Header::write(None, WrapAlgorithm::A128Cbc, &[1; 32], &file_key).unwrap();
    is(
        key.decrypt(&caller, &misfit).await,
        Kind::Invalid,
        ONE_ERROR,
    );
}

#[tokio::test]
async fn sizes_have_bounds() {
    let (key, caller) = key().await;
    let data = vec![0; 5 << 20];
    let encrypted = key.encrypt(&caller, &data, EncryptOptions::default()).await;
    let message = "5242880 bytes to encrypt in one piece; at most 4194304 are taken, more goes through `encryptor`";
    is(encrypted, Kind::Invalid, message);
    let decrypted = key.decrypt(&caller, &data).await;
    let message = "a message of 5242880 bytes to decrypt in one piece; at most 4260864 are taken, more goes through `decryptor`";
    is(decrypted, Kind::Invalid, message);
    let mut encryptor = key
        .encryptor(&caller, EncryptOptions::default())
        .await
        .unwrap();
    let pushed = encryptor.push(&caller, &data).await;
    is(
        pushed,
        Kind::Invalid,
        "a chunk of 5242880 bytes; at most 4194304 are taken",
    );
    let largest = &data[..MAX_DATA];
    let sealed = key
        .encrypt(&caller, largest, EncryptOptions::default())
        .await
        .unwrap();
    assert!(key.decrypt(&caller, &sealed).await.unwrap() == largest);
    let long = key.sign(&caller, &data, SignatureAlgorithm::EdDsa).await;
    is(
        long,
        Kind::Invalid,
        "a message of 5242880 bytes; `eddsa` takes at most 4194304",
    );
    let signature = vec![0; 4_000];
    let verified = key
        .verify(&caller, &signature, &signature, SignatureAlgorithm::EdDsa)
        .await;
    assert!(!verified.unwrap(), "no signature is that long");
}

#[tokio::test]
async fn options_go_into_the_message() {
    let (key, caller) = key().await;
    let seal = async |options: EncryptOptions| {
        let sealed = key.encrypt(&caller, b"data", options).await?;
        Ok(String::from_utf8_lossy(&sealed).into_owned())
    };
    let plain = seal(EncryptOptions::default()).await.unwrap();
    assert!(plain.contains("{\"k\":\"k\",\"kw\":1,"), "{plain}");
    assert!(plain.contains(",\"cph\":1,"), "{plain}");
    let omitted = EncryptOptions {
        omit_key_name: true,
        cipher: Cipher::ChaCha20Poly1305,
        ..EncryptOptions::default()
    };
    let omitted = seal(omitted).await.unwrap();
    assert!(
        omitted.contains("\n{\"kw\":1,") && omitted.contains("\"cph\":2"),
        "{omitted}"
    );
    let other = EncryptOptions {
        decryption_key: Some("pair/2".into()),
        ..EncryptOptions::default()
    };
    let other = seal(other).await.unwrap();
    assert!(other.contains("{\"k\":\"pair/2\","), "{other}");
    let wrong = EncryptOptions {
        wrap: Some(WrapAlgorithm::RsaOaep),
        ..EncryptOptions::default()
    };
    let message = "`rsa-oaep` only wraps keys; a message is encrypted with a256-kw, a128-cbc, a192-cbc, a256-cbc, rsa-oaep-256";
    is::<String>(seal(wrong).await, Kind::Invalid, message);
    let signs = caller_and("signs").await;
    let encrypted = signs
        .0
        .encrypt(&signs.1, b"data", EncryptOptions::default())
        .await;
    let message = "key `signs` encrypts no messages; one that does has one of a256-kw, a128-cbc, a192-cbc, a256-cbc, rsa-oaep-256";
    is(encrypted, Kind::Invalid, message);
}

async fn caller_and(name: &str) -> (Key, Call) {
    let caller = caller("app", &["vault"]);
    let key = block().open_key(&caller, "vault", name).await.unwrap();
    (key, caller)
}

#[tokio::test]
async fn a_message_may_name_its_key() {
    let (key, caller, data, sealed) = encrypted(100).await;
    let block = block();
    let opened = block
        .decrypt_named(&caller, "vault", &sealed)
        .await
        .unwrap();
    assert_eq!(opened, data);
    let named = async |name: &str| {
        let options = EncryptOptions {
            decryption_key: Some(name.into()),
            ..EncryptOptions::default()
        };
        let sealed = key.encrypt(&caller, b"data", options).await.unwrap();
        block.decrypt_named(&caller, "vault", &sealed).await
    };
    let denied = named("other").await.unwrap_err();
    assert_eq!(denied.kind(), Kind::Denied, "{denied}");
    let options = EncryptOptions {
        omit_key_name: true,
        ..EncryptOptions::default()
    };
    let nameless = key.encrypt(&caller, b"data", options).await.unwrap();
    let message = "the message names no key; open the key that decrypts it";
    is(
        block.decrypt_named(&caller, "vault", &nameless).await,
        Kind::Invalid,
        message,
    );
    assert_eq!(key.decrypt(&caller, &nameless).await.unwrap(), b"data");
    is(
        block.decrypt_named(&caller, "vault", b"junk").await,
        Kind::Invalid,
        ONE_ERROR,
    );
}

#[tokio::test]
async fn the_operator_sees_every_key() {
    let keys = block().keys(&caller("app", &[]), "vault").await.unwrap();
    let [(gone, problem), (name, info)] = &keys[..] else {
        panic!("{} keys", keys.len());
    };
    assert_eq!((gone.as_str(), name.as_str()), ("gone", "k"));
    let problem = problem.as_ref().unwrap_err().message();
    assert_eq!(problem, "no key `gone` in crypto component `vault`");
    assert!(info.is_ok());
}
