//! Published answers: what others agree is right is right here, and what they agree is wrong is wrong here.

use super::{folder, write};
use conformance::runtime;
use libtest_mimic::{Failed, Trial};
use serde::Deserialize;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::{collections::HashMap, path::Path, sync::Arc};
use wythe_blocks::crypto::{Driver, SignatureAlgorithm, WrapAlgorithm};

#[derive(Deserialize)]
struct Signatures {
    algorithm: String,
    tests: Vec<Signature>,
}

#[derive(Deserialize)]
struct Signature {
    id: u32,
    key: String,
    message: String,
    signature: String,
    good: bool,
}

#[derive(Deserialize)]
struct Wraps {
    algorithm: String,
    key: String,
    tests: Vec<Wrap>,
}

#[derive(Deserialize)]
struct Wrap {
    id: u32,
    #[serde(default)]
    key: String,
    plain: String,
    wrapped: String,
    good: bool,
}

macro_rules! vectors {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../vectors/", $name, ".json")))),*]
    };
}

const SIGNATURES: [(&str, &str); 10] = vectors![
    "eddsa", "es256", "es384", "es512", "ps256", "ps384", "ps512", "rs256", "rs384", "rs512"
];
const OAEP: [(&str, &str); 4] =
    vectors!["rsa_oaep", "rsa_oaep_256", "rsa_oaep_384", "rsa_oaep_512"];
const KW: [(&str, &str); 1] = vectors!["aes_kw"];

/// NIST SP 800-38A, F.2: key, and the first block of plaintext with its ciphertext. There the vector is
/// 000102..0f, and here it is zero: the plaintext is the one of the standard with that vector on it.
const CBC: [(&str, &str, &str); 3] = [
    (
        "2b7e151628aed2a6abf7158809cf4f3c",
        "a128-cbc",
        "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2",
    ),
    (
        "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b",
        "a192-cbc",
        "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a",
    ),
    (
        "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
        "a256-cbc",
        "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d",
    ),
];
const CBC_PLAIN: &str = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
const CBC_VECTOR: &str = "000102030405060708090a0b0c0d0e0f";

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for (name, text) in SIGNATURES {
        trials.push(case(name, move |directory| signatures(directory, text)));
    }
    for (name, text) in OAEP {
        trials.push(case(name, move |directory| oaep(directory, text)));
    }
    for (name, text) in KW {
        trials.push(case(name, move |directory| key_wrap(directory, text)));
    }
    trials.push(case("aes_cbc", cbc));
    trials
}

fn case(name: &str, run: impl FnOnce(&Path) + Send + 'static) -> Trial {
    Trial::test(format!("crypto::vectors::{name}"), move || {
        let directory = tempfile::tempdir()?;
        run(directory.path());
        Ok::<(), Failed>(())
    })
}

fn hex(text: &str) -> Vec<u8> {
    let pair = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).expect("hexadecimal");
        u8::from_str_radix(text, 16).expect("hexadecimal")
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

fn driver(directory: &Path) -> (tokio::runtime::Runtime, Arc<dyn Driver>) {
    let runtime = runtime().expect("a runtime");
    let driver = runtime.block_on(folder(directory.to_owned())());
    (runtime, driver.expect("the driver"))
}

fn signatures(directory: &Path, text: &str) {
    let all: Signatures = serde_json::from_str(text).expect("vectors");
    let algorithm: SignatureAlgorithm = all.algorithm.parse().expect("an algorithm");
    let mut keys = HashMap::new();
    for test in &all.tests {
        let next = format!("key{}", keys.len());
        let name = keys.entry(&test.key).or_insert(next);
        write(directory, name, &test.key);
    }
    let (runtime, driver) = driver(directory);
    let mut counts = [0, 0];
    for test in &all.tests {
        let message = hex(&test.message);
        let data = match algorithm.digest() {
            Some((_, 32)) => Sha256::digest(&message).to_vec(),
            Some((_, 48)) => Sha384::digest(&message).to_vec(),
            Some(_) => Sha512::digest(&message).to_vec(),
            None => message,
        };
        let signature = hex(&test.signature);
        let verified = driver.verify(&keys[&test.key], algorithm, &data, &signature);
        let verified = runtime.block_on(verified).expect("an answer");
        assert_eq!(verified, test.good, "test {} of {algorithm}", test.id);
        counts[usize::from(test.good)] += 1;
    }
    assert!(counts[0] >= 5 && counts[1] >= 5, "{counts:?} prove little");
}

fn unwrapped(
    runtime: &tokio::runtime::Runtime,
    driver: &Arc<dyn Driver>,
    key: &str,
    algorithm: WrapAlgorithm,
    test: &Wrap,
) {
    let answer = runtime.block_on(driver.unwrap(key, algorithm, &hex(&test.wrapped)));
    match answer {
        Ok(plain) => assert!(
            test.good && plain == hex(&test.plain),
            "test {} of {algorithm} was unwrapped",
            test.id
        ),
        Err(error) => assert!(
            !test.good,
            "test {} of {algorithm}: {}",
            test.id,
            error.message()
        ),
    }
}

fn oaep(directory: &Path, text: &str) {
    let all: Wraps = serde_json::from_str(text).expect("vectors");
    let algorithm = all.algorithm.parse().expect("an algorithm");
    write(directory, "key", &all.key);
    let (runtime, driver) = driver(directory);
    assert!(all.tests.iter().filter(|test| test.good).count() >= 5);
    for test in &all.tests {
        unwrapped(&runtime, &driver, "key", algorithm, test);
    }
}

fn key_wrap(directory: &Path, text: &str) {
    let all: Vec<Wrap> = serde_json::from_str(text).expect("vectors");
    for test in &all {
        write(directory, &format!("key{}", test.id), hex(&test.key));
    }
    let (runtime, driver) = driver(directory);
    for test in &all {
        let name = format!("key{}", test.id);
        let algorithm = match test.key.len() {
            32 => WrapAlgorithm::A128Kw,
            48 => WrapAlgorithm::A192Kw,
            _ => WrapAlgorithm::A256Kw,
        };
        unwrapped(&runtime, &driver, &name, algorithm, test);
        if test.good {
            let plain = hex(&test.plain);
            let wrapped = runtime.block_on(driver.wrap(&name, algorithm, &plain));
            let wrapped = wrapped.expect("a wrapped key");
            assert_eq!(wrapped, hex(&test.wrapped), "test {}", test.id);
        }
    }
    assert!(all.iter().filter(|test| test.good).count() >= 10);
}

fn cbc(directory: &Path) {
    for (key, name, _) in CBC {
        write(directory, name, hex(key));
    }
    let (runtime, driver) = driver(directory);
    let mut plain = hex(CBC_PLAIN);
    let vector = hex(CBC_VECTOR);
    plain
        .iter_mut()
        .zip(vector)
        .for_each(|(byte, vector)| *byte ^= vector);
    for (_, name, expected) in CBC {
        let algorithm = name.parse().expect("an algorithm");
        let wrapped = runtime.block_on(driver.wrap(name, algorithm, &plain));
        assert_eq!(wrapped.expect("a wrapped key"), hex(expected), "{name}");
        let back = runtime.block_on(driver.unwrap(name, algorithm, &hex(expected)));
        assert_eq!(back.expect("the key"), plain, "{name}");
    }
}
