//! Tokens of strangers and sets of keys, as a target of the fuzzer.

use super::*;
use crate::fuzzing::line;
use http::HeaderValue;
use serde_json::Value;

/// Algorithms by which no token of a stranger is ever checked: whoever can check could sign.
const SHARED: [Algorithm; 3] = [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];

/// A line that is the value of `Authorization`, and a set of keys. The seeds have tokens that their keys have signed.
pub fn token(data: &[u8]) {
    let (value, set) = line(data);
    let keys = Keys::parse(set).ok();
    if let Some(keys) = &keys {
        check(keys, set);
    }
    let Ok(value) = HeaderValue::from_bytes(value) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.append(header::AUTHORIZATION, value.clone());
    let Ok(token) = super::token(&headers).map(str::to_owned) else {
        return;
    };
    assert!(token == token.trim() && (1..=TOKEN).contains(&token.len()));
    headers.append(header::AUTHORIZATION, value);
    assert!(super::token(&headers).is_err(), "two are as good as none");
    if let Some(keys) = keys {
        prove(&token, &keys);
    }
}

/// A set has a key that is not shared, and finds none for what is signed by one that is.
fn check(keys: &Keys, set: &[u8]) {
    let read: Value = serde_json::from_slice(set).expect("a set is JSON");
    let read = read["keys"].as_array().expect("a list of keys");
    assert!(read.iter().any(|key| key["kty"] != "oct"));
    let ids = read.iter().filter_map(|key| key["kid"].as_str()).map(Some);
    for id in ids.chain([None]) {
        assert!(SHARED.iter().all(|one| keys.find(id, *one).is_none()));
    }
}

/// A token that passes was signed as it is: with another signature, or other claims, it passes no more.
fn prove(token: &str, keys: &Keys) {
    let config = Config {
        issuer: "https://login.example.com".to_owned(),
        audience: "shop".to_owned(),
        jwks_url: None,
        jwks_path: Some("keys.json".to_owned()),
        algorithms: None,
        clock_skew: None,
    };
    let Ok(Parsed { validation, .. }) = parse(config) else {
        panic!("a good config");
    };
    let passes = |token: &str| {
        let head = head(token, &validation).ok()?;
        assert!(!SHARED.contains(&head.alg) && head.crit.is_none());
        let key = keys.find(head.kid.as_deref(), head.alg)?;
        verify(token, head.alg, key, &validation).ok()
    };
    if passes(token).is_none() {
        return;
    }
    let parts: Vec<&str> = token.split('.').collect();
    let [head, claims, signature] = parts[..] else {
        panic!("a token that passes has three parts");
    };
    // The first letter of a part stands for bits that all count.
    let other = |part: &str| {
        let first = if part.starts_with('A') { "B" } else { "A" };
        format!("{first}{}", part.get(1..).unwrap_or_default())
    };
    for forged in [
        format!("{}.{claims}.{signature}", other(head)),
        format!("{head}.{}.{signature}", other(claims)),
        format!("{head}.{claims}.{}", other(signature)),
        format!("{head}.{claims}."),
    ] {
        assert!(passes(&forged).is_none(), "{forged}");
    }
}
