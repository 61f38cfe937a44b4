//! The certificates in force: that of the host, and those of tenants for their own host names.

use super::{authority::Authority, pair::Pair};
use parking_lot::{Mutex, RwLock};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    sync::Arc,
};
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use wythe_blocks::{Error, Result, Routes};
use wythe_manifest::{CertificateFiles, ClientAuthority, Name};

/// The protocols that a client may choose of (ALPN), the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificates that clients are shown. Files are read by [`Certificates::look`] alone, so whoever looks again and again
/// has their changes in force.
pub struct Certificates {
    routes: Arc<Routes>,
    /// The configuration of new connections. A change is another one, so that no session of before goes on under it.
    config: RwLock<Arc<ServerConfig>>,
    pairs: Mutex<Pairs>,
}

struct Pairs {
    host: Pair,
    clients: Option<Authority>,
    tenants: BTreeMap<Name, Pair>,
}

impl Certificates {
    /// Reads the certificate of the host and the authority of its clients, without which nothing can be served. `routes` say
    /// whose a name is.
    pub fn read(
        files: &CertificateFiles,
        clients: Option<&ClientAuthority>,
        routes: &Arc<Routes>,
    ) -> Result<Arc<Self>> {
        let (host, tenants) = (Pair::read(files), BTreeMap::new());
        let clients = clients.map(Authority::read);
        let wrong = clients.as_ref().and_then(Authority::problem);
        if let Some(error) = host.problem().or(wrong) {
            return Err(error);
        }
        let pairs = Pairs {
            host,
            clients,
            tenants,
        };
        let config = pairs.config(routes)?;
        Ok(Arc::new(Certificates {
            routes: routes.clone(),
            config: RwLock::new(Arc::new(config)),
            pairs: Mutex::new(pairs),
        }))
    }

    /// Looks whether files changed, and puts what is good in force for new connections. The answer is what is wrong now, with
    /// the tenant unless it is about the host's own: there the certificate of before stays in force, and a tenant without one
    /// has the host's.
    pub fn look(
        &self,
        (host, clients): (&CertificateFiles, Option<&ClientAuthority>),
        tenants: BTreeMap<Name, CertificateFiles>,
    ) -> Vec<(Option<Name>, Error)> {
        let mut pairs = self.pairs.lock();
        let mut problems = Vec::new();
        let is_changed = pairs.look_at_clients(clients);
        if pairs.look(host, tenants) || is_changed {
            match pairs.config(&self.routes) {
                Ok(config) => *self.config.write() = Arc::new(config),
                Err(error) => problems.push((None, error)),
            }
        }
        problems.extend(pairs.problems());
        problems
    }

    /// The configuration of a new connection.
    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.read().clone()
    }
}

impl Pairs {
    /// Looks at the authority of clients; true where another one, or none, is in force from now on.
    fn look_at_clients(&mut self, written: Option<&ClientAuthority>) -> bool {
        match (&mut self.clients, written) {
            (Some(known), Some(written)) => known.look(written),
            (clients, Some(written)) => {
                let read = Authority::read(written);
                let is_good = read.problem().is_none();
                *clients = Some(read);
                is_good
            }
            (clients, None) => clients.take().is_some(),
        }
    }

    /// Looks at every file; true where something else is to be shown from now on.
    fn look(&mut self, host: &CertificateFiles, tenants: BTreeMap<Name, CertificateFiles>) -> bool {
        let before = self.tenants.len();
        self.tenants.retain(|name, _| tenants.contains_key(name));
        let mut is_changed = self.tenants.len() != before;
        is_changed |= self.host.look(host);
        for (name, files) in tenants {
            is_changed |= match self.tenants.entry(name) {
                Entry::Vacant(entry) => entry.insert(Pair::read(&files)).key().is_some(),
                Entry::Occupied(mut entry) => entry.get_mut().look(&files),
            };
        }
        is_changed
    }

    fn problems(&self) -> impl Iterator<Item = (Option<Name>, Error)> {
        let clients = self.clients.as_ref().and_then(Authority::problem);
        let host = self.host.problem().or(clients).map(|error| (None, error));
        let tenants = self.tenants.iter();
        let tenants =
            tenants.filter_map(|(name, pair)| Some((Some(name.clone()), pair.problem()?)));
        host.into_iter().chain(tenants)
    }

    fn config(&self, routes: &Arc<Routes>) -> Result<ServerConfig> {
        let failed = |error| Error::internal("TLS cannot be had").with_source(error);
        let key = self.host.key();
        let key = key.ok_or_else(|| Error::internal("the host has no certificate"))?;
        let tenants = self.tenants.iter();
        let choice = Choice {
            routes: routes.clone(),
            host: key.clone(),
            tenants: tenants
                .filter_map(|(name, pair)| Some((name.clone(), pair.key()?.clone())))
                .collect(),
        };
        let provider = Arc::new(ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(failed)?;
        let config = match &self.clients {
            Some(clients) => config.with_client_cert_verifier(clients.verifier()?),
            None => config.with_no_client_auth(),
        };
        let mut config = config.with_cert_resolver(Arc::new(choice));
        config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
        config.ticketer = ring::Ticketer::new().map_err(failed)?;
        Ok(config)
    }
}

/// The choice of a certificate by the name that a client asks for.
struct Choice {
    routes: Arc<Routes>,
    host: Arc<CertifiedKey>,
    tenants: BTreeMap<Name, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let owner = hello.server_name().and_then(|name| self.routes.owner(name));
        let own = owner.and_then(|tenant| self.tenants.get(&tenant));
        Some(own.unwrap_or(&self.host).clone())
    }
}

/// Keys are not shown.
impl fmt::Debug for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Choice").finish_non_exhaustive()
    }
}
