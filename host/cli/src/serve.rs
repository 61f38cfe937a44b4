//! Boot and drain as a story: bind, serve, wait for the signal, let every request finish, close.

use crate::boot::{Booted, Plan};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wythe_api::{Ingress, Routes};

/// The time for requests that are under way when the host is told to stop.
const DRAIN: Duration = Duration::from_secs(25);
/// The time for subscriptions and background work after that.
const CLOSE: Duration = Duration::from_secs(5);

/// The time after which a host that was told to stop ends, whatever its workers do.
pub const LIMIT: Duration = Duration::from_secs(5)
    .saturating_add(DRAIN)
    .saturating_add(CLOSE);

/// Serves until `shutdown`. True if nothing had to be cut short.
pub async fn serve(
    plan: &Plan,
    booted: &Booted,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> bool {
    let mut routes = Routes::default();
    for (app, loaded) in plan.manifest.apps.iter().zip(&booted.apps) {
        if let Some(prefix) = &app.ingress {
            routes.add(prefix, loaded.app.clone());
        }
    }
    let host = booted.host.clone();
    let drained = Ingress { routes, host }
        .serve(listener, shutdown, DRAIN)
        .await;
    let closed = booted.host.close(CLOSE).await;
    drained && closed
}
