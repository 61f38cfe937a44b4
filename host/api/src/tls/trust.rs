//! The certificates of an authority that are in force, and the check of clients by those of them that have not ended.

use super::pair::{check_time, end};
use parking_lot::Mutex;
use std::sync::Arc;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, RootCertStore,
    SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::ring,
    pki_types::{CertificateDer, UnixTime},
    server::{
        VerifierBuilderError, WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

/// Certificates between that of a client and its authority, and bytes of all that a client sends.
const INTERMEDIATES: usize = 4;
const CHAIN: usize = 16 << 10;

type Verifier = Arc<dyn ClientCertVerifier>;

/// The certificates of an authority, and whether a client needs one of theirs. An authority of rustls is a name and a key, and
/// has no end; here one that has ended vouches for nobody.
///
/// Chains that are checked are short: whoever asks makes the host try each way through his certificates, before he has proved
/// anything, and on a thread that others need.
#[derive(Debug)]
pub struct Trust {
    /// The certificates with their ends, the first end first.
    roots: Vec<(CertificateDer<'static>, UnixTime)>,
    is_required: bool,
    /// The check by all of them.
    whole: Verifier,
    /// The check by those that are left.
    left: Mutex<Left>,
}

/// The check after so many certificates have ended; none where no other one is left.
#[derive(Debug)]
struct Left {
    ended: usize,
    verifier: Option<Verifier>,
}

impl Trust {
    /// Takes the certificates of a file, each of which is good at this time; an error ends a sentence that begins with the name
    /// of the file.
    pub fn new(
        certificates: Vec<CertificateDer<'static>>,
        is_required: bool,
    ) -> Result<Self, String> {
        let mut roots = Vec::with_capacity(certificates.len());
        for certificate in certificates {
            check_time(&certificate)?;
            let end = end(&certificate).ok_or("has a certificate without an end")?;
            roots.push((certificate, end));
        }
        roots.sort_by_key(|(_, end)| *end);
        let mut store = RootCertStore::empty();
        for (certificate, _) in &roots {
            let added = store.add(certificate.clone());
            added.map_err(|_| "has a certificate that is none of an authority".to_owned())?;
        }
        let whole = verifier(store, is_required);
        let whole = whole.map_err(|error| format!("cannot be used: {error}"))?;
        let left = Mutex::new(Left {
            ended: 0,
            verifier: Some(whole.clone()),
        });
        Ok(Trust {
            roots,
            is_required,
            whole,
            left,
        })
    }

    /// Returns whether a client without a certificate is refused.
    pub fn is_required(&self) -> bool {
        self.is_required
    }

    /// The number of its certificates that have ended.
    pub fn ended(&self, now: UnixTime) -> usize {
        self.roots.partition_point(|(_, end)| *end < now)
    }

    /// The problem of its certificates at this time, which ends a sentence that begins with the name of the file.
    pub fn problem(&self) -> Option<String> {
        let (first, _) = self.roots.first()?;
        check_time(first).err()
    }

    /// The check of clients at this time; none where every certificate has ended.
    fn at(&self, now: UnixTime) -> Option<Verifier> {
        let ended = self.ended(now);
        let mut left = self.left.lock();
        if left.ended != ended {
            let mut store = RootCertStore::empty();
            let roots = self.roots[ended..].iter().map(|(root, _)| root.clone());
            store.add_parsable_certificates(roots);
            *left = Left {
                ended,
                verifier: verifier(store, self.is_required).ok(),
            };
        }
        left.verifier.clone()
    }
}

/// The check by these authorities; an error where there is none.
fn verifier(roots: RootCertStore, is_required: bool) -> Result<Verifier, VerifierBuilderError> {
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    match is_required {
        true => builder.build(),
        false => builder.allow_unauthenticated().build(),
    }
}

impl ClientCertVerifier for Trust {
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
        let verifier = self.at(now).ok_or(CertificateError::UnknownIssuer)?;
        verifier.verify_client_cert(own, others, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.whole.verify_tls12_signature(message, own, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.whole.verify_tls13_signature(message, own, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.whole.supported_verify_schemes()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.whole.root_hint_subjects()
    }

    fn offer_client_auth(&self) -> bool {
        self.whole.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.whole.client_auth_mandatory()
    }
}
