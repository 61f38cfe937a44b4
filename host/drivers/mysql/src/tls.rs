//! TLS with a database: whom it must prove to be, and what is taken as proof.

use crate::wire::Stream;
use std::{io, sync::Arc};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    },
};
use wythe_blocks::{Error, Result};

/// The proof that a server has to give, as `tls` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trust {
    /// Plain text.
    Plain,
    /// TLS where the server has it, without proof.
    Prefer,
    /// TLS without proof.
    Require,
    /// A certificate of this host.
    Full,
}

impl Trust {
    /// Reads a mode. Where none is written full proof is wanted, but not of a server on this machine.
    pub fn parse(mode: Option<&str>, has_roots: bool, is_here: bool) -> Result<Self> {
        Ok(match mode {
            None if is_here && !has_roots => Trust::Plain,
            None | Some("true") => Trust::Full,
            Some("custom") if has_roots => Trust::Full,
            Some("custom") => {
                return Err(Error::invalid(
                    "`tls=custom` without authorities; name their file by `pemPath`, or write `tls=true`",
                ));
            }
            Some("false") => Trust::Plain,
            Some("preferred") => Trust::Prefer,
            Some("skip-verify") => Trust::Require,
            Some(_) => {
                return Err(Error::invalid(
                    "the parameter `tls`: expected `true`, `false`, `custom`, `skip-verify` or `preferred`",
                ));
            }
        })
    }
}

/// TLS 1.2 or 1.3 with one host.
pub(super) struct Secure {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Secure {
    /// `roots` is the text of the authorities' file, where there is one.
    pub fn new(host: &str, trust: Trust, roots: Option<&[u8]>) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| {
            Error::invalid("the host's name does not fit TLS").with_source(error)
        })?;
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("no TLS").with_source(error))?;
        let config = match trust {
            Trust::Full => config.with_root_certificates(store(roots)?),
            _ => config
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyName(provider))),
        };
        let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
        Ok(Secure { connector, name })
    }

    pub async fn connect(&self, stream: Box<dyn Stream>) -> io::Result<Box<dyn Stream>> {
        let stream = self.connector.connect(self.name.clone(), stream).await?;
        Ok(Box::new(stream))
    }
}

fn store(roots: Option<&[u8]>) -> Result<RootCertStore> {
    let Some(text) = roots else {
        return Ok(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.into(),
        });
    };
    let wrong = || {
        Error::invalid("`pemPath`: expected a file of certificates in PEM, those of authorities")
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text) {
        let added = certificate.map(|certificate| store.add(certificate));
        if !matches!(added, Ok(Ok(()))) {
            return Err(wrong());
        }
    }
    match store.is_empty() {
        true => Err(wrong()),
        false => Ok(store),
    }
}

/// Takes any certificate; that the server has its key is checked all the same.
#[derive(Debug)]
struct AnyName(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
