//! A certificate and its key, from two files of PEM. What a file holds is in no error.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_rustls::rustls::{
    CertificateError, Error as TlsError, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, UnixTime, pem::PemObject},
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use wythe_blocks::{Error, Result, jobs::shown_time};
use wythe_manifest::{CertificateFiles, OpenFile, Same, Stamp};

/// Bytes of a file.
pub const LARGEST: u64 = 1 << 20;
/// Files that were written less than this ago may be only half there.
const SETTLE: Duration = Duration::from_millis(150);

/// The certificate of one owner: what is in force, and what its files said last.
pub struct Pair {
    files: CertificateFiles,
    /// The stamps of the files that were read last; none where they are to be read again whatever their stamps are.
    stamps: Option<[Stamp; 2]>,
    key: Option<Arc<CertifiedKey>>,
    wrong: Option<String>,
}

impl Pair {
    /// Reads a pair for the first time, as it is.
    pub fn read(files: &CertificateFiles) -> Self {
        let mut pair = Pair {
            files: files.clone(),
            stamps: None,
            key: None,
            wrong: None,
        };
        let opened = open(files);
        let stamps = opened.as_ref().ok().map(stamps);
        pair.stamps = stamps.filter(|stamps| stamps.iter().all(is_settled));
        pair.take(opened);
        pair
    }

    /// Reads the files again where they are other ones than before; true where another certificate is in force then. Files
    /// that are being written are left for the next look.
    pub fn look(&mut self, files: &CertificateFiles) -> bool {
        if !self.files.is_same(files) {
            self.stamps = None;
        }
        self.files = files.clone();
        let opened = open(files);
        let stamps = opened.as_ref().ok().map(stamps);
        if let Some(now) = stamps
            && (self.stamps == stamps || !now.iter().all(is_settled))
        {
            return false;
        }
        self.stamps = stamps;
        self.take(opened)
    }

    /// The certificate in force.
    pub fn key(&self) -> Option<&Arc<CertifiedKey>> {
        self.key.as_ref()
    }

    /// The problem of the files, else that of the certificate in force.
    pub fn problem(&self) -> Option<Error> {
        let own = || check_time(self.key.as_ref()?.cert.first()?).err();
        let wrong = self.wrong.clone().or_else(own)?;
        let certificate = self.files.certificate.display();
        let message = format!("the certificate `{certificate}` {wrong}");
        Some(Error::invalid(message).at(&self.files.source))
    }

    fn take(&mut self, opened: Result<[OpenFile; 2], String>) -> bool {
        let read = opened.and_then(|files| read(files, &self.files.key));
        let is_good = read.is_ok();
        match read {
            Ok(key) => (self.key, self.wrong) = (Some(Arc::new(key)), None),
            // It is read again at each look: time alone may mend it.
            Err(wrong) => (self.stamps, self.wrong) = (None, Some(wrong)),
        }
        is_good
    }
}

/// Opens both files; an error ends a sentence that begins with the name of the certificate.
fn open(files: &CertificateFiles) -> Result<[OpenFile; 2], String> {
    let certificate = OpenFile::open(None, &files.certificate);
    let certificate = certificate.map_err(|why| format!("cannot be read: {why}"))?;
    let key = OpenFile::open(None, &files.key);
    let key = key.map_err(|why| {
        let path = files.key.display();
        format!("cannot be used, for its key `{path}` cannot be read: {why}")
    })?;
    Ok([certificate, key])
}

fn stamps(files: &[OpenFile; 2]) -> [Stamp; 2] {
    files.each_ref().map(OpenFile::stamp)
}

/// Says whether a file is whole, as far as time tells.
pub fn is_settled(stamp: &Stamp) -> bool {
    let age = SystemTime::now().duration_since(stamp.changed());
    age.map_or(true, |age| age >= SETTLE)
}

fn read([certificate, key]: [OpenFile; 2], path: &Path) -> Result<CertifiedKey, String> {
    let path = path.display();
    let pem = certificate.read(LARGEST);
    let pem = pem.map_err(|why| format!("cannot be read: {why}"))?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|_| "is no whole PEM; write it anew".to_owned())?;
    let first = chain.first().ok_or(
        "is no certificate in PEM; expected `BEGIN CERTIFICATE`, and after it those of its issuers",
    )?;
    check_time(first)?;
    let pem = key.read(LARGEST);
    let pem =
        pem.map_err(|why| format!("cannot be used, for its key `{path}` cannot be read: {why}"))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
        format!("has no key in `{path}`; expected a private key in PEM that is not encrypted")
    })?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        TlsError::InconsistentKeys(_) => {
            format!("is not that of the key `{path}`; expected the two of one pair")
        }
        TlsError::InvalidCertificate(_) => "is none of X.509 version 3".to_owned(),
        _ => format!(
            "has a key of no known kind in `{path}`; expected ECDSA with P-256 or P-384, Ed25519, or RSA of 2048 to 4096 bits"
        ),
    })
}

/// A time as people read it.
fn date(time: UnixTime) -> String {
    shown_time(time.as_secs().saturating_mul(1_000))
}

/// Checks the time in which a certificate is good. Its issuer is the client's business, and comes last.
pub fn check_time(certificate: &CertificateDer<'_>) -> Result<(), String> {
    let parsed = ParsedCertificate::try_from(certificate);
    let parsed = parsed.map_err(|_| "is none of X.509 version 3".to_owned())?;
    match at(&parsed, UnixTime::now()) {
        Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext {
            not_after, ..
        })) => {
            let until = date(not_after);
            Err(format!(
                "has expired at {until}; put a new one in its place"
            ))
        }
        Err(TlsError::InvalidCertificate(CertificateError::NotValidYetContext {
            not_before,
            ..
        })) => {
            let from = date(not_before);
            Err(format!(
                "is not valid before {from}; look at its dates and at the clock"
            ))
        }
        // Its end is before its beginning.
        Err(TlsError::InvalidCertificate(CertificateError::Expired)) => {
            Err("is valid at no time; put a new one in its place".to_owned())
        }
        _ => Ok(()),
    }
}

/// The end of the time in which a certificate is good; none where it cannot be read, or is good at no time.
pub fn end(certificate: &CertificateDer<'_>) -> Option<UnixTime> {
    /// A time after every one that a certificate can name, which is of the year 9999 at most.
    const FAR: Duration = Duration::from_secs(1 << 40);
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    match at(&parsed, UnixTime::since_unix_epoch(FAR)) {
        Err(TlsError::InvalidCertificate(CertificateError::ExpiredContext {
            not_after, ..
        })) => Some(not_after),
        _ => None,
    }
}

/// Looks at a certificate as it is at a time, without any issuer: an error about its own times comes before others.
fn at(certificate: &ParsedCertificate<'_>, time: UnixTime) -> Result<(), TlsError> {
    let nobody = RootCertStore::empty();
    let algorithms = ring::default_provider().signature_verification_algorithms;
    verify_server_cert_signed_by_trust_anchor(certificate, &nobody, &[], time, algorithms.all)
}
