//! The authorities of which one has to have signed a receiver's certificate, where the public ones are not meant.

#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};
use tokio_rustls::rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use wythe_manifest::OpenFile;

/// Bytes of a file of authorities.
const LARGEST: u64 = 1 << 20;
/// Authorities of one file.
const AUTHORITIES: usize = 100;

/// The authorities of a file, in place of the public ones.
#[derive(Clone, Debug)]
pub struct Trust(ClientConfig);

impl Trust {
    /// Reads certificates in PEM. An error follows the name of the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let file = OpenFile::open(None, path);
        let pem = file.and_then(|file| file.read(LARGEST));
        let pem = pem.map_err(|why| format!("cannot be read: {why}"))?;
        let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let all = all.map_err(|_| "is no whole PEM; write it anew".to_owned())?;
        if all.is_empty() || all.len() > AUTHORITIES {
            return Err(format!(
                "has {} certificates in PEM; expected 1 to {AUTHORITIES}, with `BEGIN CERTIFICATE`",
                all.len()
            ));
        }
        let mut roots = RootCertStore::empty();
        for certificate in all {
            let added = roots.add(certificate);
            added.map_err(|_| "has a certificate that is damaged".to_owned())?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions();
        let config = config.map_err(|_| "is of no use: there is no version of TLS".to_owned())?;
        let config = config.with_root_certificates(roots);
        Ok(Trust(config.with_no_client_auth()))
    }

    /// The settings of TLS towards a receiver.
    pub fn config(&self) -> ClientConfig {
        self.0.clone()
    }
}
