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

/// HTTPS of one tenant's host names, where that is another one than the host's.
#[derive(Clone, Debug, Default)]
pub struct TenantTls {
    /// The certificate; default that of the host.
    pub files: Option<CertificateFiles>,
    /// The authority of its clients' certificates; default that of the host.
    pub clients: Option<ClientAuthority>,
}

/// The files of a pair as they are written: for one tenant, or with `{tenant}` in their names for all of them.
#[derive(Clone, Debug)]
struct Pair {
    certificate: String,
    key: String,
    source: Source,
}

impl Pair {
    fn files(&self, path: impl Fn(&str) -> PathBuf) -> CertificateFiles {
        CertificateFiles {
            certificate: path(&self.certificate),
            key: path(&self.key),
            source: self.source.clone(),
        }
    }
}

/// The authority of clients as it is written, in the same way.
#[derive(Clone, Debug)]
struct Clients {
    file: String,
    is_required: bool,
    source: Source,
}

impl Clients {
    fn authority(&self, path: impl Fn(&str) -> PathBuf) -> ClientAuthority {
        ClientAuthority {
            file: path(&self.file),
            is_required: self.is_required,
            source: self.source.clone(),
        }
    }
}

/// The key `tls` of a tenant's document, or of that of all tenants.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pair: Option<Pair>,
    clients: Option<Clients>,
    /// The directory that files are relative to.
    root: PathBuf,
}

impl Written {
    /// The path of a file of a tenant.
    fn path(&self, tenant: &Name, written: &str) -> PathBuf {
        join(&self.root, written.replace(TENANT, tenant.as_str()))
    }
}

impl TenantTls {
    /// Takes the pair and the authority of a tenant, each of the first document that has it.
    pub(super) fn of<'a>(
        tenant: &Name,
        mut documents: impl Iterator<Item = &'a Written> + Clone,
    ) -> Self {
        let pair = |one: &Written| {
            let pair = one.pair.as_ref()?;
            Some(pair.files(|file| one.path(tenant, file)))
        };
        let authority = |one: &Written| {
            let clients = one.clients.as_ref()?;
            Some(clients.authority(|file| one.path(tenant, file)))
        };
        TenantTls {
            files: documents.clone().find_map(pair),
            clients: documents.find_map(authority),
        }
    }

    /// Every place where something of it is written, with its key.
    pub(super) fn places(&self) -> impl Iterator<Item = (&Source, &'static str)> {
        let files = self.files.iter().map(|files| (&files.source, "spec.tls"));
        let clients = self.clients.iter();
        files.chain(clients.map(|clients| (&clients.source, "spec.tls.clientCa")))
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
    let clients = read_clients(&fields);
    let listen = fields.demand("listen", "the address for HTTPS", |at| {
        Some((at.filled()?.to_owned(), at.source()))
    });
    let files = read_pair(at, &fields);
    let path = |file: &str| join(root, file);
    Some(HostTls {
        listen: listen?,
        files: files?.files(path),
        clients: clients.map(|clients| clients.authority(path)),
    })
}

fn read_clients(fields: &Fields) -> Option<Clients> {
    let is_required = fields.read("clientCertificates", read_demand);
    let Some(at) = fields.get("clientCa") else {
        if let Some(at) = fields.get("clientCertificates") {
            at.error("no certificate can be checked; write `clientCa` beside it, the file of who signs them");
        }
        return None;
    };
    Some(Clients {
        file: at.filled()?.to_owned(),
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

/// Reads what a document says of the certificate of its tenant, and of those of its clients.
pub(super) fn read_tenant(at: &At, root: &Path) -> Option<Written> {
    let fields = at.fields(&["certificate", "key", "clientCa", "clientCertificates"])?;
    let clients = read_clients(&fields);
    // An authority may stand alone: the tenant then has the certificate of the host.
    let has_pair = fields.get("certificate").is_some() || fields.get("key").is_some();
    let pair = match has_pair || fields.get("clientCa").is_none() {
        true => Some(read_pair(at, &fields)?),
        false => None,
    };
    Some(Written {
        pair,
        clients,
        root: root.to_path_buf(),
    })
}

fn read_pair(at: &At, fields: &Fields) -> Option<Pair> {
    let path = |name, what| fields.demand(name, what, |at| at.filled().map(str::to_owned));
    let certificate = path("certificate", "the file of the certificate, PEM");
    let key = path("key", "the file of its private key, PEM");
    Some(Pair {
        certificate: certificate?,
        key: key?,
        source: at.source(),
    })
}
