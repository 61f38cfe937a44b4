//! TLS with the server: who signs for it, and the certificate by which the host proves itself.

use crate::failure::wrong;
use std::{io, sync::Arc};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};
use wythe_blocks::{Error, Result, Wrong};
use wythe_manifest::Secret;

/// TLS 1.2 or 1.3, ready to connect; the server's certificate is always checked.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl Tls {
    /// `authority` is a text of certificates in PEM, in place of the web's; `own` a certificate with its key.
    pub fn new(authority: Option<&str>, own: Option<(&str, &Secret)>) -> Result<Self, Wrong> {
        let mut roots = RootCertStore::empty();
        match authority {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(text) => {
                let (_, damaged) = roots.add_parsable_certificates(chain("tls_ca_cert", text)?);
                if damaged > 0 {
                    return Err(wrong("tls_ca_cert", "a certificate is damaged"));
                }
            }
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| Wrong::new("natsURL", Error::internal("no TLS").with_source(error)))?
            .with_root_certificates(roots);
        let config = match own {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.reveal().as_bytes());
                let key =
                    key.map_err(|_| wrong("tls_client_key", "expected a private key in PEM"))?;
                let own = chain("tls_client_cert", certificate)?;
                config
                    .with_client_auth_cert(own, key)
                    .map_err(|_| wrong("tls_client_key", "expected the key of `tls_client_cert`"))?
            }
        };
        Ok(Tls(TlsConnector::from(Arc::new(config))))
    }

    pub async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

fn chain(setting: &'static str, text: &str) -> Result<Vec<CertificateDer<'static>>, Wrong> {
    let found = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(wrong(
            setting,
            "expected certificates in PEM, or the path of a file of them",
        )),
    }
}
