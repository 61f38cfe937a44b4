//! The rules that hold of signatures.

use super::{Stored, Subject};
use wythe_blocks::{
    Kind,
    crypto::{Driver, SignatureAlgorithm},
};

/// A digest is any bytes of the right number; what is signed as it is may have any number.
pub(super) fn digest(algorithm: SignatureAlgorithm, seed: u8) -> Vec<u8> {
    let size = algorithm.digest().map_or(100, |(_, size)| size);
    (0..size).map(|at| seed ^ at as u8).collect()
}

async fn algorithms(driver: &dyn Driver, key: &str) -> Vec<SignatureAlgorithm> {
    driver.describe(key).await.expect("it is described").sign
}

async fn signed(driver: &dyn Driver, key: &str, by: SignatureAlgorithm, seed: u8) -> Vec<u8> {
    let signature = driver.sign(key, by, &digest(by, seed)).await;
    signature.unwrap_or_else(|error| panic!("{by} signs: {}", error.chain()))
}

async fn is_good(
    driver: &dyn Driver,
    key: &str,
    by: SignatureAlgorithm,
    seed: u8,
    signature: &[u8],
) -> bool {
    let answer = driver.verify(key, by, &digest(by, seed), signature).await;
    answer.unwrap_or_else(|error| panic!("{by} says yes or no: {}", error.chain()))
}

/// Returns whether a signature has the form of its algorithm: a sequence of two numbers in ASN.1 for ECDSA, the size of
/// RFC 8032 for EdDSA, and that of the suite's own key for RSA.
fn is_formed(algorithm: SignatureAlgorithm, signature: &[u8]) -> bool {
    let limit = match algorithm {
        SignatureAlgorithm::EdDsa => return signature.len() == 64,
        SignatureAlgorithm::Es256 => 72,
        SignatureAlgorithm::Es384 => 104,
        SignatureAlgorithm::Es512 => 139,
        _ => return signature.len() == 256,
    };
    signature.first() == Some(&0x30) && signature.len() <= limit
}

pub(super) async fn verify(subject: Subject, key: &'static Stored) {
    let driver = subject.driver();
    for by in algorithms(&*driver, key.name).await {
        for seed in [0, 77, 255] {
            let signature = signed(&*driver, key.name, by, seed).await;
            assert!(is_formed(by, &signature), "{by}: {} bytes", signature.len());
            assert!(
                is_good(&*driver, key.name, by, seed, &signature).await,
                "{by}"
            );
            let other = is_good(&*driver, key.name, by, seed ^ 1, &signature).await;
            assert!(!other, "{by} of another digest");
        }
        if by.digest().is_none() {
            for message in [Vec::new(), vec![7; 100_000]] {
                let signature = driver.sign(key.name, by, &message).await.expect("signed");
                let answer = driver.verify(key.name, by, &message, &signature).await;
                assert!(answer.expect("an answer"), "{} bytes", message.len());
            }
        }
    }
}

pub(super) async fn tampered(subject: Subject, key: &'static Stored) {
    let driver = subject.driver();
    let own = algorithms(&*driver, key.name).await;
    for by in own.iter().copied() {
        let whole = signed(&*driver, key.name, by, 3).await;
        let mut wrong = vec![Vec::new(), vec![0], vec![0; whole.len()]];
        wrong.push(vec![255; whole.len()]);
        wrong.push(b"garbage".to_vec());
        wrong.push(whole[1..].to_vec());
        wrong.push(whole[..whole.len() - 1].to_vec());
        wrong.push([&whole[..], &[0]].concat());
        wrong.extend((0..whole.len()).step_by(5).map(|at| {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            flipped
        }));
        for wrong in wrong {
            let good = is_good(&*driver, key.name, by, 3, &wrong).await;
            assert!(!good, "{by} of {} bytes", wrong.len());
        }
        for other in own.iter().copied().filter(|other| *other != by) {
            let good = is_good(&*driver, key.name, other, 3, &whole).await;
            assert!(!good, "{by} taken for {other}");
        }
        assert!(is_good(&*driver, key.name, by, 3, &whole).await, "{by}");
    }
}

pub(super) async fn by_public(subject: Subject, key: &'static Stored) {
    let (driver, private) = (subject.driver(), key.private().expect("it is public"));
    for by in algorithms(&*driver, key.name).await {
        let refused = driver.sign(key.name, by, &digest(by, 1)).await;
        assert_eq!(refused.expect_err("it is public").kind(), Kind::Invalid);
        let garbage = is_good(&*driver, key.name, by, 1, &[1; 64]).await;
        assert!(!garbage, "{by}");
        let signs = driver.describe(private).await;
        if signs.is_ok_and(|info| info.sign.contains(&by)) {
            let signature = signed(&*driver, private, by, 1).await;
            assert!(is_good(&*driver, key.name, by, 1, &signature).await, "{by}");
        }
    }
}
