//! Keys that sign, and their public halves.

use super::Subject;
use wythe_blocks::{
    Kind,
    crypto::{Driver, SignatureAlgorithm},
};

/// As long as the algorithm's hash says; a message for the one without.
fn digest(algorithm: SignatureAlgorithm) -> Vec<u8> {
    let size = algorithm.digest().map_or(100, |(_, size)| size);
    (0..size).map(|number| number as u8).collect()
}

async fn verifies(
    driver: &dyn Driver,
    key: &str,
    algorithm: SignatureAlgorithm,
    data: &[u8],
    signature: &[u8],
) -> bool {
    let verified = driver.verify(key, algorithm, data, signature).await;
    verified.unwrap_or_else(|error| panic!("{algorithm}: {}", error.chain()))
}

pub(super) async fn key(subject: Subject, name: &str) {
    let driver = subject.driver();
    let info = driver.describe(name).await.expect("a description");
    assert!(!info.sign.is_empty());
    for algorithm in info.sign {
        let data = digest(algorithm);
        let signature = driver
            .sign(name, algorithm, &data)
            .await
            .expect("a signature");
        assert!(
            verifies(&*driver, name, algorithm, &data, &signature).await,
            "{algorithm}"
        );
        let mut other = data.clone();
        other[0] ^= 1;
        assert!(
            !verifies(&*driver, name, algorithm, &other, &signature).await,
            "{algorithm}"
        );
        let last = signature.len() - 1;
        let mut changed = signature.clone();
        changed[last] ^= 1;
        let long = [signature.as_slice(), &[0]].concat();
        for wrong in [
            &changed[..],
            &signature[..last],
            &long[..],
            &[],
            b"nonsense",
        ] {
            assert!(
                !verifies(&*driver, name, algorithm, &data, wrong).await,
                "{algorithm} took a signature of {} bytes",
                wrong.len()
            );
        }
    }
}

pub(super) async fn public(subject: Subject, name: &str) {
    let driver = subject.driver();
    let public = format!("{name}-public");
    let private = driver.describe(name).await.expect("a description");
    let half = driver.describe(&public).await.expect("a description");
    assert_eq!(private.public, half.public);
    for algorithm in private.sign {
        let data = digest(algorithm);
        let signature = driver
            .sign(name, algorithm, &data)
            .await
            .expect("a signature");
        assert!(
            verifies(&*driver, &public, algorithm, &data, &signature).await,
            "{algorithm}"
        );
        let error = driver.sign(&public, algorithm, &data).await;
        assert_eq!(
            error.expect_err("only public").message(),
            format!("key `{public}` is only public; to sign needs the private one")
        );
    }
}

pub(super) async fn misfit(subject: Subject) {
    let driver = subject.driver();
    let algorithm = SignatureAlgorithm::EdDsa;
    let error = driver.sign("aes256", algorithm, b"x").await;
    assert_eq!(error.expect_err("it does not sign").kind(), Kind::Invalid);
    let error = driver.verify("aes256", algorithm, b"x", b"y").await;
    assert_eq!(error.expect_err("it does not verify").kind(), Kind::Invalid);
}

pub(super) async fn shows_nothing(subject: Subject) {
    let driver = subject.driver();
    for name in driver.names().await.expect("names") {
        let info = driver.describe(&name).await.expect("a description");
        let Some(public) = info.public else { continue };
        for part in [
            "\"d\"", "\"k\"", "\"p\"", "\"q\"", "\"dp\"", "\"dq\"", "\"qi\"",
        ] {
            assert!(!public.contains(part), "`{name}` shows {part}");
        }
    }
}
