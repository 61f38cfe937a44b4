//! The certificates that are believed of a server, where they are not those of the web alone.

use std::sync::Arc;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// Authorities, and the name that a certificate has to have.
#[derive(Clone)]
pub struct Trust {
    pub(crate) config: ClientConfig,
    pub(crate) name: Option<ServerName<'static>>,
}

impl Trust {
    /// Believes the authorities in PEM, or else those of the web; the name is the server's own where none is given. An error
    /// is in words that follow the setting.
    pub fn new(authorities: Option<&[u8]>, name: Option<&str>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match authorities {
            None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|_| "expected certificates in PEM")?;
                    let added = roots.add(certificate);
                    added.map_err(|_| "a certificate is damaged")?;
                }
            }
        }
        if roots.is_empty() {
            return Err("expected certificates in PEM, found none".to_owned());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions();
        let config = config.map_err(|_| "no version of TLS")?;
        let name = name.map(|name| ServerName::try_from(name.to_owned()));
        let name = name.transpose();
        Ok(Trust {
            config: config.with_root_certificates(roots).with_no_client_auth(),
            name: name.map_err(|_| "expected the name of a server")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_certificate_is_refused() {
        for pem in [
            "",
            "text",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(Trust::new(Some(pem.as_bytes()), None).is_err(), "{pem}");
        }
        assert!(Trust::new(None, Some("server.example.com")).is_ok());
        assert!(Trust::new(None, Some("not a name")).is_err());
    }
}
