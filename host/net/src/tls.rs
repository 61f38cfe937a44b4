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
        ClientConfig, ConfigBuilder, Error as TlsError, RootCertStore, WantsVerifier,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use wythe_blocks::{Error, Result, Wrong};
use wythe_manifest::Secret;

/// The certificates and the key that are written, each in PEM.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Written {
    /// The names of the three settings, in the order of what they hold here.
    pub names: [&'static str; 3],
    /// The authorities that are believed in place of the web's.
    pub authority: Option<String>,
    /// The certificate by which the host proves itself, and its key.
    pub certificate: Option<String>,
    pub key: Option<Hidden>,
}

impl Written {
    /// The settings `caCert`, `clientCert` and `clientKey`.
    pub fn new(
        authority: Option<String>,
        certificate: Option<String>,
        key: Option<Secret>,
    ) -> Self {
        // As in a file that a tool wrote, an empty text is none.
        let written = |text: Option<String>| text.filter(|text| !text.is_empty());
        Written {
            names: ["caCert", "clientCert", "clientKey"],
            authority: written(authority),
            certificate: written(certificate),
            key: key.filter(|key| !key.reveal().is_empty()).map(Hidden),
        }
    }

    /// Gives the settings other names.
    #[must_use]
    pub fn named(mut self, names: [&'static str; 3]) -> Self {
        self.names = names;
        self
    }

    /// The name of a setting that is written; none where nothing is.
    pub fn first(&self) -> Option<&'static str> {
        let all = [
            self.authority.is_some(),
            self.certificate.is_some(),
            self.key.is_some(),
        ];
        let found = self.names.into_iter().zip(all);
        found
            .into_iter()
            .find(|(_, is_written)| *is_written)
            .map(|(name, _)| name)
    }

    /// Refuses a certificate without its key, and a key without its certificate.
    pub fn check_pair(&self) -> Result<(), Wrong> {
        let [_, certificate, key] = self.names;
        let (alone, missing) = match (&self.certificate, &self.key) {
            (Some(_), None) => (certificate, key),
            (None, Some(_)) => (key, certificate),
            _ => return Ok(()),
        };
        Err(wrong(alone, &format!("expected `{missing}` beside it")))
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
        written.check_pair()?;
        let [authority_name, certificate_name, key_name] = written.names;
        let config = builder()
            .map_err(|error| Wrong::new(setting, Error::internal("no TLS").with_source(error)))?;
        let roots = roots(written.authority.as_deref().map(str::as_bytes));
        let config =
            config.with_root_certificates(roots.map_err(|why| wrong(authority_name, why))?);
        let config = match (&written.certificate, &written.key) {
            (Some(certificate), Some(Hidden(key))) => {
                let certificates = certificates(certificate.as_bytes());
                let certificates = certificates.map_err(|why| wrong(certificate_name, why))?;
                let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes());
                let key = key.map_err(|_| wrong(key_name, "expected a private key in PEM"))?;
                let config = config.with_client_auth_cert(certificates, key);
                let why = format!("expected the key of the certificate in `{certificate_name}`");
                config.map_err(|_| wrong(key_name, &why))?
            }
            _ => config.with_no_client_auth(),
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

/// A config of TLS 1.2 and 1.3, for a server that is still to be checked.
pub(crate) fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    config.with_safe_default_protocol_versions()
}

/// The authorities of the web, or in their place those that are written; else what is wrong with these.
pub(crate) fn roots(written: Option<&[u8]>) -> Result<Arc<RootCertStore>, &'static str> {
    let Some(text) = written else {
        return Ok(Arc::new(RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.into(),
        }));
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(text)? {
        let added = roots.add(certificate);
        added.map_err(|_| "a certificate is damaged")?;
    }
    Ok(Arc::new(roots))
}

fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, &'static str> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|_| "expected certificates in PEM")?;
    match found.is_empty() {
        true => Err("expected certificates in PEM, found none"),
        false => Ok(found),
    }
}
