//! The health of an app: what its check has found, who is told, and what waits until the app is well.
//!
//! An app with a check is not well before the first look has found it so, as in Dapr. An ill one is asked for nothing but its
//! health and what it has begun: workflows and activities go on.

use super::{App, Inbound};
use crate::{
    Error, Kind, Result, Tasks,
    text::{cut, escape},
    time,
};
use parking_lot::Mutex;
use std::{
    future::Future,
    mem,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wythe_manifest::HealthCheck;

/// Bytes of a reason that are kept.
const REASON: usize = 256;
/// The pause of whoever waits for an app at which nobody looks any more.
const GONE: Duration = Duration::from_millis(100);

/// The health of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It is well, or has no check.
    Well,
    /// Waits for the first look that finds it well; the reason is that of the last one that failed.
    Starting(Option<String>),
    /// It failed as often in a row as its threshold says; the last time for this reason.
    Ill(String),
}

impl Health {
    /// The word of it in `status`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Health::Well => "ok",
            Health::Starting(_) => "starting",
            Health::Ill(_) => "ill",
        }
    }
}

/// A check of an app, and what it has found.
pub(super) struct Checked {
    check: HealthCheck,
    health: watch::Sender<Health>,
    /// Failures in a row.
    failures: Mutex<u32>,
    /// Looks that found it well, and others.
    looks: [AtomicU64; 2],
    /// Cancelled when another app has taken its place, or it is removed; a new one each time that the looks begin.
    over: Mutex<CancellationToken>,
}

impl Checked {
    pub fn new(check: HealthCheck) -> Self {
        Checked {
            check,
            health: watch::Sender::new(Health::Starting(None)),
            failures: Mutex::new(0),
            looks: Default::default(),
            over: Mutex::default(),
        }
    }

    fn is_well(&self) -> bool {
        *self.health.borrow() == Health::Well
    }

    fn over(&self) -> CancellationToken {
        self.over.lock().clone()
    }
}

impl App {
    /// Its health as it is known now.
    pub fn health(&self) -> Health {
        let checked = self.checked.as_ref();
        checked.map_or(Health::Well, |checked| checked.health.borrow().clone())
    }

    /// Looks that found it well, and others; absent where it has no check.
    pub(crate) fn looks(&self) -> Option<[u64; 2]> {
        let checked = self.checked.as_ref()?;
        Some(checked.looks.each_ref().map(|count| count.load(Relaxed)))
    }

    /// Says whether an error is the refusal of an app that is too busy, or not well: its code has seen nothing.
    pub(crate) fn has_refused(&self, error: &Error) -> bool {
        match error.kind() {
            Kind::Exhausted => true,
            Kind::Unavailable => self.health() != Health::Well,
            _ => false,
        }
    }

    /// Time of one look.
    pub(super) fn look_time(&self) -> Duration {
        let checked = self.checked.as_ref();
        checked.map_or(self.limits().wall_time, |checked| checked.check.timeout)
    }

    /// Refuses what an ill app is not asked for.
    pub(super) fn check_health(&self, kind: Inbound) -> Result<()> {
        let Some(checked) = &self.checked else {
            return Ok(());
        };
        if !kind.needs_health() || checked.is_well() {
            return Ok(());
        }
        let why = match &*checked.health.borrow() {
            Health::Ill(_) => "is not well",
            _ => "has not been found well yet",
        };
        let (id, path) = (self.id(), &checked.check.path);
        Err(Error::unavailable(format!(
            "app `{id}` {why}: see `health` at {} and `GET {path}` of the app",
            self.grants().source.short()
        ))
        .with_retry_after(checked.check.interval))
    }

    /// Refuses a check of an app that nobody could ask.
    pub(crate) fn check_probe(&self) -> Result<()> {
        let exports = self.exports();
        if self.checked.is_none() || exports.http || exports.invocation {
            return Ok(());
        }
        Err(Error::invalid(format!(
            "app `{}` has a health check, and answers neither HTTP nor invocations: nobody can ask it; \
             export `wasi:http/handler`, or take `health` away at {}",
            self.id(),
            self.grants().source.short()
        )))
    }

    /// Begins to look at its health, in place of looks that are under way, until the tenant's tasks end, or the app is not
    /// there any more. What the same check has found well of the app before is well until a look finds otherwise.
    pub(crate) fn watch_health(self: &Arc<Self>, before: Option<&App>, tasks: &Tasks) {
        let Some(checked) = &self.checked else { return };
        let before = before.and_then(|before| before.checked.as_ref());
        if before.is_some_and(|before| before.check == checked.check && before.is_well()) {
            checked.health.send_replace(Health::Well);
        }
        let over = CancellationToken::new();
        mem::replace(&mut *checked.over.lock(), over.clone()).cancel();
        let weak = Arc::downgrade(self);
        let (interval, stop) = (checked.check.interval, tasks.stopping());
        tasks.spawn(async move {
            loop {
                let next = time::deadline(interval);
                // What is not the tenant's any more is held by nobody.
                let Some(app) = weak.upgrade() else { return };
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = over.cancelled() => return,
                    () = app.look() => {}
                }
                drop(app);
                tokio::select! {
                    biased;
                    () = stop.cancelled() => return,
                    () = over.cancelled() => return,
                    () = tokio::time::sleep_until(next.into()) => {}
                }
            }
        });
    }

    /// Ends the looks at its health.
    pub(crate) fn end_health(&self) {
        if let Some(checked) = &self.checked {
            checked.over().cancel();
        }
    }

    /// Looks once.
    async fn look(&self) {
        let Some(checked) = &self.checked else { return };
        let asked = self.probe(&checked.check.path);
        let answer = tokio::time::timeout(checked.check.timeout, Box::pin(asked)).await;
        let found = match answer {
            Err(_) => Err(format!("no answer within {:?}", checked.check.timeout)),
            Ok(Ok(status)) if (200..300).contains(&status) => Ok(()),
            Ok(Ok(status)) => Err(format!("it answered {status}")),
            // The host had no room to ask: that says nothing of the app.
            Ok(Err(error)) if error.kind() == Kind::Exhausted => return,
            Ok(Err(error)) => Err(escape(cut(error.message(), REASON)).into_owned()),
        };
        self.found(checked, found);
    }

    /// Notes what a look has found, and says in the log where that changes something.
    fn found(&self, checked: &Checked, found: Result<(), String>) {
        checked.looks[usize::from(found.is_err())].fetch_add(1, Relaxed);
        let mut failures = checked.failures.lock();
        let before = checked.health.borrow().clone();
        let now = match found {
            Ok(()) => {
                *failures = 0;
                Health::Well
            }
            Err(reason) => {
                *failures = failures.saturating_add(1);
                match &before {
                    Health::Starting(_) if *failures < checked.check.threshold => {
                        Health::Starting(Some(reason))
                    }
                    Health::Well if *failures < checked.check.threshold => Health::Well,
                    _ => Health::Ill(reason),
                }
            }
        };
        let failures = *failures;
        if now.as_str() != before.as_str() {
            self.report(checked, &now, failures);
        }
        checked.health.send_if_modified(|health| {
            let is_other = *health != now;
            *health = now;
            is_other
        });
    }

    fn report(&self, checked: &Checked, now: &Health, failures: u32) {
        let (tenant, app, path) = (self.tenant(), self.id(), &checked.check.path);
        match now {
            Health::Ill(reason) => tracing::warn!(
                %tenant, %app, failures,
                "the app is not well, and is asked for nothing until it is: `GET {path}`: {reason}"
            ),
            _ => tracing::info!(%tenant, %app, "the app is well: `GET {path}`"),
        }
    }

    /// Waits until the app is well, at once where it has no check, and returns true; false, after a moment, where nobody
    /// looks at its health any more, since another app has taken its place.
    pub(crate) async fn well(&self) -> bool {
        let Some(checked) = &self.checked else {
            return true;
        };
        let (over, mut health) = (checked.over(), checked.health.subscribe());
        tokio::select! {
            biased;
            // The sender is the app's own, so it is there.
            _ = health.wait_for(|health| *health == Health::Well) => true,
            () = async { over.cancelled().await; tokio::time::sleep(GONE).await } => false,
        }
    }

    /// Waits until the app is not well.
    pub(crate) async fn ill(&self) {
        match &self.checked {
            None => std::future::pending().await,
            Some(checked) => {
                let mut health = checked.health.subscribe();
                let _ = health.wait_for(|health| *health != Health::Well).await;
            }
        }
    }

    /// Runs `work` while the app is well. Where it falls ill the work is dropped, and done anew when it is well again.
    pub(crate) async fn while_well<T, F>(&self, work: impl Fn() -> F) -> T
    where
        F: Future<Output = T>,
    {
        loop {
            while !self.well().await {}
            tokio::select! {
                biased;
                () = self.ill() => {}
                done = work() => return done,
            }
        }
    }
}

#[cfg(test)]
mod tests;
