//! TLS as the operator writes it: an address of the host, and files of certificates.

use std::path::{Path, PathBuf};

use super::ingress::TENANT;
use crate::app::join;
use crate::name::{Name, shown};
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
    /// The authority of its clients' certificates; none asks them for no certificate.
    pub clients: Option<ClientAuthority>,
}

/// The file of the certificates by which those of clients are signed, PEM.
#[derive(Clone, Debug)]
pub struct ClientAuthority {
    /// The certificates of the authority.
    pub file: PathBuf,
    /// True where a client without a certificate is refused; default true.
    pub is_required: bool,
    /// The place where the file is named.
    pub source: Source,
}

impl Same for ClientAuthority {
    fn is_same(&self, other: &Self) -> bool {
        (&self.file, self.is_required) == (&other.file, other.is_required)
    }
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
    let fields = at.fields(&[
        "listen",
        "certificate",
        "key",
        "clientCa",
        "clientCertificates",
    ])?;
    let clients = read_clients(&fields, root);
    let listen = fields.demand("listen", "the address for HTTPS", |at| {
        Some((at.filled()?.to_owned(), at.source()))
    });
    let files = read_files(at, &fields, root);
    Some(HostTls {
        listen: listen?,
        files: files?.files(str::to_owned),
        clients,
    })
}

fn read_clients(fields: &Fields, root: &Path) -> Option<ClientAuthority> {
    let is_required = fields.read("clientCertificates", read_demand);
    let Some(at) = fields.get("clientCa") else {
        if let Some(at) = fields.get("clientCertificates") {
            at.error("no certificate can be checked; write `clientCa` beside it, the file of who signs them");
        }
        return None;
    };
    Some(ClientAuthority {
        file: join(root, at.filled()?),
        // What cannot be read must not become what is more open.
        is_required: is_required.unwrap_or(true),
        source: at.source(),
    })
}

fn read_demand(at: &At) -> Option<bool> {
    match at.text()? {
        "required" => Some(true),
        "optional" => Some(false),
        other => {
            at.error(&format!(
                "expected `required` or `optional`, found `{}`",
                shown(other)
            ));
            None
        }
    }
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
