//! The rules that hold of wrapped keys.

use super::{Stored, Subject};
use crate::random::Random;
use std::collections::HashSet;
use wythe_blocks::{
    Kind, Result,
    crypto::{
        Driver,
        WrapAlgorithm::{self, A128Cbc, A128Kw, A192Cbc, A192Kw, A256Cbc, A256Kw},
        not_unwrapped,
    },
};

fn is_cbc(algorithm: WrapAlgorithm) -> bool {
    matches!(algorithm, A128Cbc | A192Cbc | A256Cbc)
}

fn is_kw(algorithm: WrapAlgorithm) -> bool {
    matches!(algorithm, A128Kw | A192Kw | A256Kw)
}

/// Bytes that may be wrapped.
fn good(algorithm: WrapAlgorithm) -> [usize; 4] {
    match algorithm {
        _ if is_cbc(algorithm) => [16, 32, 48, 1_024],
        _ if is_kw(algorithm) => [16, 24, 32, 1_024],
        _ => [1, 16, 32, 126],
    }
}

fn plain(size: usize) -> Vec<u8> {
    let mut random = Random::new(size as u64);
    (0..size).map(|_| random.number() as u8).collect()
}

async fn algorithms(driver: &dyn Driver, key: &str) -> Vec<WrapAlgorithm> {
    driver.describe(key).await.expect("it is described").wrap
}

async fn wrapped(driver: &dyn Driver, key: &str, by: WrapAlgorithm, plain: &[u8]) -> Vec<u8> {
    let wrapped = driver.wrap(key, by, plain).await;
    let wrapped = wrapped.unwrap_or_else(|error| panic!("{by} wraps: {}", error.chain()));
    assert_ne!(wrapped, plain, "{by}");
    wrapped
}

pub(super) async fn come_back(subject: Subject, key: &'static Stored) {
    let driver = subject.driver();
    for by in algorithms(&*driver, key.name).await {
        for size in good(by) {
            let plain = plain(size);
            let mut seen = HashSet::new();
            for _ in 0..3 {
                let wrapped = wrapped(&*driver, key.name, by, &plain).await;
                let back = driver.unwrap(key.name, by, &wrapped).await;
                assert_eq!(back.expect("it unwraps"), plain, "{by}, {size} bytes");
                seen.insert(wrapped);
            }
            // Only RFC 3394 has no randomness.
            let different = if is_kw(by) { 1 } else { 3 };
            assert_eq!(seen.len(), different, "{by}");
        }
    }
}

fn is_refused(result: Result<Vec<u8>>, what: &str) {
    let error = result.err().unwrap_or_else(|| panic!("{what} unwraps"));
    let reported = (error.kind(), error.message());
    assert_eq!(
        reported,
        (Kind::Invalid, not_unwrapped().message()),
        "{what}"
    );
}

pub(super) async fn tampered(subject: Subject, key: &'static Stored) {
    let driver = subject.driver();
    for by in algorithms(&*driver, key.name).await {
        let whole = wrapped(&*driver, key.name, by, &plain(32)).await;
        let mut wrong = vec![Vec::new(), vec![0], whole[..whole.len() - 1].to_vec()];
        wrong.push([&whole[..], &[0]].concat());
        wrong.push(plain(15));
        // CBC cannot tell what it was given, as long as it has whole blocks.
        if !is_cbc(by) {
            wrong.extend([
                vec![0; whole.len()],
                plain(whole.len()),
                whole[8..].to_vec(),
            ]);
            wrong.extend((0..whole.len()).step_by(7).map(|at| {
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << (at % 8);
                flipped
            }));
        }
        for wrong in wrong {
            let result = driver.unwrap(key.name, by, &wrong).await;
            is_refused(result, &format!("{by}, {} bytes", wrong.len()));
        }
        let back = driver.unwrap(key.name, by, &whole).await;
        assert_eq!(back.expect("the right one still unwraps"), plain(32));
    }
}

/// The block refuses most of them; a driver must not be the one that a wrong size breaks.
pub(super) async fn sizes(subject: Subject, key: &'static Stored) {
    let driver = subject.driver();
    for by in algorithms(&*driver, key.name).await {
        let bad: &[usize] = match by {
            _ if is_cbc(by) => &[0, 8, 15, 17, 40],
            _ if is_kw(by) => &[0, 7, 8, 17, 36],
            _ => &[246, 256, 1_024],
        };
        for size in bad {
            let result = driver.wrap(key.name, by, &plain(*size)).await;
            let error = result.err().unwrap_or_else(|| panic!("{by} wraps {size}"));
            assert_eq!(error.kind(), Kind::Invalid, "{by}: {error}");
        }
    }
}

pub(super) async fn by_public(subject: Subject, key: &'static Stored) {
    let (driver, private) = (subject.driver(), key.private().expect("it is public"));
    for by in algorithms(&*driver, key.name).await {
        let wrapped = wrapped(&*driver, key.name, by, &plain(32)).await;
        let refused = driver.unwrap(key.name, by, &wrapped).await;
        assert_eq!(refused.expect_err("it is public").kind(), Kind::Invalid);
        if algorithms(&*driver, private).await.contains(&by) {
            let back = driver.unwrap(private, by, &wrapped).await;
            assert_eq!(back.expect("it unwraps"), plain(32), "{by}");
        }
    }
}
