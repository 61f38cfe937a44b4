//! Connections of plugins to servers of TCP, over `wasi:sockets`: to those that their component names, and to no others.
//!
//! An address that the component writes is compared as it is. A name is looked up by the host when an instance connects,
//! so that what a guest was told by another resolver counts for nothing, and leads to public addresses alone, but for
//! `localhost`. Nobody listens, and there is no UDP.

use crate::ctx::Ctx;
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};
use wasmtime::{
    Result, StoreContextMut,
    component::{Linker, Resource},
};
use wasmtime_wasi::{
    WasiCtxBuilder,
    p2::{
        Network,
        bindings::sockets::{
            ip_name_lookup::{Host as HostLookup, ResolveAddressStream},
            network::{ErrorCode, Host as HostNetwork},
        },
    },
    p3::bindings::sockets::{ip_name_lookup::ErrorCode as Later, types::IpAddress},
    sockets::{SocketAddrUse, WasiSocketsView},
};
use wythe_blocks::{Egress, Meters, Rate};
use wythe_manifest::{Name, ServerPattern, is_private};

/// Handles of an instance that may connect: a connection has three, so that an instance has 21 of them at most.
pub const HANDLES: usize = 64;
/// Time for which an answer about a name holds.
const KNOWN: Duration = Duration::from_secs(30);
/// Time of one question about a name.
const LOOKUP: Duration = Duration::from_secs(5);
/// Questions of all instances of a plugin about names, a minute: each may hold a thread of the host for a while.
const LOOKUPS: u32 = 120;
/// Lines of the log about connections that were denied, a minute.
const DENIALS: u32 = 10;

/// The servers that a plugin may connect to.
pub struct Servers {
    plugin: Name,
    tenant: Name,
    granted: Arc<[ServerPattern]>,
    known: Mutex<HashMap<String, (Instant, Vec<IpAddr>)>>,
    lookups: Rate,
    denied: Rate,
    meters: Arc<Meters>,
}

impl Servers {
    pub fn new(
        tenant: &Name,
        plugin: &Name,
        granted: &Arc<[ServerPattern]>,
        meters: &Arc<Meters>,
    ) -> Option<Arc<Self>> {
        (!granted.is_empty()).then(|| {
            Arc::new(Servers {
                tenant: tenant.clone(),
                plugin: plugin.clone(),
                granted: granted.clone(),
                known: Mutex::default(),
                lookups: Rate::per_minute(LOOKUPS),
                denied: Rate::per_minute(DENIALS),
                meters: meters.clone(),
            })
        })
    }

    /// Lets the instances of a context connect.
    pub fn open(self: &Arc<Self>, builder: &mut WasiCtxBuilder) {
        let servers = self.clone();
        builder
            .allow_tcp(true)
            .allow_ip_name_lookup(true)
            .socket_addr_check(move |address, purpose| {
                let servers = servers.clone();
                Box::pin(async move { servers.check(address, purpose).await })
                    as Pin<Box<dyn Future<Output = bool> + Send + Sync>>
            });
    }

    async fn check(&self, address: SocketAddr, purpose: SocketAddrUse) -> bool {
        let is_granted = match purpose {
            SocketAddrUse::TcpConnect => self.has(address).await,
            // A connection begins at any address and port of the host's choice; to listen there is asked for by itself.
            SocketAddrUse::TcpBind => address.ip().is_unspecified() && address.port() == 0,
            _ => false,
        };
        if !is_granted {
            self.meters.requested(Egress::Denied);
            if let Some(unsaid) = self.denied.allows() {
                let (tenant, plugin) = (&self.tenant, &self.plugin);
                tracing::warn!(
                    %tenant, app = %plugin, unsaid,
                    "{purpose:?} of {address} was denied; a plugin connects to what its component names, as in `allowedHosts: tcp://{address}`"
                );
            }
        }
        is_granted
    }

    async fn has(&self, address: SocketAddr) -> bool {
        let (ip, port) = (address.ip().to_canonical(), address.port());
        let here = || self.granted.iter().filter(|server| server.port() == port);
        if here().any(|server| server.is_address(ip)) {
            return true;
        }
        for name in here().filter_map(ServerPattern::name) {
            let is_local = name == "localhost" && ip.is_loopback();
            if (is_local || !is_private(ip)) && self.addresses(name).await.contains(&ip) {
                return true;
            }
        }
        false
    }

    /// The addresses that a name has, as far as the host knows.
    async fn addresses(&self, name: &str) -> Vec<IpAddr> {
        if let Some((at, found)) = self.known.lock().get(name)
            && at.elapsed() < KNOWN
        {
            return found.clone();
        }
        if self.lookups.allows().is_none() {
            return Vec::new();
        }
        let asked = tokio::net::lookup_host((name, 0));
        let Ok(Ok(found)) = tokio::time::timeout(LOOKUP, asked).await else {
            return Vec::new();
        };
        let found: Vec<_> = found.map(|address| address.ip().to_canonical()).collect();
        let answer = (Instant::now(), found.clone());
        self.known.lock().insert(name.to_owned(), answer);
        found
    }

    /// Says whether an instance may ask for the addresses of a name. That of an address is itself, and nobody is asked.
    fn may_ask(&self, name: &str) -> bool {
        if name.parse::<IpAddr>().is_ok() {
            return true;
        }
        self.granted.iter().any(|server| server.has_name(name)) && self.lookups.allows().is_some()
    }
}

type Answer<T> = Result<(std::result::Result<T, ErrorCode>,)>;

/// Narrows `wasi:sockets/ip-name-lookup` to the names that a plugin may connect to: a question about another name would
/// carry whatever is in it to the outside. The linker has the function already.
pub fn narrow(linker: &mut Linker<Ctx>) -> Result<()> {
    linker.allow_shadowing(true);
    linker
        .instance("wasi:sockets/ip-name-lookup@0.2.12")?
        .func_wrap(
            "resolve-addresses",
            |mut store: StoreContextMut<'_, Ctx>,
             (network, name): (Resource<Network>, String)|
             -> Answer<Resource<ResolveAddressStream>> {
                let ctx = store.data_mut();
                let servers = ctx.identity.servers.as_ref();
                if !servers.is_some_and(|servers| servers.may_ask(&name)) {
                    return Ok((Err(ErrorCode::AccessDenied),));
                }
                let mut sockets = ctx.sockets();
                match HostLookup::resolve_addresses(&mut sockets, network, name) {
                    Ok(stream) => Ok((Ok(stream),)),
                    Err(error) => Ok((Err(HostNetwork::convert_error_code(&mut sockets, error)?),)),
                }
            },
        )?;
    // Names are for the other version alone.
    linker
        .instance("wasi:sockets/ip-name-lookup@0.3.0")?
        .func_wrap_concurrent("resolve-addresses", |_, (_,): (String,)| {
            let denied: (std::result::Result<Vec<IpAddress>, Later>,) = (Err(Later::AccessDenied),);
            Box::pin(async { Ok(denied) })
        })?;
    linker.allow_shadowing(false);
    Ok(())
}
