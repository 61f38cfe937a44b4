//! Keys that change, files that are none, and links that lead elsewhere.

use super::*;
use std::{fs, path::Path};
use wythe_blocks::{
    Kind,
    crypto::{KeyInfo, WrapAlgorithm},
};

fn keys(path: &Path) -> Ring<Directory> {
    let root = Dir::open_ambient_dir(path, cap_std::ambient_authority()).unwrap();
    Ring(Directory::start(root, FRESH).unwrap())
}

fn key<const SIZE: usize>(first: u8) -> [u8; SIZE] {
    std::array::from_fn(|at| first.wrapping_add(at as u8))
}

fn first(info: Result<KeyInfo>) -> WrapAlgorithm {
    info.unwrap().wrap[0]
}

#[tokio::test]
async fn a_changed_key_is_used_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let (keys, file) = (keys(directory.path()), directory.path().join("k"));
    fs::write(&file, key::<16>(1)).unwrap();
    assert_eq!(first(keys.describe("k").await), WrapAlgorithm::A128Kw);
    fs::write(&file, key::<32>(1)).unwrap();
    assert_eq!(first(keys.describe("k").await), WrapAlgorithm::A256Kw);

    // The same length within the same moment.
    let wrapped = keys.wrap("k", WrapAlgorithm::A256Kw, &[7; 32]).await;
    let wrapped = wrapped.unwrap();
    fs::write(&file, key::<32>(2)).unwrap();
    let refused = keys.unwrap("k", WrapAlgorithm::A256Kw, &wrapped).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Invalid);
    fs::write(&file, key::<32>(1)).unwrap();
    let back = keys.unwrap("k", WrapAlgorithm::A256Kw, &wrapped).await;
    assert_eq!(back.unwrap(), [7; 32]);

    fs::remove_file(&file).unwrap();
    let gone = keys.describe("k").await.unwrap_err();
    assert_eq!(gone.kind(), Kind::NotFound);
}

/// Images, archives and `rsync -t` put files in place like this.
#[tokio::test]
async fn a_key_that_stays_is_remembered_until_it_is_another_file() {
    let directory = tempfile::tempdir().unwrap();
    let root = Dir::open_ambient_dir(directory.path(), cap_std::ambient_authority()).unwrap();
    let keys = Directory::start(root, Duration::ZERO).unwrap();
    let put = |name: &str, byte| {
        let path = directory.path().join(name);
        fs::write(&path, key::<32>(byte)).unwrap();
        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000))
            .unwrap();
        path
    };
    let path = put("k", 1);
    // The clock of files is coarse: what is of this moment is not remembered.
    let mut one = keys.find("k").await.unwrap();
    while !Arc::ptr_eq(&one, &keys.find("k").await.unwrap()) {
        one = keys.find("k").await.unwrap();
    }
    fs::rename(put("other", 2), path).unwrap();
    let two = keys.find("k").await.unwrap();
    assert!(!Arc::ptr_eq(&one, &two));
}

#[tokio::test]
async fn a_key_that_becomes_a_fifo_holds_up_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let (keys, file) = (keys(directory.path()), directory.path().join("k"));
    let made = std::process::Command::new("mkfifo").arg(&file).status();
    assert!(made.unwrap().success());
    let error = keys.describe("k").await.unwrap_err();
    assert_eq!(error.message(), "key `k`: expected a file");
    fs::remove_file(&file).unwrap();
    fs::write(&file, key::<16>(1)).unwrap();
    assert_eq!(first(keys.describe("k").await), WrapAlgorithm::A128Kw);
}

#[tokio::test]
async fn files_that_are_no_keys_are_told_without_what_is_in_them() {
    let directory = tempfile::tempdir().unwrap();
    let keys = keys(directory.path());
    for (name, bytes) in [
        ("json", &b"{ \"kty\": \"hunter2\" }"[..]),
        ("large", &[b'x'; LARGEST + 1]),
        ("text", b"hunter2"),
    ] {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
    fs::create_dir(directory.path().join("folder")).unwrap();
    fs::write(directory.path().join(".hidden"), key::<16>(1)).unwrap();
    assert_eq!(keys.names().await.unwrap(), ["json", "large", "text"]);
    for (name, expected) in [
        (
            "json",
            "key `json`: `kty` is of a kind that is not known; expected oct, RSA, EC or OKP",
        ),
        (
            "large",
            "key `large`: the file has more than 32 KiB; expected one key",
        ),
        (
            "text",
            "key `text`: expected PEM, a JWK, or a symmetric key of 16, 24 or 32 bytes, raw or in base64",
        ),
        ("folder", "key `folder`: expected a file"),
    ] {
        let error = keys.describe(name).await.unwrap_err();
        let reported = (error.kind(), error.chain());
        assert_eq!(reported, (Kind::Invalid, expected.to_owned()));
    }
    for name in ["", ".", "..", ".hidden", "folder/k", "../k", "/etc/passwd"] {
        let error = keys.describe(name).await.unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound, "`{name}`");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_followed_only_within_the_directory() {
    use std::os::unix::fs::symlink;
    let outer = tempfile::tempdir().unwrap();
    let inner = outer.path().join("keys");
    fs::create_dir_all(inner.join("..data")).unwrap();
    fs::write(outer.path().join("secret"), key::<16>(1)).unwrap();
    fs::write(inner.join("..data/k"), key::<16>(1)).unwrap();
    symlink("..data/k", inner.join("k")).unwrap();
    symlink("../secret", inner.join("out")).unwrap();
    symlink(outer.path().join("secret"), inner.join("root")).unwrap();
    symlink("nowhere", inner.join("dangling")).unwrap();
    let keys = keys(&inner);
    assert_eq!(first(keys.describe("k").await), WrapAlgorithm::A128Kw);
    assert_eq!(keys.names().await.unwrap(), ["k", "out", "root"]);
    for name in ["out", "root"] {
        let error = keys.describe(name).await.unwrap_err();
        let expected =
            format!("key `{name}`: a link that leads out of the directory; expected a file in it");
        assert_eq!((error.kind(), error.message()), (Kind::Invalid, &*expected));
    }
    let dangling = keys.describe("dangling").await.unwrap_err();
    assert_eq!(dangling.kind(), Kind::NotFound);
}
