//! Files that change, and those that are no certificate.

use super::*;
use std::fs;

/// Time after which a file counts as whole.
const WHOLE: Duration = Duration::from_millis(200);

/// The files of the tenant `shop` in a directory of their own.
struct Folder {
    directory: tempfile::TempDir,
}

impl Folder {
    fn new(certificate: &str, key: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let folder = Folder { directory };
        folder.put(certificate, key);
        folder
    }

    fn put(&self, certificate: &str, key: &str) {
        let files = self.files();
        fs::copy(file(certificate), files.certificate).unwrap();
        fs::copy(file(key), files.key).unwrap();
    }

    fn files(&self) -> CertificateFiles {
        let path = |name| self.directory.path().join(name);
        files(path("own.pem"), path("own.key"))
    }

    /// The problems that are found now, without the directory.
    fn look(&self, certificates: &Certificates) -> Vec<String> {
        let tenants = BTreeMap::from([(tenant("shop"), own(self.files()))]);
        let problems = certificates.look((&pair("host"), None), tenants);
        let line = |(owner, error): &(Option<Name>, Error)| {
            assert_eq!(*owner, Some(tenant("shop")));
            assert_eq!(error.position().unwrap().line, 3);
            let directory = format!("{}/", self.directory.path().display());
            error.message().replace(&directory, "")
        };
        problems.iter().map(line).collect()
    }
}

#[tokio::test]
async fn a_changed_certificate_is_shown_and_a_wrong_one_changes_nothing() {
    let server = Server::open().await;
    let folder = Folder::new("shop.pem", "shop.key");
    let look = || folder.look(&server.certificates);
    tokio::time::sleep(WHOLE).await;
    assert_eq!(look(), [] as [&str; 0]);
    assert_eq!(server.shown(SHOP).await, "shop");
    folder.put("renewed.pem", "renewed.key");
    // It may be written half: whichever is shown, nothing is wrong with it.
    assert_eq!(look(), [] as [&str; 0]);
    tokio::time::sleep(WHOLE).await;
    assert_eq!(look(), [] as [&str; 0]);
    assert_eq!(server.shown(SHOP).await, "renewed");
    for (certificate, key, expected) in [
        (
            "expired.pem",
            "expired.key",
            "the certificate `own.pem` has expired at 2021-01-01T00:00:00Z; put a new one in its place",
        ),
        (
            "shop.pem",
            "renewed.key",
            "the certificate `own.pem` is not that of the key `own.key`; expected the two of one pair",
        ),
        (
            "shop.key",
            "shop.key",
            "the certificate `own.pem` is no certificate in PEM; expected `BEGIN CERTIFICATE`, and after it those of its issuers",
        ),
    ] {
        folder.put(certificate, key);
        tokio::time::sleep(WHOLE).await;
        for _ in 0..2 {
            assert_eq!(look(), [expected]);
        }
        assert_eq!(server.shown(SHOP).await, "renewed");
    }
    server.close().await;
}

#[tokio::test]
async fn a_certificate_that_is_gone_stays_in_force_until_its_tenant_names_none() {
    let server = Server::open().await;
    let folder = Folder::new("renewed.pem", "renewed.key");
    let look = || folder.look(&server.certificates);
    tokio::time::sleep(WHOLE).await;
    assert_eq!(look(), [] as [&str; 0]);
    assert_eq!(server.shown(SHOP).await, "renewed");
    fs::remove_file(folder.files().certificate).unwrap();
    let expected = "the certificate `own.pem` cannot be read: entity not found";
    assert_eq!(look(), [expected]);
    assert_eq!(server.shown(SHOP).await, "renewed");
    folder.put("shop.pem", "shop.key");
    tokio::time::sleep(WHOLE).await;
    assert_eq!(look(), [] as [&str; 0]);
    assert_eq!(server.shown(SHOP).await, "shop");
    let problems = server
        .certificates
        .look((&pair("host"), None), BTreeMap::new());
    assert!(problems.is_empty());
    assert_eq!(server.shown(SHOP).await, "host");
    server.close().await;
}

#[tokio::test]
async fn a_tenant_whose_certificate_is_wrong_has_that_of_the_host() {
    let server = Server::open().await;
    let folder = Folder::new("shop.pem", "renewed.key");
    server
        .certificates
        .look((&pair("host"), None), BTreeMap::new());
    assert_eq!(folder.look(&server.certificates).len(), 1);
    assert_eq!(server.shown(SHOP).await, "host");
    server.close().await;
}

#[tokio::test]
async fn the_certificate_of_the_host_changes_too() {
    let server = Server::open().await;
    let look = |name| {
        server
            .certificates
            .look((&pair(name), None), BTreeMap::new())
    };
    assert!(look("renewed").is_empty());
    assert_eq!(server.shown("localhost").await, "renewed");
    let problems = look("expired");
    assert!(matches!(problems.as_slice(), [(None, _)]), "{problems:?}");
    assert_eq!(server.shown("localhost").await, "renewed");
    server.close().await;
}

#[test]
fn a_host_has_no_start_without_a_certificate() {
    let folder = Folder::new("host.pem", "host.key");
    let routes = Arc::default();
    let found = || {
        let error = Certificates::read(&folder.files(), None, &routes).err()?;
        let directory = format!("{}/", folder.directory.path().display());
        Some(error.message().replace(&directory, ""))
    };
    assert_eq!(found(), None);
    let (certificate, key) = (folder.files().certificate, folder.files().key);
    for (path, text, expected) in [
        (
            &key,
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
            "has no key in `own.key`; expected a private key in PEM that is not encrypted",
        ),
        (
            &key,
            "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
            "has a key of no known kind in `own.key`; expected ECDSA with P-256 or P-384, Ed25519, or RSA of 2048 to 4096 bits",
        ),
        (
            &certificate,
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "is none of X.509 version 3",
        ),
        (
            &certificate,
            "-----BEGIN CERTIFICATE-----\nAAAA\n",
            "is no whole PEM; write it anew",
        ),
    ] {
        folder.put("host.pem", "host.key");
        fs::write(path, text).unwrap();
        let expected = format!("the certificate `own.pem` {expected}");
        assert_eq!(found(), Some(expected));
    }
}

#[test]
fn a_certificate_that_ends_before_it_begins_is_good_at_no_time() {
    let mut bytes = certificate("expired").to_vec();
    let [begin, end] = ["200101000000Z", "210101000000Z"];
    let places = [begin, end].map(|time| {
        let found = bytes.windows(time.len());
        let mut found = found
            .enumerate()
            .filter(|(_, part)| *part == time.as_bytes());
        let (place, _) = found.next().unwrap();
        place
    });
    for (place, time) in places.into_iter().zip([end, begin]) {
        bytes[place..place + time.len()].copy_from_slice(time.as_bytes());
    }
    let problem = super::pair::check_time(&bytes.into()).unwrap_err();
    assert_eq!(problem, "is valid at no time; put a new one in its place");
}
