//! TLS with a database: whom it must prove to be, and what is taken as proof.

use std::{io, sync::Arc};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
        SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
    },
};
use wythe_blocks::{Error, Result};

/// The proof that a server has to give, as `sslmode` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Trust {
    /// Plain text.
    Plain,
    /// TLS where the server has it, without proof.
    Prefer,
    /// TLS without proof.
    Require,
    /// A certificate that an authority has signed, whatever name is in it.
    Authority,
    /// A certificate of this host.
    Full,
}

impl Trust {
    /// Reads a mode. Where none is written full proof is wanted, but not of a server on this machine.
    pub fn parse(mode: Option<&str>, has_roots: bool, is_here: bool) -> Result<Self> {
        Ok(match mode {
            None if is_here && !has_roots => Trust::Plain,
            None | Some("verify-full") => Trust::Full,
            Some("disable") => Trust::Plain,
            Some("allow" | "prefer") => Trust::Prefer,
            Some("require" | "verify-ca") if has_roots => Trust::Authority,
            Some("verify-ca") => {
                return Err(Error::invalid(
                    "`sslmode=verify-ca` without authorities; name their file by `sslRootCert`, or write `verify-full`",
                ));
            }
            Some("require") => Trust::Require,
            Some(mode) => {
                return Err(Error::invalid(format!(
                    "`sslmode={}`; expected `disable`, `prefer`, `require`, `verify-ca` or `verify-full`",
                    mode.escape_debug()
                )));
            }
        })
    }

    /// Returns whether nobody can listen or answer in the server's place.
    pub fn is_safe(self) -> bool {
        matches!(self, Trust::Authority | Trust::Full)
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
        let name = ServerName::try_from(host.to_owned())
            .map_err(|error| Error::invalid("`host` does not fit TLS").with_source(error))?;
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal("no TLS").with_source(error))?;
        let store = store(roots)?;
        let any_name = |authority| {
            Arc::new(AnyName {
                authority,
                provider: provider.clone(),
            })
        };
        let config = match trust {
            Trust::Full => config.with_root_certificates(store),
            Trust::Authority => {
                let store = Arc::new(store);
                let built = WebPkiServerVerifier::builder_with_provider(store, provider.clone());
                let authority = built.build().map_err(|error| {
                    Error::invalid("`sslRootCert` has no authority").with_source(error)
                })?;
                config
                    .dangerous()
                    .with_custom_certificate_verifier(any_name(Some(authority)))
            }
            Trust::Plain | Trust::Prefer | Trust::Require => config
                .dangerous()
                .with_custom_certificate_verifier(any_name(None)),
        };
        let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
        Ok(Secure { connector, name })
    }

    pub async fn connect(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        self.connector.connect(self.name.clone(), stream).await
    }
}

fn store(roots: Option<&[u8]>) -> Result<RootCertStore> {
    let Some(text) = roots else {
        return Ok(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.into(),
        });
    };
    let mut store = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(text) {
        let added = certificate.map(|certificate| store.add(certificate));
        if !matches!(added, Ok(Ok(()))) {
            return Err(no_authority());
        }
    }
    match store.is_empty() {
        true => Err(no_authority()),
        false => Ok(store),
    }
}

fn no_authority() -> Error {
    Error::invalid("`sslRootCert`: expected a file of certificates in PEM, those of authorities")
}

/// Asks for TLS as the protocol has it; false where the server has none.
pub(super) async fn ask(stream: &mut TcpStream) -> io::Result<bool> {
    const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    stream.write_all(&REQUEST).await?;
    match stream.read_u8().await? {
        b'S' => Ok(true),
        b'N' => Ok(false),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "what answers there is no PostgreSQL",
        )),
    }
}

/// Takes a certificate of any name: one that the authority has signed, or, without an authority, any at all. That the server
/// has its key is checked all the same.
#[derive(Debug)]
struct AnyName {
    authority: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let Some(authority) = &self.authority else {
            return Ok(ServerCertVerified::assertion());
        };
        match authority.verify_server_cert(end, between, name, ocsp, now) {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            answer => answer,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let known = &self.provider.signature_verification_algorithms;
        known.supported_schemes()
    }
}
