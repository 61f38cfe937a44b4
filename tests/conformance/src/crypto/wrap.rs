//! Keys that wrap other keys, and what every key says of itself.

use super::{KEYS, Subject};
use wythe_blocks::{
    Kind,
    crypto::{Driver, SignatureAlgorithm, WrapAlgorithm, not_unwrapped},
};

const PLAIN: [u8; 32] = *b"a key of thirty-two bytes, awake";

pub(super) async fn names(subject: Subject) {
    let names = subject.driver().names().await.expect("names");
    assert!(names.is_sorted(), "{names:?}");
    assert!(!names.is_empty(), "the suite needs some key");
    for name in names {
        assert!(
            KEYS.contains(&name.as_str()),
            "`{name}` is no key of the suite"
        );
    }
}

pub(super) async fn absent(subject: Subject) {
    let driver = subject.driver();
    let kind = |error: wythe_blocks::Error| error.kind();
    assert_eq!(
        driver.describe("nobody").await.map_err(kind),
        Err(Kind::NotFound)
    );
    let wrapped = driver.wrap("nobody", WrapAlgorithm::A256Kw, &PLAIN).await;
    assert_eq!(wrapped.map_err(kind), Err(Kind::NotFound));
    let signature = driver.sign("nobody", SignatureAlgorithm::EdDsa, b"x").await;
    assert_eq!(signature.map_err(kind), Err(Kind::NotFound));
}

pub(super) async fn described(subject: Subject) {
    let driver = subject.driver();
    for name in driver.names().await.expect("names") {
        let info = driver.describe(&name).await.expect("a description");
        assert!(
            !info.wrap.is_empty() || !info.sign.is_empty(),
            "`{name}` is good for nothing"
        );
        let is_symmetric = name.starts_with("aes");
        assert_eq!(info.public.is_none(), is_symmetric, "{name}");
        assert_eq!(info.unwrap, is_symmetric || name == "rsa", "{name}");
    }
}

async fn round_trip(driver: &dyn Driver, name: &str, algorithm: WrapAlgorithm) -> Vec<u8> {
    let wrapped = driver.wrap(name, algorithm, &PLAIN).await;
    let wrapped = wrapped.unwrap_or_else(|error| panic!("{algorithm}: {}", error.chain()));
    assert_ne!(wrapped, PLAIN);
    let plain = driver.unwrap(name, algorithm, &wrapped).await;
    assert_eq!(plain.expect("the key"), PLAIN, "{algorithm}");
    wrapped
}

pub(super) async fn symmetric(subject: Subject, name: &str) {
    let driver = subject.driver();
    let info = driver.describe(name).await.expect("a description");
    for algorithm in info.wrap {
        let wrapped = round_trip(&*driver, name, algorithm).await;
        let more = [
            WrapAlgorithm::A128Kw,
            WrapAlgorithm::A192Kw,
            WrapAlgorithm::A256Kw,
        ];
        let added = if more.contains(&algorithm) { 8 } else { 0 };
        assert_eq!(wrapped.len(), PLAIN.len() + added, "{algorithm}");
    }
}

pub(super) async fn rsa(subject: Subject) {
    let driver = subject.driver();
    for algorithm in [
        WrapAlgorithm::RsaOaep,
        WrapAlgorithm::RsaOaep256,
        WrapAlgorithm::RsaOaep384,
        WrapAlgorithm::RsaOaep512,
    ] {
        let first = round_trip(&*driver, "rsa", algorithm).await;
        let second = round_trip(&*driver, "rsa", algorithm).await;
        assert_ne!(first, second, "{algorithm} has no randomness");
    }
    let long = driver
        .wrap("rsa", WrapAlgorithm::RsaOaep512, &[1; 127])
        .await;
    let error = long.expect_err("more than fits");
    assert_eq!(
        error.message(),
        "a key of 127 bytes to wrap; key `rsa` takes at most 126 by `rsa-oaep-512`"
    );
}

pub(super) async fn public(subject: Subject) {
    let driver = subject.driver();
    let algorithm = WrapAlgorithm::RsaOaep256;
    let wrapped = driver
        .wrap("rsa-public", algorithm, &PLAIN)
        .await
        .expect("wrapped");
    let plain = driver.unwrap("rsa", algorithm, &wrapped).await;
    assert_eq!(plain.expect("the key"), PLAIN);
    let error = driver.unwrap("rsa-public", algorithm, &wrapped).await;
    assert_eq!(
        error.expect_err("only public").message(),
        "key `rsa-public` is only public; to unwrap needs the private one"
    );
}

pub(super) async fn tampered(subject: Subject) {
    let driver = subject.driver();
    let algorithm = WrapAlgorithm::A256Kw;
    let wrapped = driver
        .wrap("aes256", algorithm, &PLAIN)
        .await
        .expect("wrapped");
    let mut wrong = vec![
        Vec::new(),
        wrapped[1..].to_vec(),
        wrapped[..24].to_vec(),
        vec![7; 7],
    ];
    for position in 0..wrapped.len() {
        let mut flipped = wrapped.clone();
        flipped[position] ^= 1;
        wrong.push(flipped);
    }
    for wrong in wrong {
        let error = driver.unwrap("aes256", algorithm, &wrong).await;
        let error = error.expect_err("it was changed");
        assert_eq!(error.kind(), Kind::Invalid);
        assert_eq!(error.message(), not_unwrapped().message());
    }
}

pub(super) async fn others(subject: Subject) {
    let driver = subject.driver();
    let algorithm = WrapAlgorithm::RsaOaep256;
    for wrong in [vec![0; 256], vec![255; 256], vec![1; 10], Vec::new()] {
        let error = driver.unwrap("rsa", algorithm, &wrong).await;
        assert_eq!(
            error.expect_err("nothing was wrapped").message(),
            not_unwrapped().message()
        );
    }
    let one = driver
        .wrap("rsa", WrapAlgorithm::RsaOaep, &PLAIN)
        .await
        .expect("wrapped");
    let error = driver.unwrap("rsa", algorithm, &one).await;
    assert_eq!(
        error.expect_err("another hash").message(),
        not_unwrapped().message()
    );
}

pub(super) async fn misfit(subject: Subject) {
    let driver = subject.driver();
    for algorithm in [WrapAlgorithm::A128Kw, WrapAlgorithm::RsaOaep256] {
        let error = driver.wrap("aes256", algorithm, &PLAIN).await;
        assert_eq!(error.expect_err("it does not fit").kind(), Kind::Invalid);
        let error = driver.unwrap("aes256", algorithm, &PLAIN).await;
        assert_eq!(error.expect_err("it does not fit").kind(), Kind::Invalid);
    }
}
