//! HTTP from outside: a bound listener in, requests to the app whose prefix is the longest that matches, and a drain.

mod webhook;

use crate::{front::Front, guest::Guest};
use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body::Body as _;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::body::Incoming;
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use webhook::Webhooks;
use wythe_blocks::{
    App, Body, Error, Host, Kind, Result, body_from,
    connections::{Allowed, Connections},
    descriptors,
    invocation::{CALLER_APP, CALLER_NAMESPACE, check_path},
};

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
        let allowed = Allowed::shared(descriptors::incoming());
        let front = Front {
            listener,
            connections: Connections::new("front door", allowed),
            tasks: self.host.tasks.clone(),
        };
        let inside = Arc::new(Inside {
            webhooks: Webhooks::new(self.host),
            routes: self.routes,
        });
        let service = move |request, _: IpAddr| {
            let inside = inside.clone();
            async move { answer(&inside, request).await }
        };
        front.serve(service, shutdown, drain).await
    }
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
    guest.http(None, complete(request)?).await
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

#[cfg(test)]
mod tests;
