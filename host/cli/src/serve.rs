//! Boot and drain as a story: bind, serve, wait for the signal, let every request finish, close.

use crate::boot::Booted;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use wythe_api::Ingress;

/// The time for requests that are under way when the host is told to stop.
const DRAIN: Duration = Duration::from_secs(25);
/// The time for subscriptions and background work after that.
const CLOSE: Duration = Duration::from_secs(5);

/// The time after which a host that was told to stop ends, whatever its workers do.
pub const LIMIT: Duration = Duration::from_secs(5)
    .saturating_add(DRAIN)
    .saturating_add(CLOSE);

/// Serves until `shutdown`. True if nothing had to be cut short.
pub async fn serve(booted: &Booted, listener: TcpListener, shutdown: CancellationToken) -> bool {
    let host = booted.host.clone();
    let drained = Ingress { host }.serve(listener, shutdown, DRAIN).await;
    let closed = booted.host.close(CLOSE).await;
    drained && closed
}
