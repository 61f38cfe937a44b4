//! The words of the native drivers about keys that do not fit.

use super::{all, open};
use crate::list;
use conformance::{Opener, runtime};
use libtest_mimic::Trial;
use wythe_blocks::{
    Kind, Result,
    crypto::{
        Driver,
        SignatureAlgorithm::{EdDsa, Es256, Ps256},
        WrapAlgorithm::{A128Kw, A256Kw, RsaOaep256},
    },
};

pub(super) fn trials() -> Vec<Trial> {
    let subjects = ["crypto.memory", "crypto.local.keys"].map(list::find);
    let trials = subjects.map(|subject| {
        let name = format!("crypto::{}::what_does_not_fit_is_told", subject.name());
        let open = open(subject, &all());
        Trial::test(name, || {
            check(open);
            Ok(())
        })
    });
    trials.into()
}

fn check(open: Opener<dyn Driver>) {
    let directory = tempfile::tempdir().expect("a directory");
    let runtime = runtime().expect("a runtime");
    runtime.block_on(async {
        let driver = open(directory.path())().await.expect("it opens");
        is(
            driver.wrap("rsa-2048", A256Kw, &[1; 32]).await,
            "key `rsa-2048` is an RSA key; `a256-kw` needs a symmetric key of 256 bits",
        );
        is(
            driver.unwrap("aes-256", A128Kw, &[1; 40]).await,
            "key `aes-256` is a symmetric key of 256 bits; `a128-kw` needs a symmetric key of 128 bits",
        );
        is(
            driver.wrap("ec-384", RsaOaep256, &[1; 32]).await,
            "key `ec-384` is an EC key on P-384; `rsa-oaep-256` needs an RSA key",
        );
        is(
            driver.sign("ec-521", Es256, &[1; 32]).await,
            "key `ec-521` is an EC key on P-521; `es256` needs an EC key on P-256",
        );
        is(
            driver.verify("ed25519", Ps256, &[1; 32], &[1; 64]).await,
            "key `ed25519` is an Ed25519 key; `ps256` needs an RSA key",
        );
        is(
            driver.sign("aes-128", EdDsa, b"message").await,
            "key `aes-128` is a symmetric key of 128 bits; `eddsa` needs an Ed25519 key",
        );
        is(
            driver.sign("ec-256-public", Es256, &[1; 32]).await,
            "key `ec-256-public` is public and only verifies; its private key signs",
        );
        let wrapped = vec![1; 256];
        is(
            driver.unwrap("rsa-2048-public", RsaOaep256, &wrapped).await,
            "key `rsa-2048-public` is public and only wraps; its private key unwraps",
        );
        is(
            driver.wrap("rsa-2048", RsaOaep256, &[1; 191]).await,
            "key `rsa-2048`: 191 bytes to wrap; `rsa-oaep-256` takes at most 190 with this key",
        );
    });
}

fn is<T>(result: Result<T>, text: &str) {
    let error = result.err().expect(text);
    assert_eq!((error.kind(), error.message()), (Kind::Invalid, text));
}
