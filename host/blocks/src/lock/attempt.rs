//! One question to the driver, whose grant finds its way back if nobody is there to take it.

use super::{ACQUIRE, Acquired, Grant, Lease, key::LockKey};
use crate::{Call, Error, Result, time};
use std::time::{Duration, SystemTime};
use tokio::{sync::oneshot, time::timeout_at};

/// The time that the host waits longer than its caller for a driver's answer, and for a grant to be given back.
const GRACE: Duration = Duration::from_secs(15);

pub(super) enum Attempt {
    Granted(Unclaimed),
    Held {
        expires: Option<SystemTime>,
    },
    /// The caller's deadline has passed; a grant that comes late is given back.
    Late,
}

/// Asks the driver, and goes on to ask on a task of its own if it does not answer at once: the answer to a caller that
/// has gone must still be heard, since it may be a grant.
pub(super) async fn attempt(key: &LockKey, caller: &Call, ttl: Duration) -> Result<Attempt> {
    let (sender, receiver) = oneshot::channel();
    let mut task = Box::pin(ask(key.clone(), caller.clone(), ttl, sender));
    if futures::poll!(&mut task).is_pending() {
        key.tasks().spawn(task);
    }
    match timeout_at(caller.deadline().into(), receiver).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::unknown_outcome(format!(
            "it is not known whether `{}` was granted",
            key.name()
        ))),
        Err(_) => Ok(Attempt::Late),
    }
}

/// The error for a caller that never heard who holds the lock.
pub(super) fn late(key: &LockKey) -> Error {
    Error::timeout(format!(
        "`acquire` of `{}` did not answer in time; a grant that comes late is given back",
        key.name()
    ))
}

async fn ask(key: LockKey, caller: Call, ttl: Duration, sender: oneshot::Sender<Result<Attempt>>) {
    let late = caller.until(caller.deadline() + GRACE);
    let owner = caller.app_id().as_str();
    let acquired = match key.component.enter(&late).await {
        Ok(component) => {
            let acquire =
                component.call(&late, ACQUIRE, |c| c.driver.acquire(&key.key, owner, ttl));
            acquire.await
        }
        Err(error) => Err(error),
    };
    let answer = match acquired {
        Ok(acquired) => Ok(Attempt::of(acquired, key, late)),
        Err(error) => Err(error),
    };
    // One that nobody receives is dropped, and that gives a grant back.
    let _ = sender.send(answer);
}

/// A grant that its waiter has not taken yet: wherever it is dropped, it is released.
pub(super) struct Unclaimed(Option<(LockKey, Call, Grant)>);

impl Unclaimed {
    pub(super) fn claim(mut self) -> Option<Lease> {
        let (key, _, grant) = self.0.take()?;
        Some(Lease::new(key, &grant))
    }
}

impl Attempt {
    fn of(acquired: Acquired, key: LockKey, caller: Call) -> Self {
        match acquired {
            Acquired::Granted(grant) => Attempt::Granted(Unclaimed(Some((key, caller, grant)))),
            Acquired::Held { expires } => Attempt::Held { expires },
        }
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        let Some((key, caller, grant)) = self.0.take() else {
            return;
        };
        let tasks = key.tasks();
        // Without a runtime the grant ends at its time.
        tasks.spawn_late(async move {
            let caller = caller.until(time::deadline(GRACE));
            // A failure was logged; then the grant ends at its time.
            let _ = key.release(&caller, grant.token).await;
        });
    }
}
