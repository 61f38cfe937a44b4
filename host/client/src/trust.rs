//! The certificates that are believed of a server, where they are not those of the web alone, and one that is shown to it.

use std::sync::Arc;
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
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
        Self::proving(authorities, name, None)
    }

    /// The same, and a certificate with its key, both in PEM, by which this side proves itself.
    pub fn proving(
        authorities: Option<&[u8]>,
        name: Option<&str>,
        own: Option<(&[u8], &[u8])>,
    ) -> Result<Self, String> {
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
        let config = config.with_root_certificates(roots);
        let config = match own {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain: Result<Vec<_>, _> =
                    CertificateDer::pem_slice_iter(certificate).collect();
                let chain = chain.map_err(|_| "expected the own certificate in PEM")?;
                let key = PrivateKeyDer::from_pem_slice(key);
                let key = key.map_err(|_| "expected the own key in PEM")?;
                let config = config.with_client_auth_cert(chain, key);
                config.map_err(|_| "expected the key of the own certificate")?
            }
        };
        let name = name.map(|name| ServerName::try_from(name.to_owned()));
        let name = name.transpose();
        Ok(Trust {
            config,
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
        for own in [(&b""[..], &b""[..]), (b"text", b"text")] {
            assert!(Trust::proving(None, None, Some(own)).is_err());
        }
    }
}
