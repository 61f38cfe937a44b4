//! The making of a connection: names looked up a few at a time, TCP, and TLS where the URL says so.

use crate::{link::Link, trust::Trust};
use http::Uri;
use hyper_rustls::{
    FixedServerNameResolver, HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream,
};
use hyper_util::{
    client::legacy::connect::{HttpConnector, dns::Name},
    rt::TokioIo,
};
use std::{
    error::Error as StdError,
    future::{Future, poll_fn},
    io,
    net::{SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};
use tower_service::Service;
use wythe_manifest::is_private;

/// Time until a connection can be used: names, TCP and TLS.
pub const CONNECT: Duration = Duration::from_secs(5);
/// Lookups of a component at once: a thread looks a name up, and nobody can call it back.
const LOOKUPS: usize = 4;
/// A peer that is gone is found out by probes, and by data that nobody takes.
const PROBE: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;
const UNTAKEN: Duration = Duration::from_secs(30);

pub type BoxError = Box<dyn StdError + Send + Sync>;
pub type Stream = MaybeHttpsStream<TokioIo<Link>>;

/// Connects to one server after the other. Certificates are those of Mozilla's list, and no proxy is asked.
#[derive(Clone)]
pub struct Connector(HttpsConnector<Linked>);

impl Default for Connector {
    fn default() -> Self {
        Self::of(false)
    }
}

impl Connector {
    /// Connects to any server.
    pub fn new() -> Self {
        Self::default()
    }

    /// Connects to no server whose name is of the host's own network.
    pub fn public() -> Self {
        Self::of(true)
    }

    /// Connects to servers whose certificates are believed by other rules than those of the web.
    pub fn trusting(trust: Trust) -> Self {
        Self::with(Self::tcp(false), Some(trust))
    }

    fn of(is_public: bool) -> Self {
        Self::with(Self::tcp(is_public), None)
    }

    fn tcp(is_public: bool) -> HttpConnector<Names> {
        let lookups = Arc::new(Semaphore::new(LOOKUPS));
        let names = Names { lookups, is_public };
        let mut tcp = HttpConnector::new_with_resolver(names);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        tcp.set_keepalive(Some(PROBE));
        tcp.set_keepalive_interval(Some(PROBE));
        tcp.set_keepalive_retries(Some(PROBES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNTAKEN));
        tcp
    }

    fn with(tcp: HttpConnector<Names>, trust: Option<Trust>) -> Self {
        let builder = HttpsConnectorBuilder::new();
        let Some(trust) = trust else {
            let builder = builder.with_webpki_roots().https_or_http().enable_http1();
            return Connector(builder.wrap_connector(Linked(tcp)));
        };
        let builder = builder.with_tls_config(trust.config).https_or_http();
        let builder = match trust.name {
            None => builder,
            Some(name) => builder.with_server_name_resolver(FixedServerNameResolver::new(name)),
        };
        Connector(builder.enable_http1().wrap_connector(Linked(tcp)))
    }

    /// A stream to the server of this URI, within 5 s.
    pub async fn connect(&self, to: Uri) -> Result<Stream, BoxError> {
        let mut connector = self.0.clone();
        let connecting = async {
            poll_fn(|context| connector.poll_ready(context)).await?;
            connector.call(to).await
        };
        let stream = timeout(CONNECT, connecting).await;
        stream.map_err(|_| format!("no connection within {} s", CONNECT.as_secs()))?
    }
}

/// TCP whose streams are bounded.
#[derive(Clone)]
struct Linked(HttpConnector<Names>);

impl Service<Uri> for Linked {
    type Response = TokioIo<Link>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async move {
            let stream = connecting.await?.into_inner();
            Ok(TokioIo::new(Link::new(stream)))
        })
    }
}

/// The system's names.
#[derive(Clone)]
struct Names {
    lookups: Arc<Semaphore>,
    /// Names have addresses of the public Internet alone.
    is_public: bool,
}

impl Service<Name> for Names {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (lookups, is_public) = (self.lookups.clone(), self.is_public);
        Box::pin(async move {
            let permit = lookups.acquire_owned().await.map_err(io::Error::other)?;
            let found = spawn_blocking(move || {
                // Given back when the thread is, whether or not somebody still waits.
                let _permit = permit;
                (name.as_str(), 0).to_socket_addrs()
            });
            let found = found.await.map_err(io::Error::other)??;
            if is_public && found.as_slice().iter().any(|one| is_private(one.ip())) {
                let text =
                    "the name is of the host's own network, and only another server names it";
                return Err(io::Error::other(text));
            }
            Ok(found)
        })
    }
}
