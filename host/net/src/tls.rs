//! TLS with a server: the authorities that are believed, and the certificate by which this side proves itself.

use crate::{Hidden, wrong};
use std::{
    hash::{Hash, Hasher},
    io,
    sync::Arc,
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use wythe_blocks::{Error, Result, Wrong};
use wythe_manifest::Secret;

/// The certificates and the key that are written, each in PEM.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Written {
    /// `caCert`: what is believed in place of the web's authorities.
    pub authority: Option<String>,
    /// `clientCert` and `clientKey`, by which the host proves itself.
    pub certificate: Option<String>,
    pub key: Option<Hidden>,
}

impl Written {
    pub fn new(
        authority: Option<String>,
        certificate: Option<String>,
        key: Option<Secret>,
    ) -> Self {
        // As in a file that a tool wrote, an empty text is none.
        let written = |text: Option<String>| text.filter(|text| !text.is_empty());
        Written {
            authority: written(authority),
            certificate: written(certificate),
            key: key.filter(|key| !key.reveal().is_empty()).map(Hidden),
        }
    }

    /// The name of a setting that is written; none where nothing is.
    pub fn first(&self) -> Option<&'static str> {
        let all = [
            ("caCert", self.authority.is_some()),
            ("clientCert", self.certificate.is_some()),
            ("clientKey", self.key.is_some()),
        ];
        all.iter()
            .find(|(_, is_written)| *is_written)
            .map(|(name, _)| *name)
    }
}

/// TLS 1.2 or 1.3 as the settings have it; the server's certificate is always checked. Equal where what was written is.
#[derive(Clone)]
pub struct Tls {
    written: Written,
    connector: TlsConnector,
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl Eq for Tls {}

impl Hash for Tls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.written.hash(state);
    }
}

impl Tls {
    /// `setting` is the one that asks for TLS.
    pub fn new(setting: &'static str, written: Written) -> Result<Self, Wrong> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions();
        let config = config
            .map_err(|error| Wrong::new(setting, Error::internal("no TLS").with_source(error)))?;
        let config = config.with_root_certificates(roots(written.authority.as_deref())?);
        let config = match (&written.certificate, &written.key) {
            (None, None) => config.with_no_client_auth(),
            (Some(certificate), Some(Hidden(key))) => {
                let certificates = certificates("clientCert", certificate)?;
                let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes());
                let wrong = || wrong("clientKey", "expected a private key in PEM");
                let key = key.map_err(|_| wrong())?;
                let config = config.with_client_auth_cert(certificates, key);
                config.map_err(|_| wrong_pair())?
            }
            (Some(_), None) => return Err(wrong("clientCert", "expected `clientKey` beside it")),
            (None, Some(_)) => return Err(wrong("clientKey", "expected `clientCert` beside it")),
        };
        Ok(Tls {
            written,
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Returns whether this side has a certificate to show.
    pub fn has_certificate(&self) -> bool {
        self.written.certificate.is_some()
    }

    /// Begins TLS on a connection, with the server that has this name. The caller bounds the time.
    pub async fn connect(&self, host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>> {
        let begun = async {
            let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
            self.connector.connect(name, stream).await
        };
        begun.await.map_err(|error| {
            Error::unavailable(
                "no TLS with the server: it speaks none on this port, or its certificate is not one that `caCert` or the web's authorities signed for this host name",
            )
            .with_source(error)
        })
    }
}

fn wrong_pair() -> Wrong {
    wrong(
        "clientKey",
        "expected the key of the certificate in `clientCert`",
    )
}

/// The authorities of the web, or in their place those that are written.
fn roots(authority: Option<&str>) -> Result<RootCertStore, Wrong> {
    let mut roots = RootCertStore::empty();
    match authority {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(text) => {
            for certificate in certificates("caCert", text)? {
                let added = roots.add(certificate);
                added.map_err(|_| wrong("caCert", "a certificate is damaged"))?;
            }
        }
    }
    Ok(roots)
}

fn certificates(setting: &'static str, text: &str) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|_| wrong(setting, "expected certificates in PEM"))?;
    match found.is_empty() {
        true => Err(wrong(setting, "expected certificates in PEM, found none")),
        false => Ok(found),
    }
}
