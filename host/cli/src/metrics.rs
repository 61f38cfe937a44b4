//! `GET /metrics` for Prometheus and `GET /healthz` for whoever restarts the host, on a port of their own.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use wythe_blocks::Host;

const HEADER_TIME: Duration = Duration::from_secs(10);
/// After an accept that failed, say for want of file descriptors.
const PAUSE: Duration = Duration::from_millis(50);

/// Serves until the host stops.
pub fn serve(host: &Arc<Host>, listener: TcpListener) {
    let (host, stopping) = (host.clone(), host.tasks.stopping());
    host.tasks.clone().spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stopping.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let Ok((stream, _)) = accepted else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let (home, stopping) = (host.clone(), stopping.clone());
            let service = service_fn(move |request| {
                let home = home.clone();
                async move { Ok::<_, Infallible>(answer(&home, &request).await) }
            });
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADER_TIME)
                .serve_connection(TokioIo::new(stream), service);
            host.tasks.spawn(async move {
                tokio::select! {
                    () = stopping.cancelled() => {}
                    // A broken connection is the client's business.
                    _ = connection => {}
                }
            });
        }
    });
}

/// Who cannot do its work, by name; the log has the cause.
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

async fn answer(host: &Host, request: &Request<Incoming>) -> Response<Full<Bytes>> {
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
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static(kind);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
