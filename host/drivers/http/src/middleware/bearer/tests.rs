//! Tokens that are good, and the many ways in which one is not.

mod servers;

use super::*;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use std::{fs, path::Path};
use tempfile::TempDir;
use tokio::time::sleep;
use wythe_blocks::Kind;
use wythe_manifest::AnchoredPath;

const ISSUER: &str = "https://login.example.com";

/// A pair of keys of an issuer: what signs, and the JWK of what checks.
struct Pair {
    signs: EncodingKey,
    jwk: Value,
}

fn ec(id: &str) -> Pair {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random);
    let document = document.expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref());
    let public = pair.expect("a key").public_key().as_ref().to_vec();
    let [x, y] = [&public[1..33], &public[33..65]].map(|half| URL_SAFE_NO_PAD.encode(half));
    Pair {
        signs: EncodingKey::from_ec_der(document.as_ref()),
        jwk: json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": id, "x": x, "y": y }),
    }
}

fn ed(id: &str) -> Pair {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key");
    let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
    Pair {
        signs: EncodingKey::from_ed_der(document.as_ref()),
        jwk: json!({ "kty": "OKP", "crv": "Ed25519", "kid": id, "x": x }),
    }
}

fn set(pairs: &[&Pair]) -> String {
    let keys: Vec<_> = pairs.iter().map(|pair| &pair.jwk).collect();
    json!({ "keys": keys }).to_string()
}

fn now() -> i64 {
    i64::try_from(wythe_blocks::time::now() / 1_000).expect("a time")
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": ["other", "shop"], "exp": now() + 600, "sub": "me" })
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[key] = value;
    claims
}

fn signed(pair: &Pair, algorithm: Algorithm, id: Option<&str>, claims: &Value) -> String {
    let header = Header {
        kid: id.map(str::to_owned),
        ..Header::new(algorithm)
    };
    encode(&header, claims, &pair.signs).expect("a token")
}

fn config() -> Config {
    Config {
        issuer: ISSUER.to_owned(),
        audience: "shop".to_owned(),
        jwks_url: None,
        jwks_path: Some("keys.json".to_owned()),
        algorithms: None,
        clock_skew: None,
    }
}

async fn bearer(config: Config, origin: Origin) -> Result<Bearer> {
    let parsed = parse(config).map_err(Error::from)?;
    let source = Source::open("auth".to_owned(), parsed.issuer, origin).await?;
    Ok(Bearer {
        validation: parsed.validation,
        source,
    })
}

fn file(path: &Path) -> Origin {
    Origin::File(AnchoredPath::new(None, path))
}

/// A handler whose keys are in a file.
async fn with_keys(keys: &str) -> (Bearer, TempDir) {
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().join("keys.json");
    fs::write(&path, keys).expect("a file");
    let bearer = bearer(config(), file(&path)).await.expect("keys");
    (bearer, place)
}

fn headers(values: &[String]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, value.parse().expect("a header"));
    }
    headers
}

/// The reason for which a token is refused; none where it passes.
async fn refusal(bearer: &Bearer, token: &str) -> Option<String> {
    let checked = bearer.check(&headers(&[format!("Bearer {token}")])).await;
    checked.err().map(|error| {
        assert_eq!(error.detail(), Some(Detail::Unauthenticated));
        assert!(!error.chain().contains(token), "{}", error.chain());
        error.message().to_owned()
    })
}

#[tokio::test]
async fn a_token_of_the_issuer_passes() {
    let (one, two) = (ec("one"), ed("two"));
    let (bearer, _place) = with_keys(&set(&[&one, &two])).await;
    for token in [
        signed(&one, Algorithm::ES256, Some("one"), &claims()),
        // One that names no key has the only one that fits.
        signed(&one, Algorithm::ES256, None, &claims()),
        signed(&two, Algorithm::EdDSA, Some("two"), &claims()),
        signed(&one, Algorithm::ES256, None, &with("aud", json!("shop"))),
        signed(
            &one,
            Algorithm::ES256,
            None,
            &with("exp", json!(now() - 30)),
        ),
        signed(
            &one,
            Algorithm::ES256,
            None,
            &with("nbf", json!(now() + 30)),
        ),
    ] {
        assert_eq!(refusal(&bearer, &token).await, None, "{token}");
    }
    let token = signed(&one, Algorithm::ES256, Some("one"), &claims());
    let lower = headers(&[format!("bearer  {token}")]);
    assert!(bearer.check(&lower).await.is_ok());
}

#[tokio::test]
async fn a_token_that_is_wrong_is_refused() {
    let (one, other) = (ec("one"), ec("one"));
    let (bearer, _place) = with_keys(&set(&[&one])).await;
    let es = |claims: &Value| signed(&one, Algorithm::ES256, Some("one"), claims);
    let mut without = claims();
    without.as_object_mut().expect("claims").remove("exp");
    let mut nobody = claims();
    nobody.as_object_mut().expect("claims").remove("aud");
    let foreign = signed(&other, Algorithm::ES256, Some("one"), &claims());
    for (token, expected) in [
        (
            es(&with("exp", json!(now() - 120))),
            "the token has expired",
        ),
        (
            es(&with("nbf", json!(now() + 120))),
            "the token is not valid yet",
        ),
        (
            es(&with("iss", json!("https://evil.example.com"))),
            "the token is of another issuer",
        ),
        (
            es(&with("aud", json!("bank"))),
            "the token is for another audience",
        ),
        (es(&without), "the token lacks `exp`, `iss` or `aud`"),
        (es(&nobody), "the token lacks `exp`, `iss` or `aud`"),
        (foreign, "the signature of the token is not the issuer's"),
        (
            signed(&one, Algorithm::ES256, Some("two"), &claims()),
            "no key of the issuer is the token's",
        ),
        ("not.a.token".to_owned(), "the token is no JWT"),
        ("x".repeat(TOKEN + 1), "the token has more than 16 KiB"),
    ] {
        assert_eq!(refusal(&bearer, &token).await.as_deref(), Some(expected));
    }
}

/// A token whose head is as it is written here, and whose signature is this one.
fn raw(head: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(head), part(&claims()))
}

#[tokio::test]
async fn an_algorithm_is_one_of_the_list_and_of_its_key() {
    let one = ec("one");
    let shared = b"a key that both sides know, of 32 bytes and more".as_slice();
    let oct = json!({ "kty": "oct", "kid": "shared", "k": URL_SAFE_NO_PAD.encode(shared) });
    let keys = json!({ "keys": [one.jwk, oct] });
    let (bearer, _place) = with_keys(&keys.to_string()).await;
    let wrong = "the algorithm of the token is not one of `algorithms`";
    // Signed by the public key, which everybody has, as if it were a shared one.
    let public = one.jwk["x"].as_str().expect("a text").as_bytes();
    for secret in [public, shared] {
        let header = Header {
            kid: Some("shared".to_owned()),
            ..Header::new(Algorithm::HS256)
        };
        let key = EncodingKey::from_secret(secret).expect("a key");
        let token = encode(&header, &claims(), &key).expect("a token");
        assert_eq!(refusal(&bearer, &token).await.as_deref(), Some(wrong));
    }
    for (head, expected) in [
        (json!({ "alg": "none" }), "the token is no JWT"),
        (
            json!({ "alg": "None", "kid": "one" }),
            "the token is no JWT",
        ),
        (
            json!({ "alg": "RS256", "kid": "one" }),
            "no key of the issuer is the token's",
        ),
        (
            json!({ "alg": "ES256", "kid": "one", "crit": ["exp"] }),
            "the token has a `crit` that is not understood",
        ),
    ] {
        let token = raw(&head, "");
        assert_eq!(refusal(&bearer, &token).await.as_deref(), Some(expected));
    }
}

#[tokio::test]
async fn an_algorithm_that_is_not_listed_is_refused() {
    let one = ec("one");
    let (bearer, _place) = with_keys(&set(&[&one])).await;
    let wrong = "the algorithm of the token is not one of `algorithms`";
    let only = Config {
        algorithms: Some("RS256".to_owned()),
        ..config()
    };
    let validation = parse(only)
        .map_err(Error::from)
        .expect("a config")
        .validation;
    let bearer = Bearer {
        validation,
        ..bearer
    };
    let token = signed(&one, Algorithm::ES256, Some("one"), &claims());
    assert_eq!(refusal(&bearer, &token).await.as_deref(), Some(wrong));
}

#[tokio::test]
async fn there_is_one_header_with_one_token() {
    let one = ec("one");
    let (bearer, _place) = with_keys(&set(&[&one])).await;
    let good = format!(
        "Bearer {}",
        signed(&one, Algorithm::ES256, Some("one"), &claims())
    );
    for (values, expected) in [
        (vec![], "there is no token"),
        (
            vec!["Basic bWU6aXQ=".to_owned()],
            "`Authorization` has another scheme than `Bearer`",
        ),
        (
            vec![good.clone(), good],
            "there is more than one `Authorization`",
        ),
        (vec!["Bearer".to_owned()], "there is no token"),
    ] {
        let error = bearer.check(&headers(&values)).await.expect_err(expected);
        assert_eq!(error.message(), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn keys_are_read_anew_and_old_ones_go_on_for_a_day() {
    let (one, two) = (ec("one"), ec("two"));
    let (bearer, place) = with_keys(&set(&[&one])).await;
    let path = place.path().join("keys.json");
    let token = |pair, id| signed(pair, Algorithm::ES256, Some(id), &claims());
    fs::write(&path, set(&[&two])).expect("a file");
    sleep(Duration::from_secs(11)).await;
    assert_eq!(refusal(&bearer, &token(&two, "two")).await, None);
    assert!(refusal(&bearer, &token(&one, "one")).await.is_some());
    // What cannot be read changes nothing, for a day.
    for broken in ["", "{}", "{\"keys\": []}"] {
        fs::write(&path, broken).expect("a file");
        sleep(Duration::from_secs(11)).await;
        assert_eq!(refusal(&bearer, &token(&two, "two")).await, None);
    }
    assert!(bearer.health().await.is_ok());
    sleep(Duration::from_secs(24 * 3600)).await;
    let good = headers(&[format!("Bearer {}", token(&two, "two"))]);
    let error = bearer.check(&good).await.expect_err("keys of yesterday");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(error.message().contains("for more than 24 h"), "{error}");
    assert!(bearer.health().await.is_err());
}

#[test]
fn a_config_says_one_place_and_known_algorithms() {
    let wrong = |config| {
        parse(config)
            .map(drop)
            .map_err(Error::from)
            .expect_err("wrong")
    };
    let both = Config {
        jwks_url: Some("https://login.example.com/keys".to_owned()),
        ..config()
    };
    let expected = "`jwksPath` beside `jwksURL`; expected one of them";
    assert_eq!(wrong(both).message(), expected);
    for name in ["HS256", "none", "ES512", ""] {
        let config = Config {
            algorithms: Some(name.to_owned()),
            ..config()
        };
        let expected = format!("`algorithms` has `{name}`; expected some of RS256");
        assert!(wrong(config).message().starts_with(&expected));
    }
    let skewed = Config {
        clock_skew: Some("6m".parse().expect("a time")),
        ..config()
    };
    assert_eq!(wrong(skewed).message(), "`clockSkew`; expected at most 5m");
    let empty = Config {
        audience: " ".to_owned(),
        ..config()
    };
    assert_eq!(wrong(empty).message(), "`audience` is empty; expected one");
}
