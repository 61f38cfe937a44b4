//! The rules that hold of keys and their names.

use super::{Known, STORED, Sort, Stored, Subject, signatures::digest};
use futures::future::join_all;
use std::sync::Arc;
use wythe_blocks::{
    Kind, Result,
    crypto::{Driver, KeyInfo, SignatureAlgorithm, WrapAlgorithm},
};

async fn info(driver: &dyn Driver, key: &str) -> KeyInfo {
    driver.describe(key).await.expect("it is described")
}

/// A driver may have fewer algorithms than a key could be for, but no others.
pub(super) async fn described(subject: Subject, key: &'static Stored) {
    let info = info(&*subject.driver(), key.name).await;
    for by in &info.wrap {
        assert!(key.is_for_wrap(*by), "{by}");
    }
    for by in &info.sign {
        assert!(key.is_for_sign(*by), "{by}");
    }
    if !info.wrap.is_empty() {
        assert_eq!(info.unwrap, !key.is_public(), "whether it unwraps");
    }
    let has_public = info.public.is_some();
    assert_eq!(has_public, key.sort != Sort::Symmetric, "the public half");
}

pub(super) async fn public(subject: Subject, key: &'static Stored) {
    let info = info(&*subject.driver(), key.name).await;
    let public = info.public.expect("it has a public half");
    let parse = |json: &str| serde_json::from_str::<serde_json::Value>(json).expect("JSON");
    let (public, stored) = (parse(&public), parse(key.jwk));
    let own: &[&str] = match key.sort {
        Sort::Rsa => &["kty", "n", "e"],
        Sort::Curve => &["kty", "crv", "x", "y"],
        _ => &["kty", "crv", "x"],
    };
    for member in own {
        assert_eq!(public[member], stored[member], "`{member}`");
    }
    let harmless = ["alg", "key_ops", "kid", "use"];
    for member in public.as_object().expect("an object").keys() {
        let member = member.as_str();
        assert!(
            own.contains(&member) || harmless.contains(&member),
            "`{member}` is no part of a public key"
        );
    }
}

pub(super) async fn misfits(subject: Subject, key: &'static Stored) {
    let (driver, name) = (subject.driver(), key.name);
    let info = info(&*driver, name).await;
    fn refused<T>(result: Result<T>, what: &str) {
        let error = result.err().unwrap_or_else(|| panic!("{what} is refused"));
        assert_eq!(error.kind(), Kind::Invalid, "{what}: {error}");
    }
    for by in WrapAlgorithm::ALL {
        if !info.wrap.contains(&by) {
            refused(driver.wrap(name, by, &[1; 32]).await, by.as_str());
            refused(driver.unwrap(name, by, &[1; 40]).await, by.as_str());
        }
    }
    for by in SignatureAlgorithm::ALL {
        if !info.sign.contains(&by) {
            let digest = digest(by, 0);
            refused(driver.sign(name, by, &digest).await, by.as_str());
            let verified = driver.verify(name, by, &digest, &[1; 64]).await;
            refused(verified, by.as_str());
        }
    }
}

async fn is_absent(driver: &dyn Driver, name: &str) {
    fn absent<T>(result: Result<T>, name: &str, what: &str) {
        let error = result.err().unwrap_or_else(|| panic!("{what} of `{name}`"));
        assert_eq!(error.kind(), Kind::NotFound, "{what} of `{name}`: {error}");
    }
    let (wrap, sign) = (WrapAlgorithm::A256Kw, SignatureAlgorithm::Es256);
    absent(driver.describe(name).await, name, "describe");
    absent(driver.wrap(name, wrap, &[1; 32]).await, name, "wrap");
    absent(driver.unwrap(name, wrap, &[1; 40]).await, name, "unwrap");
    absent(driver.sign(name, sign, &[1; 32]).await, name, "sign");
    let verified = driver.verify(name, sign, &[1; 32], &[1; 64]).await;
    absent(verified, name, "verify");
}

pub(super) async fn unknown(subject: Subject) {
    let long = "x".repeat(256);
    for name in ["none", "*", " ", "\u{e9}\u{1f600}", long.as_str()] {
        is_absent(&*subject.driver(), name).await;
    }
}

/// A prefix, another case, spaces around and whatever a path could be made of are other names.
pub(super) async fn exact(subject: Subject, known: Known) {
    let driver = subject.driver();
    for name in known.keys() {
        for other in [
            name[..name.len() - 1].to_owned(),
            name.to_uppercase(),
            format!(" {name}"),
            format!("{name} "),
            format!("./{name}"),
            format!("{name}/"),
            format!("x/../{name}"),
            format!("/{name}"),
        ] {
            if !known.contains_key(other.as_str()) {
                is_absent(&*driver, &other).await;
            }
        }
    }
}

pub(super) async fn in_order(subject: Subject, known: Known) {
    let reported = subject.driver().names().await.expect("names are told");
    assert!(reported.is_sorted(), "{reported:?}");
    let held: Vec<_> = known.keys().copied().collect();
    assert_eq!(reported, held);
}

/// Something that a key can do, done and undone.
async fn works(driver: Arc<dyn Driver>, name: &'static str, info: KeyInfo, seed: u8) {
    if let (Some(by), true) = (info.wrap.first(), info.unwrap) {
        let plain = [seed; 32];
        let wrapped = driver.wrap(name, *by, &plain).await.expect("wrapped");
        let back = driver.unwrap(name, *by, &wrapped).await.expect("unwrapped");
        assert_eq!(back, plain, "`{name}` by {by}");
    }
    if let (Some(by), false) = (info.sign.first(), name.ends_with("-public")) {
        let digest = digest(*by, seed);
        let signature = driver.sign(name, *by, &digest).await.expect("signed");
        let answer = driver.verify(name, *by, &digest, &signature).await;
        assert!(answer.expect("an answer"), "`{name}` by {by}");
    }
}

pub(super) async fn concurrent(subject: Subject, known: Known) {
    let turns = (0..8).flat_map(|seed| known.iter().map(move |(name, info)| (seed, *name, info)));
    let tasks = turns.map(|(seed, name, info)| {
        let works = works(subject.driver(), name, info.clone(), seed);
        async move { tokio::spawn(works).await.expect("it works") }
    });
    join_all(tasks).await;
}

pub(super) async fn restart(mut subject: Subject, known: Known) {
    let mut signed = Vec::new();
    for (name, info) in &known {
        for by in info.sign.iter().filter(|_| !name.ends_with("-public")) {
            let signature = subject.driver().sign(name, *by, &digest(*by, 9)).await;
            signed.push((name, *by, signature.expect("signed")));
        }
    }
    subject.reopen().await;
    let driver = subject.driver();
    for (name, by, signature) in signed {
        let answer = driver.verify(name, by, &digest(by, 9), &signature).await;
        assert!(answer.expect("an answer"), "`{name}` by {by}");
    }
    for stored in &STORED {
        if let Some(before) = known.get(stored.name) {
            assert_eq!(&info(&*driver, stored.name).await, before);
        }
    }
}
