//! HTTP from outside: a bound listener in, requests to the app whose prefix is the longest that matches, and a drain.

mod webhook;

use crate::guest::Guest;
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::sync::CancellationToken;
use webhook::Webhooks;
use wythe_blocks::{
    App, Body, Error, Host, Kind, Result, body_from,
    invocation::{CALLER_APP, CALLER_NAMESPACE, check_path},
    panics,
};

/// From the first byte of a request to the end of its headers.
const HEADER_TIME: Duration = Duration::from_secs(10);
const HEADERS: usize = 100;
const HEADER_BYTES: usize = 64 << 10;
const H2_HEADER_BYTES: u32 = 32 << 10;
const H2_STREAMS: u32 = 128;
const H2_KEEP_ALIVE: Duration = Duration::from_secs(20);
/// Connections at once.
const CONNECTIONS: usize = 15_000;
/// After an accept that failed, say for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Which app answers which paths.
#[derive(Default)]
pub struct Routes(Vec<(String, Arc<Guest>)>);

impl Routes {
    /// A prefix such as `/cart`; `/` is for everything that no longer prefix claims.
    pub fn add(&mut self, prefix: &str, guest: Arc<Guest>) {
        self.0
            .push((prefix.trim_end_matches('/').to_owned(), guest));
        self.0
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
    }

    fn find(&self, path: &str) -> Option<&Arc<Guest>> {
        let matches = |prefix: &str| match path.strip_prefix(prefix) {
            Some(rest) => rest.is_empty() || rest.starts_with('/'),
            None => false,
        };
        self.0
            .iter()
            .find(|(prefix, _)| matches(prefix))
            .map(|(_, guest)| guest)
    }
}

/// The front door.
pub struct Ingress {
    pub routes: Routes,
    /// Webhooks of its bindings come before the routes.
    pub host: Arc<Host>,
}

/// What a connection needs to know.
struct Inside {
    webhooks: Webhooks,
    routes: Routes,
}

impl Ingress {
    /// Serves until `shutdown`, then lets every request finish, for at most `drain`. True if all of them did.
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: CancellationToken,
        drain: Duration,
    ) -> bool {
        let server = Arc::new(server());
        let graceful = GracefulShutdown::new();
        let tasks = self.host.tasks.clone();
        let inside = Arc::new(Inside {
            webhooks: Webhooks::new(self.host),
            routes: self.routes,
        });
        let places = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let stream = match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!("accept: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = places.clone().try_acquire_owned() else {
                continue;
            };
            let _ = stream.set_nodelay(true);
            let connection = connection(&server, &inside, stream);
            let connection = graceful.watch(connection);
            tasks.spawn(async move {
                // A broken connection is the client's business.
                let _ = connection.await;
                drop(place);
            });
        }
        drop(listener);
        tokio::time::timeout(drain, graceful.shutdown())
            .await
            .is_ok()
    }
}

fn server() -> auto::Builder<TokioExecutor> {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(H2_STREAMS)
        .max_header_list_size(H2_HEADER_BYTES)
        .keep_alive_interval(H2_KEEP_ALIVE);
    server
}

fn connection(
    server: &auto::Builder<TokioExecutor>,
    inside: &Arc<Inside>,
    stream: TcpStream,
) -> impl hyper_util::server::graceful::GracefulConnection<Error: Send> + Send + 'static + use<> {
    let inside = inside.clone();
    let service = service_fn(move |request| {
        let inside = inside.clone();
        async move { Ok::<_, Infallible>(answer(&inside, request).await) }
    });
    server
        .serve_connection(TokioIo::new(stream), service)
        .into_owned()
}

async fn answer(inside: &Inside, request: Request<Incoming>) -> Response<Body> {
    match route(inside, request).await {
        Ok(response) => response,
        Err(error) => {
            // A trap was told by the instance that it ended; what has a cause of its own is told here.
            if std::error::Error::source(&error).is_some() {
                tracing::warn!("{}", error.chain());
            }
            describe(&error)
        }
    }
}

async fn route(inside: &Inside, mut request: Request<Incoming>) -> Result<Response<Body>> {
    check_path(request.uri().path())?;
    // Only the host says who calls.
    request.headers_mut().remove(CALLER_APP);
    request.headers_mut().remove(CALLER_NAMESPACE);
    if let Some(door) = inside.webhooks.find(request.uri().path()) {
        return inside.webhooks.answer(&door, request).await;
    }
    let guest = inside.routes.find(request.uri().path()).ok_or_else(|| {
        Error::not_found(format!(
            "no app answers {}; see `ingress` in the manifest",
            request.uri().path()
        ))
    })?;
    let most = guest.request_body();
    if declared(&request).is_some_and(|length| length > most) {
        return Ok(too_large(most, "limits.requestBody"));
    }
    let request = request.map(|body| limited(body, most));
    let answer = guest.http(None, complete(request)?);
    panics::caught(Kind::Internal, || "a request".into(), answer).await
}

/// The length of the body, as the client says.
fn declared(request: &Request<Incoming>) -> Option<u64> {
    let length = request.headers().get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Guests expect a whole URI, so one without an authority takes that of the Host header.
fn complete(mut request: Request<Body>) -> Result<Request<Body>> {
    if request.uri().authority().is_none() {
        let host = request
            .headers()
            .get(header::HOST)
            .and_then(|host| host.to_str().ok());
        let mut parts = request.uri().clone().into_parts();
        let authority = host.unwrap_or("localhost").parse();
        parts.authority =
            Some(authority.map_err(|_| Error::invalid("the Host header; expected a host name"))?);
        parts.scheme = Some(http::uri::Scheme::HTTP);
        let whole = http::Uri::from_parts(parts);
        *request.uri_mut() =
            whole.map_err(|error| Error::invalid(format!("the request's target: {error}")))?;
    }
    Ok(request)
}

fn limited(body: Incoming, most: u64) -> Body {
    if body.is_end_stream() {
        return Empty::new().map_err(|never| match never {}).boxed_unsync();
    }
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    Limited::new(body, most)
        .map_err(move |error| {
            if error.is::<LengthLimitError>() {
                return Error::invalid(format!(
                    "the body has more than {most} bytes; see `limits.requestBody`"
                ));
            }
            Error::unavailable("the client's body ended early").with_source(error)
        })
        .boxed_unsync()
}

fn too_large(most: u64, setting: &str) -> Response<Body> {
    let error = Error::invalid(format!(
        "the body has more than {most} bytes; see `{setting}`"
    ));
    let mut response = describe(&error);
    *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
    response.headers_mut().insert(
        header::CONNECTION,
        header::HeaderValue::from_static("close"),
    );
    response
}

/// The one place where kinds become HTTP statuses.
fn status(kind: Kind) -> StatusCode {
    match kind {
        Kind::NotFound => StatusCode::NOT_FOUND,
        Kind::Denied => StatusCode::FORBIDDEN,
        Kind::Invalid => StatusCode::BAD_REQUEST,
        Kind::Conflict => StatusCode::CONFLICT,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Unavailable | Kind::UnknownOutcome => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Exhausted => StatusCode::TOO_MANY_REQUESTS,
        Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        Kind::Internal => StatusCode::BAD_GATEWAY,
    }
}

/// What the outside reads: kind and message, never a cause.
fn describe(error: &Error) -> Response<Body> {
    let body = serde_json::json!({ "error": error.kind().as_str(), "message": error.message() });
    let mut response = Response::new(body_from(Bytes::from(body.to_string())));
    *response.status_mut() = status(error.kind());
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    if let Some(after) = error.retry_after() {
        let seconds = after.as_secs().max(1);
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    response
}
