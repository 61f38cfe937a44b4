//! One connection's permit: whether a request is under way, and when the connection is to end.

use super::{Connections, FIRST_REQUEST, IDLE};
use crate::{Result, quota::Ledger};
use parking_lot::{Mutex, MutexGuard};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// The right to one connection among those at once; dropping it gives the right back.
pub struct Permit(Arc<Inner>);

struct Inner {
    connections: Arc<Connections>,
    id: u64,
    evicted: CancellationToken,
    /// It is to end with the requests that are under way.
    ending: CancellationToken,
    activity: Mutex<Activity>,
}

struct Activity {
    under_way: usize,
    /// The time at which the last request ended, or the connection came.
    since: Instant,
    /// The longest time without a request.
    patience: Duration,
}

/// A request under way; dropping it ends the request.
pub struct Work(Arc<Inner>);

impl Permit {
    pub(super) fn new(connections: Arc<Connections>, id: u64, evicted: CancellationToken) -> Self {
        Permit(Arc::new(Inner {
            connections,
            id,
            evicted,
            ending: CancellationToken::new(),
            activity: Mutex::new(Activity {
                under_way: 0,
                since: Instant::now(),
                patience: FIRST_REQUEST,
            }),
        }))
    }

    /// A request begins; it lasts until its answer is through.
    pub fn work(&self) -> Work {
        let mut activity = self.0.activity();
        activity.under_way += 1;
        activity.patience = IDLE;
        if activity.under_way == 1 {
            self.0.connections.set_idle(self.0.id, false);
        }
        Work(self.0.clone())
    }

    /// Counts the connection, which has a request under way, to the tenant of that request. At the tenant's quota
    /// (`quotas.connections`) the one of its connections that has been idle for longest makes room; where none is, the answer
    /// is `exhausted`, and this connection ends after it.
    pub fn ask(&self, ledger: &Arc<Ledger>) -> Result<()> {
        let asked = self.0.connections.ask(self.0.id, ledger);
        asked.inspect_err(|_| self.finish())
    }

    /// Ends the connection with the requests that are under way.
    pub fn finish(&self) {
        self.0.ending.cancel();
    }

    /// Returns once the connection has to make room for another one.
    pub async fn evicted(&self) {
        self.0.evicted.cancelled().await;
    }

    /// Returns once the connection was without a request for [`FIRST_REQUEST`] at first, or [`IDLE`] later, or is to
    /// end with the requests that are under way. It looks from time to time, so an idle connection may live for twice as long.
    pub async fn idled(&self) {
        loop {
            tokio::select! {
                () = self.0.ending.cancelled() => return,
                () = tokio::time::sleep_until(self.0.look_again()) => {}
            }
            if self.0.is_spent() {
                return;
            }
        }
    }

    /// Returns whether no request is under way.
    pub fn is_idle(&self) -> bool {
        self.0.activity().under_way == 0
    }

    /// The same permit, for the code that only begins requests under it.
    #[must_use]
    pub fn share(&self) -> Self {
        Permit(self.0.clone())
    }
}

impl Inner {
    fn look_again(&self) -> Instant {
        let activity = self.activity();
        match activity.under_way {
            0 => activity.since + activity.patience,
            _ => Instant::now() + IDLE,
        }
    }

    fn is_spent(&self) -> bool {
        let activity = self.activity();
        activity.under_way == 0 && Instant::now() >= activity.since + activity.patience
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.activity.lock()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.connections.remove(self.id);
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let mut activity = self.0.activity();
        activity.under_way -= 1;
        if activity.under_way == 0 {
            activity.since = Instant::now();
            self.0.connections.set_idle(self.0.id, true);
        }
    }
}
