//! What leaves a guest by `wasi:http`: to apps of this host in process, to granted hosts by a pooled client.

use crate::{ctx::Identity, export::http as convert};
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, dns::Name},
    },
    rt::{TokioExecutor, TokioTimer},
};
use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};
use wythe_blocks::{Caller, invocation::INTERNAL_SUFFIX, time};

const CONNECT: Duration = Duration::from_secs(5);
const FIRST_BYTE: Duration = Duration::from_secs(30);
/// Of idle connections in the pool.
const IDLE: Duration = Duration::from_secs(30);

type Io = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Sent = Result<(Response<WasiBody>, Io), Error>;

/// The client of all guests. What a guest may reach is checked before each request, and by address at connect.
#[derive(Clone)]
pub struct Egress(Client<HttpsConnector<HttpConnector<PublicAddresses>>, WasiBody>);

impl Egress {
    pub fn new() -> Self {
        let mut tcp = HttpConnector::new_with_resolver(PublicAddresses);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector);
        Egress(client)
    }
}

/// What a store's guest may send, and for whom.
pub struct Hooks {
    pub caller: Caller,
    pub identity: Arc<Identity>,
    pub egress: Egress,
}

impl WasiHttpHooks for Hooks {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _done: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let host = request
            .uri()
            .host()
            .unwrap_or_default()
            .to_ascii_lowercase();
        if let Some(app) = host.strip_suffix(INTERNAL_SUFFIX) {
            return Box::new(internal(
                self.identity.clone(),
                self.caller.clone(),
                app.to_owned(),
                request,
            ));
        }
        if let Err(error) = self.check(request.uri(), &host) {
            return Box::new(async move { Err(error) });
        }
        Box::new(outside(
            self.egress.clone(),
            self.caller.deadline(),
            options,
            request,
        ))
    }
}

impl Hooks {
    fn check(&self, uri: &Uri, host: &str) -> Result<(), Error> {
        let scheme = uri.scheme_str().unwrap_or("https");
        let port = uri
            .port_u16()
            .unwrap_or(if scheme == "http" { 80 } else { 443 });
        if self.identity.grants.http(scheme, host, port) {
            return Ok(());
        }
        tracing::warn!(
            app = %self.identity.id,
            "a request to {scheme}://{host}:{port} was denied; to allow it add `grants: {{ http: [\"{host}:{port}\"] }}` at {}",
            self.identity.grants.source
        );
        Err(Error::HttpRequestDenied)
    }
}

/// Streamed both ways, with no socket between.
async fn internal(
    identity: Arc<Identity>,
    caller: Caller,
    app: String,
    request: Request<WasiBody>,
) -> Sent {
    let request = request.map(convert::body_from_guest);
    let answer = identity.host.invocation.http(&caller, &app, request).await;
    let response = answer.map_err(|error| convert::error_to_guest(&error))?;
    Ok((
        response.map(convert::body_to_guest),
        Box::new(async { Ok(()) }),
    ))
}

async fn outside(
    egress: Egress,
    deadline: Instant,
    options: Option<RequestOptions>,
    request: Request<WasiBody>,
) -> Sent {
    let asked = options
        .and_then(|options| options.first_byte_timeout)
        .unwrap_or(FIRST_BYTE);
    let asked = asked.clamp(Duration::from_millis(1), FIRST_BYTE);
    let until = deadline.min(time::deadline(asked));
    let answer = tokio::time::timeout_at(until.into(), egress.0.request(request));
    let response = match answer.await {
        Err(_) => return Err(Error::HttpResponseTimeout),
        Ok(Err(error)) => return Err(failure(&error)),
        Ok(Ok(response)) => response,
    };
    let body = |body: hyper::body::Incoming| body.map_err(Error::Hyper).boxed_unsync();
    Ok((response.map(body), Box::new(async { Ok(()) })))
}

fn failure(error: &hyper_util::client::legacy::Error) -> Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return match io.kind() {
                io::ErrorKind::PermissionDenied => Error::DestinationIpProhibited,
                io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                io::ErrorKind::TimedOut => Error::ConnectionTimeout,
                io::ErrorKind::NotFound => Error::DestinationNotFound,
                _ => Error::DestinationUnavailable,
            };
        }
        cause = inner.source();
    }
    Error::ConnectionTerminated
}

/// Resolves names to public addresses only, so that no name, however often it changes its mind, leads into the
/// private network. An address that a manifest writes out is not resolved, and so is reachable when granted.
#[derive(Clone)]
struct PublicAddresses;

impl tower_service::Service<Name> for PublicAddresses {
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
                .filter(|address| name.as_str() == "localhost" || is_public(address.ip()))
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

/// Neither this machine, nor its network, nor one of the special blocks of RFC 6890.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let protocol = a == 192 && b == 0 && c == 0;
            let benchmark = a == 198 && (b == 18 || b == 19);
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || v4.is_documentation())
                && !(shared || protocol || benchmark || a == 0 || a >= 240)
        }
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4() {
                return is_public(v4.into());
            }
            let first = v6.segments()[0];
            // 64:ff9b::/16 and 2002::/16 carry an IPv4 address that would be reached behind a translator.
            let translated = first == 0x64 || first == 0x2002;
            !(v6.is_loopback() || v6.is_unspecified() || v6.is_multicast() || v6.is_unique_local())
                && !(v6.is_unicast_link_local()
                    || first == 0x2001 && v6.segments()[1] == 0xdb8
                    || translated)
        }
    }
}
