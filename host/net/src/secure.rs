//! TLS with one host: whom it must prove to be, and what is taken as proof.

use crate::tls::{builder, roots};
use std::{io, sync::Arc};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        CertificateError, DigitallySignedStruct, Error as TlsError, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime},
    },
};
use wythe_blocks::{Error, Result};

/// The proof that a server has to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Any certificate.
    Any,
    /// A certificate that an authority has signed, whatever name is in it.
    Authority,
    /// A certificate of the host, which an authority has signed.
    Full,
}

/// TLS 1.2 or 1.3 with one host.
pub struct Secure {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Secure {
    /// `written` is the text of the authorities in PEM, behind the setting that names them, in place of those of the web.
    pub fn new(host: &str, proof: Proof, written: Option<(&'static str, &[u8])>) -> Result<Self> {
        let name = ServerName::try_from(host.to_owned()).map_err(|error| {
            Error::invalid("the host's name does not fit TLS").with_source(error)
        })?;
        let config = builder().map_err(|error| Error::internal("no TLS").with_source(error))?;
        let roots = roots(written.map(|(_, text)| text)).map_err(|why| {
            let setting = written.map_or("", |(setting, _)| setting);
            let text = "expected a file of certificates in PEM, those of authorities";
            Error::invalid(format!("`{setting}`: {text}")).with_source(why)
        })?;
        let provider = config.crypto_provider().clone();
        let authority = match proof {
            Proof::Authority => {
                let built =
                    WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone());
                let wrong = |error| Error::invalid("there is no authority").with_source(error);
                Some(built.build().map_err(wrong)?)
            }
            Proof::Any | Proof::Full => None,
        };
        let config =
            match proof {
                Proof::Full => config.with_root_certificates(roots),
                Proof::Any | Proof::Authority => config
                    .dangerous()
                    .with_custom_certificate_verifier(Arc::new(AnyName {
                        authority,
                        provider,
                    })),
            };
        let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
        Ok(Secure { connector, name })
    }

    pub async fn connect<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.connector.connect(self.name.clone(), stream).await
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

#[cfg(test)]
mod tests;
