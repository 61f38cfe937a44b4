//! `wythe-host.yaml`: what the operator of a host with many tenants says of the host and of each tenant.

mod check;
mod ingress;
mod isolation;
mod metered;
mod quotas;
mod read;
mod signing;
#[cfg(test)]
mod tests;
mod tls;

pub use ingress::{HostName, TypePattern};
pub use isolation::{Isolation, Users};
pub use metered::{Metered, Unit};
pub use quotas::{Quota, Quotas};
pub use read::{load_host_file, parse as parse_host_file};
pub use signing::{SIGNATURE_EXTENSION, SigningKey, SigningKeys, Unsigned};
pub use tls::{CertificateFiles, ClientAuthority, HostTls, TenantTls};

use std::path::PathBuf;
use std::sync::Arc;

use crate::host_pattern::{HostPattern, ServerPattern};
use crate::name::Name;
use crate::problem::{Problem, Problems, Source};
use crate::tracing::Tracing;
use ingress::Names;

/// The name of the operator's file in the directory of the tenants.
pub const HOST_FILE: &str = "wythe-host.yaml";

/// The operator's file. It need not be there: each tenant then has the default terms.
#[derive(Clone, Debug, Default)]
pub struct HostFile {
    /// The address for requests to apps.
    pub listen: Option<(String, Source)>,
    /// The address for metrics and health.
    pub metrics: Option<(String, Source)>,
    /// HTTPS, where there is any.
    pub tls: Option<HostTls>,
    /// The users whose processes tenants are, where root runs the host.
    pub users: Users,
    /// The recording of traces, of all tenants.
    pub tracing: Option<Tracing>,
    /// The file as it was read.
    pub text: Arc<str>,
    documents: Vec<Document>,
    source: Source,
}

/// One document of `kind: Tenant`, with what is wrong with it.
#[derive(Clone, Debug)]
struct Document {
    /// The tenant; none is every tenant.
    tenant: Option<Name>,
    isolation: Option<Isolation>,
    hosts: Option<Allowed<Names>>,
    path: Option<bool>,
    tls: Option<tls::Written>,
    http: Option<Allowed<HostPattern>>,
    tcp: Option<Allowed<ServerPattern>>,
    components: Option<Allowed<TypePattern>>,
    paths: Option<Allowed<PathBuf>>,
    environment: Option<Allowed<String>>,
    signing_keys: Option<Arc<SigningKeys>>,
    quotas: Quotas,
    source: Source,
    problems: Problems,
}

/// The terms of one tenant: what its own document says, else what that of all tenants says, else the default.
#[derive(Clone, Debug)]
pub struct Terms {
    /// The tenant.
    pub tenant: Name,
    /// The process in which it runs; default that of the host.
    pub isolation: Isolation,
    /// The host names that it answers to.
    pub hosts: Vec<HostName>,
    /// True if it answers to `/<tenant>/`; by default a tenant without host names does.
    pub by_path: bool,
    /// HTTPS of its host names, where that is another one than the host's.
    pub tls: TenantTls,
    /// The hosts that its apps and plugins may be granted; default none.
    pub http: Allowed<HostPattern>,
    /// The servers that its plugins may connect to; default none.
    pub tcp: Allowed<ServerPattern>,
    /// The types of components that it may have; by default those that reach for nothing outside of the host.
    pub components: Option<Allowed<TypePattern>>,
    /// The directories outside of its own that it may name; default none.
    pub paths: Allowed<PathBuf>,
    /// The variables of the host's environment that it may read; default none.
    pub environment: Allowed<String>,
    /// The keys of which one must have signed each of its component files; by default none need be signed.
    pub signing_keys: Option<Arc<SigningKeys>>,
    /// The amounts that it may have.
    pub quotas: Quotas,
    /// The place of its document, or of the one of all tenants.
    pub source: Source,
}

/// A list of the operator, and its place.
#[derive(Clone, Debug)]
pub struct Allowed<T> {
    /// The entries.
    pub entries: Vec<T>,
    /// The place of the list; that of the document where there is no list.
    pub source: Source,
}

impl Terms {
    /// The problem of a demand for certificates that is left out by asking by the path, under a name of nobody's.
    fn open_path(&self) -> Option<Problem> {
        let clients = self.tls.clients.as_ref();
        // Without a host name there is another problem.
        let is_open = self.by_path && !self.hosts.is_empty();
        let clients = clients.filter(|clients| clients.is_required && is_open)?;
        let message = format!(
            "clients that ask by `/{}/` show no certificate to this authority; leave `path: true` out, or write \
             `clientCertificates: optional`",
            self.tenant
        );
        Some(clients.source.problem("spec.tls.clientCa", message))
    }

    /// The words for the place of a quota: where the operator wrote it, or may write it.
    pub fn place_of(&self, quota: Metered) -> String {
        let key = quota.key();
        match self.quotas.written(quota) {
            Some(source) => format!("the operator's `quotas.{key}`: {source}"),
            None => format!(
                "the default of `quotas.{key}`, for which the operator may write another: {}",
                self.source
            ),
        }
    }
}

impl HostFile {
    /// The terms of a tenant.
    pub fn terms(&self, tenant: &Name) -> Terms {
        let own = self.documents.iter();
        let own = own.filter(|document| document.tenant.as_ref() == Some(tenant));
        let all = self.documents.iter();
        let all = all.filter(|document| document.tenant.is_none());
        let documents: Vec<&Document> = own.chain(all).collect();
        let first = documents.first().map(|document| document.source.clone());
        let source = first.unwrap_or_else(|| self.source.clone());
        let hosts = documents.iter().find_map(|one| one.hosts.clone());
        let hosts = hosts.map(|names| names.of(tenant)).unwrap_or_default();
        Terms {
            tenant: tenant.clone(),
            isolation: documents
                .iter()
                .find_map(|one| one.isolation)
                .unwrap_or_default(),
            by_path: documents
                .iter()
                .find_map(|one| one.path)
                .unwrap_or(hosts.is_empty()),
            hosts,
            tls: TenantTls::of(tenant, documents.iter().filter_map(|one| one.tls.as_ref())),
            http: chosen(&documents, |one| one.http.clone(), &source),
            tcp: chosen(&documents, |one| one.tcp.clone(), &source),
            components: documents.iter().find_map(|one| one.components.clone()),
            paths: chosen(&documents, |one| one.paths.clone(), &source),
            environment: chosen(&documents, |one| one.environment.clone(), &source),
            signing_keys: documents.iter().find_map(|one| one.signing_keys.clone()),
            quotas: Quotas::merged(documents.iter().map(|one| &one.quotas)),
            source,
        }
    }

    /// The problems of the documents that are about a tenant.
    pub fn problems_of(&self, tenant: &Name) -> Problems {
        let mut problems = Problems::default();
        let about = |one: &&Document| one.tenant.as_ref().is_none_or(|name| name == tenant);
        for document in self.documents.iter().filter(about) {
            problems.extend(document.problems.clone());
        }
        let terms = self.terms(tenant);
        problems.0.extend(self.unused_tls(&terms));
        problems.0.extend(terms.open_path());
        problems
    }

    /// The problems of a certificate that nobody is ever shown, and of an authority that nobody is ever asked for.
    fn unused_tls(&self, terms: &Terms) -> Vec<Problem> {
        let message = match (&self.tls, terms.hosts.is_empty()) {
            (None, _) => {
                "no HTTPS is answered; write `tls` in the document of `kind: Host` as well"
            }
            (Some(_), true) => "a certificate is chosen by host name; write `hosts` as well",
            (Some(_), false) => return Vec::new(),
        };
        let places = terms.tls.places();
        let problems = places.map(|(source, key)| source.problem(key, message));
        problems.collect()
    }

    /// Every problem of every document.
    pub fn problems(&self) -> Problems {
        let mut problems = Problems::default();
        for document in &self.documents {
            problems.extend(document.problems.clone());
        }
        problems
    }
}

/// The list of the first document that has one; an empty list at the place of the terms where none has.
fn chosen<T>(
    documents: &[&Document],
    of: impl Fn(&Document) -> Option<Allowed<T>>,
    source: &Source,
) -> Allowed<T> {
    let found = documents.iter().find_map(|document| of(document));
    found.unwrap_or_else(|| Allowed {
        entries: Vec::new(),
        source: source.clone(),
    })
}
