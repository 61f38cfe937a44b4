//! `GET /metrics` for Prometheus and `GET /healthz` for whoever restarts the host, on a port of their own.

use http::{Method, Request, Response, StatusCode, header};
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use wythe_blocks::{
    Body, Host, body_from,
    connections::{Allowed, Connections},
};
use wythe_runtime::Front;

/// Connections at once: some that scrape and some that look whether the host is well.
const CONNECTIONS: usize = 64;
/// Time for which a client may take none of its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time for answers that are under way when the host stops.
const DRAIN: Duration = Duration::from_secs(1);

/// Serves until the host stops.
pub fn serve(host: &Arc<Host>, listener: TcpListener) {
    let (home, stopping) = (host.clone(), host.tasks.stopping());
    let front = Front {
        listener,
        connections: Connections::new("metrics", Allowed::unshared(CONNECTIONS)),
        tasks: host.tasks.clone(),
        patience: PATIENCE,
    };
    host.tasks.spawn(async move {
        let service = move |request: Request<_>, _: IpAddr| {
            let home = home.clone();
            async move { answer(&home, &request).await }
        };
        front.serve(service, stopping, DRAIN).await;
    });
}

/// Components that cannot do their work, by name; the log has the cause.
async fn health(host: &Host) -> (StatusCode, String) {
    let unwell = host.unwell().await;
    if unwell.is_empty() {
        return (StatusCode::OK, "ok\n".to_owned());
    }
    let lines = unwell.iter();
    let lines = lines.map(|(name, error)| format!("component `{name}` is {}\n", error.kind()));
    let lines = lines.collect();
    (StatusCode::SERVICE_UNAVAILABLE, lines)
}

async fn answer<B>(host: &Host, request: &Request<B>) -> Response<Body> {
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            let kind = "text/plain; version=0.0.4";
            (StatusCode::OK, kind, host.metrics.render())
        }
        (&Method::GET | &Method::HEAD, "/healthz") => {
            let (status, text) = health(host).await;
            (status, "text/plain", text)
        }
        _ => {
            let help = "GET /metrics or /healthz\n".to_owned();
            (StatusCode::NOT_FOUND, "text/plain", help)
        }
    };
    let mut response = Response::new(body_from(body));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
