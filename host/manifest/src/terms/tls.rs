//! TLS as the operator writes it: an address of the host, and files of certificates.

use std::path::{Path, PathBuf};

use super::ingress::TENANT;
use crate::app::join;
use crate::name::Name;
use crate::problem::Source;
use crate::reader::{At, Fields};
use crate::same::Same;

/// HTTPS of the host: where it answers, and the certificate for names whose tenant has none.
#[derive(Clone, Debug)]
pub struct HostTls {
    /// The address for requests to apps.
    pub listen: (String, Source),
    /// The certificate for every name that has no other.
    pub files: CertificateFiles,
}

/// The files of a certificate and of its key, both PEM, and the place where they are named.
#[derive(Clone, Debug)]
pub struct CertificateFiles {
    /// The certificate, and those of its issuers after it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// The place of both.
    pub source: Source,
}

impl Same for CertificateFiles {
    fn is_same(&self, other: &Self) -> bool {
        (&self.certificate, &self.key) == (&other.certificate, &other.key)
    }
}

/// Files as they are written: for one tenant, or with `{tenant}` in their names for all of them.
#[derive(Clone, Debug)]
pub(super) struct Written {
    certificate: String,
    key: String,
    /// The directory that they are relative to.
    root: PathBuf,
    source: Source,
}

impl Written {
    fn files(&self, path: impl Fn(&str) -> String) -> CertificateFiles {
        CertificateFiles {
            certificate: join(&self.root, path(&self.certificate)),
            key: join(&self.root, path(&self.key)),
            source: self.source.clone(),
        }
    }

    pub(super) fn of(&self, tenant: &Name) -> CertificateFiles {
        self.files(|written| written.replace(TENANT, tenant.as_str()))
    }
}

/// Reads what a document says of the host's own TLS.
pub(super) fn read_host(at: &At, root: &Path) -> Option<HostTls> {
    let fields = at.fields(&["listen", "certificate", "key"])?;
    let listen = fields.demand("listen", "the address for HTTPS", |at| {
        Some((at.filled()?.to_owned(), at.source()))
    });
    let files = read_files(at, &fields, root);
    Some(HostTls {
        listen: listen?,
        files: files?.files(str::to_owned),
    })
}

/// Reads what a document says of the certificate of its tenant.
pub(super) fn read_tenant(at: &At, root: &Path) -> Option<Written> {
    let fields = at.fields(&["certificate", "key"])?;
    read_files(at, &fields, root)
}

fn read_files(at: &At, fields: &Fields, root: &Path) -> Option<Written> {
    let path = |name, what| fields.demand(name, what, |at| at.filled().map(str::to_owned));
    let certificate = path("certificate", "the file of the certificate, PEM");
    let key = path("key", "the file of its private key, PEM");
    Some(Written {
        certificate: certificate?,
        key: key?,
        root: root.to_path_buf(),
        source: at.source(),
    })
}
