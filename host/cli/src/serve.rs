//! Boot and drain as a story: bind, serve, wait for the signal, let every request finish, close.

use std::{sync::Arc, time::Duration};
use tokio::net::UnixListener;
use tokio_util::sync::CancellationToken;
use wythe_api::{Audience, Ingress, Listeners};
use wythe_blocks::Host;

/// The time for requests that are under way when the host is told to stop.
const DRAIN: Duration = Duration::from_secs(25);
/// The time for subscriptions and background work after that.
const CLOSE: Duration = Duration::from_secs(5);

/// The interval at which idle instances are looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// The time after which a host that was told to stop ends, whatever its workers do.
pub const LIMIT: Duration = Duration::from_secs(5)
    .saturating_add(DRAIN)
    .saturating_add(CLOSE);

/// Serves until `shutdown`. True if nothing had to be cut short.
pub async fn serve(
    host: &Arc<Host>,
    audience: Audience,
    listeners: impl Into<Listeners>,
    shutdown: CancellationToken,
) -> bool {
    let drained = ingress(host, audience).serve(listeners, shutdown, DRAIN);
    close(host, drained).await
}

/// Does what [`serve`] does, of what the host of this one tenant passes on.
pub async fn serve_forwarded(
    host: &Arc<Host>,
    audience: Audience,
    listener: UnixListener,
    shutdown: CancellationToken,
) -> bool {
    let drained = ingress(host, audience).serve_forwarded(listener, shutdown, DRAIN);
    close(host, drained).await
}

fn ingress(host: &Arc<Host>, audience: Audience) -> Ingress {
    Ingress {
        host: host.clone(),
        audience,
    }
}

/// Closes the host once nothing is served any more.
async fn close(host: &Host, drained: impl Future<Output = bool>) -> bool {
    let drained = drained.await;
    let closed = host.close(CLOSE).await;
    drained && closed
}

/// Removes idle instances now and then: only instances that serve more than one request are ever idle.
pub fn sweep(host: &Arc<Host>) {
    let (home, stopping) = (host.clone(), host.tasks().stopping());
    host.tasks().spawn(async move {
        let mut every = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = every.tick() => {}
            }
            let apps = home
                .tenants()
                .into_iter()
                .flat_map(|tenant| tenant.all_apps());
            apps.for_each(|app| app.sweep());
        }
    });
}
