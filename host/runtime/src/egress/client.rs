//! The pooled client of all guests: to public addresses alone, over connections of which the host has so many.

use super::link::Link;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use std::{
    error::Error as StdError,
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tower_service::Service;
use wasmtime_wasi_http::WasiBody;
use wythe_blocks::{
    connections::{Allowed, Connections},
    descriptors,
};
use wythe_manifest::is_private;

/// Time until a connection is there, unless the guest asks for less.
pub const CONNECT: Duration = Duration::from_secs(5);
/// Time of idle connections in the pool.
const IDLE: Duration = Duration::from_secs(30);
/// Idle connections to one host.
const IDLE_PER_HOST: usize = 32;

pub type Pooled = Client<HttpsConnector<Counted>, WasiBody>;

pub fn new() -> Pooled {
    let mut tcp = HttpConnector::new_with_resolver(PublicAddresses);
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let allowed = Allowed::unshared(descriptors::outgoing());
    let counted = Counted {
        tcp,
        connections: Connections::new("guests", allowed),
    };
    let connector = HttpsConnectorBuilder::new()
        .with_webpki_roots()
        .https_or_http()
        .enable_http1()
        .wrap_connector(counted);
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .build(connector)
}

/// Connects if the host has a place for one more connection, in place of an idle one if need be.
#[derive(Clone)]
pub struct Counted {
    tcp: HttpConnector<PublicAddresses>,
    connections: Arc<Connections>,
}

/// Every connection to the outside is in use.
#[derive(Debug)]
pub struct NoPermit;

impl fmt::Display for NoPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("every connection of this host to the outside is in use")
    }
}

impl StdError for NoPermit {}

impl Service<Uri> for Counted {
    type Response = TokioIo<Link>;
    type Error = Box<dyn StdError + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let permit = self.connections.admit(None);
        let connecting = permit.map(|permit| (permit.work(), permit, self.tcp.call(to)));
        Box::pin(async move {
            let (work, permit, connecting) = connecting.ok_or(NoPermit)?;
            let stream = connecting.await?.into_inner();
            Ok(TokioIo::new(Link::new(stream, permit, work)))
        })
    }
}

/// Resolves names to public addresses only, so that no name, however often it changes its mind, leads into the
/// private network. An address that a manifest writes out is not resolved, and so is reachable when granted.
#[derive(Clone)]
pub struct PublicAddresses;

impl Service<Name> for PublicAddresses {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await;
            let found: Vec<_> = found
                .map_err(|error| io::Error::new(io::ErrorKind::NotFound, error))?
                .filter(|address| name.as_str() == "localhost" || !is_private(address.ip()))
                .collect();
            if found.is_empty() {
                return Err(io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!("`{name}` has no public address"),
                ));
            }
            Ok(found.into_iter())
        })
    }
}
