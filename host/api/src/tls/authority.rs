//! The authority of clients' certificates, from a file of PEM, and the name that a certificate is for.

#[cfg(any(fuzzing, test))]
pub(crate) mod fuzzing;

use super::pair::{LARGEST, check_time, is_settled};
use std::sync::Arc;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime, pem::PemObject},
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use webpki::EndEntityCert;
use wythe_blocks::{Error, Result};
use wythe_manifest::{ClientAuthority, ClientName, OpenFile, Same, Stamp};

/// Certificates of an authority.
const CERTIFICATES: usize = 100;
/// Certificates between that of a client and its authority, and bytes of all that a client sends.
const INTERMEDIATES: usize = 4;
const CHAIN: usize = 16 << 10;

/// An authority as it is in force, and what its file said last.
pub struct Authority {
    written: ClientAuthority,
    /// The stamp of the file that was read last; none where it is to be read again whatever that is.
    stamp: Option<Stamp>,
    /// The certificates in force, and whether a client needs one of theirs.
    roots: Option<(Arc<RootCertStore>, bool)>,
    wrong: Option<String>,
}

impl Authority {
    /// Reads the file for the first time, as it is.
    pub fn read(written: &ClientAuthority) -> Self {
        let mut authority = Authority {
            written: written.clone(),
            stamp: None,
            roots: None,
            wrong: None,
        };
        authority.take(open(written));
        authority
    }

    /// Reads the file again where it is another one than before; true where something else is in force then. A file that is
    /// being written is left for the next look, and one that is wrong changes nothing.
    pub fn look(&mut self, written: &ClientAuthority) -> bool {
        if !self.written.is_same(written) {
            self.stamp = None;
        }
        self.written = written.clone();
        let opened = open(written);
        let stamp = opened.as_ref().ok().map(OpenFile::stamp);
        if stamp.is_some_and(|now| self.stamp == stamp || !is_settled(&now)) {
            return false;
        }
        self.take(opened)
    }

    /// The check of clients' certificates; an error where there is nothing to check them by.
    pub fn verifier(&self) -> Result<Arc<dyn ClientCertVerifier>> {
        let wrong = || Error::internal("no authority of clients is in force");
        let (roots, is_required) = self.roots.clone().ok_or_else(wrong)?;
        let provider = Arc::new(ring::default_provider());
        let builder = WebPkiClientVerifier::builder_with_provider(roots, provider);
        let builder = match is_required {
            true => builder,
            false => builder.allow_unauthenticated(),
        };
        let inner = builder
            .build()
            .map_err(|error| Error::internal("clients cannot be checked").with_source(error))?;
        Ok(Arc::new(Short(inner)))
    }

    /// Returns whether there was a good file at any time.
    pub fn is_in_force(&self) -> bool {
        self.roots.is_some()
    }

    pub fn problem(&self) -> Option<Error> {
        let file = self.written.file.display();
        let message = format!("the authority of clients `{file}` {}", self.wrong.as_ref()?);
        Some(Error::invalid(message).at(&self.written.source))
    }

    fn take(&mut self, opened: Result<OpenFile, String>) -> bool {
        let stamp = opened.as_ref().ok().map(OpenFile::stamp);
        let read = opened.and_then(read);
        let is_good = read.is_ok();
        match read {
            Ok(roots) => {
                self.roots = Some((Arc::new(roots), self.written.is_required));
                (self.stamp, self.wrong) = (stamp.filter(is_settled), None);
            }
            // It is read again at each look: time alone may mend it.
            Err(wrong) => (self.stamp, self.wrong) = (None, Some(wrong)),
        }
        is_good
    }
}

/// A check of chains that are short. Whoever asks makes the host try each way through his certificates, before he has proved
/// anything, and on a thread that others need.
#[derive(Debug)]
struct Short(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Short {
    fn verify_client_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let bytes: usize = others.iter().chain([own]).map(|one| one.len()).sum();
        if others.len() > INTERMEDIATES || bytes > CHAIN {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        self.0.verify_client_cert(own, others, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }
}

fn open(written: &ClientAuthority) -> Result<OpenFile, String> {
    let opened = OpenFile::open(None, &written.file);
    opened.map_err(|why| format!("cannot be read: {why}"))
}

/// An error ends a sentence that begins with the name of the file.
fn read(file: OpenFile) -> Result<RootCertStore, String> {
    let pem = file.read(LARGEST);
    let pem = pem.map_err(|why| format!("cannot be read: {why}"))?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let all = all.map_err(|_| "is no whole PEM; write it anew".to_owned())?;
    if all.is_empty() || all.len() > CERTIFICATES {
        return Err(format!(
            "has {} certificates in PEM; expected 1 to {CERTIFICATES}, with `BEGIN CERTIFICATE`",
            all.len()
        ));
    }
    let mut roots = RootCertStore::empty();
    for certificate in all {
        check_time(&certificate)?;
        let added = roots.add(certificate);
        added.map_err(|_| "has a certificate that is none of an authority".to_owned())?;
    }
    Ok(roots)
}

/// The name in a certificate that was checked: its first URI, else its first host name, else its subject's common name. None
/// where policies could not name it, nor a header or a line of the log have it as it is.
pub fn name(certificate: &CertificateDer<'_>) -> Option<ClientName> {
    let parsed = EndEntityCert::try_from(certificate).ok()?;
    let mut uris = parsed.valid_uri_names().map(|uri| format!("uri:{uri}"));
    let mut hosts = parsed.valid_dns_names().map(|host| format!("dns:{host}"));
    let named = uris.next().or_else(|| hosts.next());
    let named = named.or_else(|| Some(format!("cn:{}", common_name(parsed.subject())?)));
    named?.parse().ok()
}

/// The common name of a subject (X.501): sets of pairs of an object identifier and a text.
fn common_name(subject: &[u8]) -> Option<&str> {
    /// 2.5.4.3 in DER.
    const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    let mut sets = subject;
    while !sets.is_empty() {
        let (set, rest) = element(sets)?;
        sets = rest;
        let mut pairs = set;
        while !pairs.is_empty() {
            let (pair, rest) = element(pairs)?;
            pairs = rest;
            let (kind, value) = element(pair)?;
            if kind == COMMON_NAME {
                return std::str::from_utf8(element(value)?.0).ok();
            }
        }
    }
    None
}

/// The content of the first element in DER, and what is after it; lengths of up to two bytes do.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, content) = match der {
        [_, short @ 0..=0x7f, rest @ ..] => (usize::from(*short), rest),
        [_, 0x81, length, rest @ ..] => (usize::from(*length), rest),
        [_, 0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    content.split_at_checked(length)
}
