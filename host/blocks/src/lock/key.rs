//! One lock of one component: its key, and what is asked of the driver about it.

use super::{
    Configured, HOLDER, Lease, MAX_NAME, RELEASE, RENEW,
    attempt::{Attempt, Unclaimed, attempt, late},
    queue::Waiter,
};
use crate::{
    Backoff, Call, Error, Key, Result, Slot, Tasks, lock::Grant, random, state::SEPARATOR,
};
use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

/// The pause between two questions, where nothing better is known; it doubles up to the last. A question finds what
/// another process freed.
const PAUSE: Backoff = Backoff::new(Duration::from_millis(5), Duration::from_millis(250));
/// Some drivers report an expiry in whole milliseconds.
const GRAIN: Duration = Duration::from_millis(1);

#[derive(Clone)]
pub(super) struct LockKey {
    pub(super) component: Arc<Slot<Configured>>,
    pub(super) key: Key,
}

impl LockKey {
    /// Names the key as Dapr does: `lock||app||name`.
    pub(super) fn new(caller: &Call, component: Arc<Slot<Configured>>, name: &str) -> Result<Self> {
        check(name)?;
        let found = component.component();
        let space = found.driver().prefix.resolve(caller, found.name());
        let key = Key::new(format!("lock{SEPARATOR}{space}"), name);
        Ok(LockKey { component, key })
    }

    pub(super) async fn acquire(
        self,
        caller: &Call,
        ttl: Duration,
        wait: Duration,
    ) -> Result<Option<Lease>> {
        let component = self.component.component();
        let queues = &component.driver().queues;
        if wait.is_zero() {
            if queues.is_waited_for(&self.key) {
                return Ok(None);
            }
            return Ok(match attempt(&self, caller, ttl).await? {
                Attempt::Granted(grant) => grant.claim(),
                Attempt::Held { .. } => None,
                Attempt::Late => return Err(late(&self)),
            });
        }
        let now = Instant::now();
        let end = now.checked_add(wait).unwrap_or(caller.deadline());
        let end = end.min(caller.deadline());
        let waiter = queues.join(&self.key);
        match tokio::time::timeout_at(end.into(), waiter.turn()).await {
            Ok(_turn) => {
                let granted = self.insist(caller, ttl, end, &waiter).await?;
                Ok(granted.and_then(Unclaimed::claim))
            }
            Err(_) => Ok(None),
        }
    }

    /// The first of its queue asks until it is granted or its time is over.
    async fn insist(
        &self,
        caller: &Call,
        ttl: Duration,
        end: Instant,
        waiter: &Waiter<'_>,
    ) -> Result<Option<Unclaimed>> {
        let mut pause = PAUSE;
        let mut is_held = false;
        loop {
            let expires = match attempt(self, caller, ttl).await? {
                Attempt::Granted(grant) => return Ok(Some(grant)),
                Attempt::Held { expires } => expires,
                Attempt::Late if is_held => return Ok(None),
                Attempt::Late => return Err(late(self)),
            };
            is_held = true;
            let now = Instant::now();
            if now >= end {
                return Ok(None);
            }
            let next = now + next(pause.fail(), expires);
            waiter.freed_or(end.min(next)).await;
        }
    }

    pub(super) async fn holder(&self, caller: &Call) -> Result<Option<Grant>> {
        self.component
            .enter(caller)
            .await?
            .call(caller, HOLDER, |c| c.driver.holder(&self.key))
            .await
    }

    pub(super) async fn renew(
        &self,
        caller: &Call,
        token: u64,
        ttl: Duration,
    ) -> Result<SystemTime> {
        self.component
            .enter(caller)
            .await?
            .call(caller, RENEW, |c| c.driver.renew(&self.key, token, ttl))
            .await
    }

    pub(super) async fn release(&self, caller: &Call, token: u64) -> Result<()> {
        let component = self.component.enter(caller).await?;
        let released = component
            .call(caller, RELEASE, |c| c.driver.release(&self.key, token))
            .await;
        // Also after an error: the release may have happened, and a waiter that asks in vain waits on.
        component.driver().queues.freed(&self.key);
        released
    }

    /// The tasks of the tenant.
    pub(super) fn tasks(&self) -> Tasks {
        self.component.component().driver().tasks.clone()
    }

    pub(super) fn name(&self) -> &str {
        self.key.shown()
    }
}

/// The pause before the next question: until the grant's end if that is known and near, else about `pause`: waiters of
/// many processes do not ask in step.
fn next(pause: Duration, expires: Option<SystemTime>) -> Duration {
    let jittered = pause.mul_f64(0.5 + (random::next() % 1_000) as f64 / 1_000.0);
    let left = expires.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default() + GRAIN);
    left.map_or(jittered, |left| left.min(jittered))
}

fn check(name: &str) -> Result<()> {
    if !(1..=MAX_NAME).contains(&name.len()) {
        return Err(Error::invalid(format!(
            "the name of a lock has {} bytes; expected 1 to {MAX_NAME}",
            name.len()
        )));
    }
    if name.contains('\0') {
        return Err(Error::invalid(
            "the name of a lock has a NUL character; expected text without NUL",
        ));
    }
    if name.contains(SEPARATOR) {
        return Err(Error::invalid(format!(
            "the name `{name}` has `||`, which separates an app's name from its locks; use another separator"
        )));
    }
    Ok(())
}
