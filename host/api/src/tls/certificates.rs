//! The certificates in force: that of the host, and those of tenants for their own host names.

use super::{authority::Authority, pair::Pair, trust::Trust};
use parking_lot::{Mutex, RwLock};
use std::{collections::BTreeMap, fmt, sync::Arc};
use tokio_rustls::rustls::{
    ServerConfig,
    crypto::ring,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use wythe_blocks::{Error, Result, Routes};
use wythe_manifest::{CertificateFiles, ClientAuthority, Name, TenantTls};

/// The protocols that a client may choose of (ALPN), the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// The certificates that clients are shown, and the authorities of those that they show. Files are read by
/// [`Certificates::look`] alone, so whoever looks again and again has their changes in force.
pub struct Certificates {
    routes: Arc<Routes>,
    /// The configurations of new connections. A change makes others, so that no session of before goes on under them.
    configs: RwLock<Configs>,
    owners: Mutex<Owners>,
}

/// The configurations in force. None shares sessions with another one.
struct Configs {
    host: InForce,
    /// Those of tenants whose clients have an authority of their own; none where its file was never good, so that nobody is
    /// let in.
    tenants: BTreeMap<Name, Option<InForce>>,
}

/// A configuration, and the authority by which it checks clients.
#[derive(Clone)]
struct InForce {
    config: Arc<ServerConfig>,
    trust: Option<Arc<Trust>>,
}

/// The authority that clients are asked for, if they are asked at all.
pub(super) struct Asked {
    pub trust: Option<Arc<Trust>>,
    /// True where it is that of the tenant, not of the host.
    pub is_own: bool,
}

/// The configuration for one connection.
pub(super) struct Chosen {
    pub config: Arc<ServerConfig>,
    pub asked: Asked,
    /// The tenant that has the name which the client asks for.
    pub owner: Option<Name>,
}

impl Chosen {
    /// The tenant whose own authority checks the client; none where it is that of the host.
    pub fn authority(&self) -> Option<&Name> {
        self.owner.as_ref().filter(|_| self.asked.is_own)
    }
}

impl Configs {
    /// The configuration for the names of a tenant, or of nobody, and whether it is the tenant's own; none where nobody is let
    /// in.
    fn of(&self, owner: Option<&Name>) -> Option<(&InForce, bool)> {
        match owner.and_then(|owner| self.tenants.get(owner)) {
            Some(own) => Some((own.as_ref()?, true)),
            None => Some((&self.host, false)),
        }
    }
}

/// The files of all.
struct Owners {
    host: Pair,
    clients: Option<Authority>,
    tenants: BTreeMap<Name, Own>,
}

/// The files of a tenant.
#[derive(Default)]
struct Own {
    pair: Option<Pair>,
    clients: Option<Authority>,
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
        let owners = Owners {
            host,
            clients,
            tenants,
        };
        let configs = owners.configs(routes)?;
        Ok(Arc::new(Certificates {
            routes: routes.clone(),
            configs: RwLock::new(configs),
            owners: Mutex::new(owners),
        }))
    }

    /// Looks whether files changed, and puts what is good in force for new connections. The answer is what is wrong now, with
    /// the tenant unless it is about the host's own: there what was in force before stays so. A tenant without a certificate
    /// has the host's, and one whose authority was never good lets nobody in.
    pub fn look(
        &self,
        (host, clients): (&CertificateFiles, Option<&ClientAuthority>),
        tenants: BTreeMap<Name, TenantTls>,
    ) -> Vec<(Option<Name>, Error)> {
        let mut owners = self.owners.lock();
        let mut problems = Vec::new();
        let is_changed = look_at_clients(&mut owners.clients, clients);
        if owners.look(host, tenants) || is_changed {
            match owners.configs(&self.routes) {
                Ok(configs) => *self.configs.write() = configs,
                Err(error) => problems.push((None, error)),
            }
        }
        problems.extend(owners.problems());
        problems
    }

    /// The configuration of a new connection, by the name that its client asks for; none for a tenant that lets nobody in yet.
    pub(super) fn choose(&self, name: Option<&str>) -> Option<Chosen> {
        let owner = name.and_then(|name| self.routes.owner(name));
        let configs = self.configs.read();
        let (chosen, is_own) = configs.of(owner.as_ref())?;
        let InForce { config, trust } = chosen.clone();
        Some(Chosen {
            config,
            asked: Asked { trust, is_own },
            owner,
        })
    }

    /// The authority that clients are asked for now by the names of a tenant, or of nobody; none where nobody is let in.
    pub(super) fn asked(&self, owner: Option<&Name>) -> Option<Asked> {
        let configs = self.configs.read();
        let (chosen, is_own) = configs.of(owner)?;
        let trust = chosen.trust.clone();
        Some(Asked { trust, is_own })
    }

    /// Says whether a client without a certificate by the authority of the host is refused, where that is in force.
    pub(super) fn host_requires(&self) -> bool {
        let configs = self.configs.read();
        let trust = configs.host.trust.as_ref();
        trust.is_some_and(|trust| trust.is_required())
    }
}

/// Looks at an authority of clients; true where another one, or none, is in force from now on.
fn look_at_clients(clients: &mut Option<Authority>, written: Option<&ClientAuthority>) -> bool {
    match (clients, written) {
        (Some(known), Some(written)) => known.look(written),
        (clients, Some(written)) => {
            *clients = Some(Authority::read(written));
            true
        }
        (clients, None) => clients.take().is_some(),
    }
}

impl Own {
    /// Looks at the files; true where something else is in force from now on.
    fn look(&mut self, written: &TenantTls) -> bool {
        let is_shown = match (&mut self.pair, &written.files) {
            (Some(known), Some(files)) => known.look(files),
            (pair, Some(files)) => pair.insert(Pair::read(files)).key().is_some(),
            (pair, None) => pair.take().is_some(),
        };
        look_at_clients(&mut self.clients, written.clients.as_ref()) || is_shown
    }

    fn problems(&self) -> impl Iterator<Item = Error> {
        let pair = self.pair.as_ref().and_then(Pair::problem);
        let clients = self.clients.as_ref().and_then(Authority::problem);
        pair.into_iter().chain(clients)
    }
}

impl Owners {
    /// Looks at every file; true where something else is in force from now on.
    fn look(&mut self, host: &CertificateFiles, tenants: BTreeMap<Name, TenantTls>) -> bool {
        let before = self.tenants.len();
        self.tenants.retain(|name, _| tenants.contains_key(name));
        let mut is_changed = self.tenants.len() != before;
        is_changed |= self.host.look(host);
        for (name, written) in tenants {
            is_changed |= self.tenants.entry(name).or_default().look(&written);
        }
        is_changed
    }

    fn problems(&self) -> impl Iterator<Item = (Option<Name>, Error)> {
        let clients = self.clients.as_ref().and_then(Authority::problem);
        let host = self.host.problem().or(clients).map(|error| (None, error));
        let tenants = self.tenants.iter();
        let tenants = tenants.flat_map(|(name, own)| {
            let problems = own.problems();
            problems.map(move |error| (Some(name.clone()), error))
        });
        host.into_iter().chain(tenants)
    }

    fn configs(&self, routes: &Arc<Routes>) -> Result<Configs> {
        let key = self.host.key();
        let key = key.ok_or_else(|| Error::internal("the host has no certificate"))?;
        let tenants = self.tenants.iter();
        let choice = Arc::new(Choice {
            routes: routes.clone(),
            host: key.clone(),
            tenants: tenants
                .filter_map(|(name, own)| {
                    let key = own.pair.as_ref()?.key()?;
                    Some((name.clone(), key.clone()))
                })
                .collect(),
        });
        let own = self.tenants.iter().filter_map(|(name, own)| {
            let clients = own.clients.as_ref()?;
            // Without a good file there is nothing to check clients by.
            let trust = clients.trust();
            let made = trust.and_then(|trust| InForce::new(&choice, Some(trust)).ok());
            Some((name.clone(), made))
        });
        // One that was never good changes nothing of the host.
        let trust = self.clients.as_ref().and_then(Authority::trust);
        Ok(Configs {
            tenants: own.collect(),
            host: InForce::new(&choice, trust)?,
        })
    }
}

impl InForce {
    fn new(choice: &Arc<Choice>, trust: Option<&Arc<Trust>>) -> Result<Self> {
        Ok(InForce {
            config: Arc::new(config(choice, trust)?),
            trust: trust.cloned(),
        })
    }
}

/// A configuration, with keys for sessions that no other one has.
fn config(choice: &Arc<Choice>, trust: Option<&Arc<Trust>>) -> Result<ServerConfig> {
    let failed = |error| Error::internal("TLS cannot be had").with_source(error);
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(failed)?;
    let config = match trust {
        Some(trust) => config.with_client_cert_verifier(trust.clone()),
        None => config.with_no_client_auth(),
    };
    let mut config = config.with_cert_resolver(choice.clone());
    config.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).to_vec();
    config.ticketer = ring::Ticketer::new().map_err(failed)?;
    Ok(config)
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
