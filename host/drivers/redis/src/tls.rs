//! TLS with a server: the authorities that are believed, and the certificate by which this side proves itself.

use crate::failure::wrong;
use std::{io, sync::Arc};
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

/// TLS as the settings have it, parsed.
#[derive(Clone)]
pub(crate) struct Tls {
    connector: TlsConnector,
}

/// The certificates and the key that are written, each in PEM.
pub(crate) struct Written<'a> {
    pub authority: Option<&'a str>,
    pub certificate: Option<&'a str>,
    pub key: Option<&'a Secret>,
}

impl Tls {
    pub fn new(written: &Written<'_>) -> Result<Self, Wrong> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions();
        let config = config.map_err(|error| {
            Wrong::new("enableTLS", Error::internal("no TLS").with_source(error))
        })?;
        let config = config.with_root_certificates(roots(written.authority)?);
        let config = match (written.certificate, written.key) {
            (None, None) => config.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
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
            connector: TlsConnector::from(Arc::new(config)),
        })
    }

    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.connector.connect(name, stream).await
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
