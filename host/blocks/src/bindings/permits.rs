//! Permits for calls to an outside system: so many at once, and never all of them one app's.

use crate::{Call, Error, Result, shares::Shares};
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wythe_manifest::ComponentName;

/// The permits of one component. Calls that wait are served in the order in which they came, and of one app no more
/// wait in that order than it may have permits.
pub(super) struct Permits {
    all: Arc<Semaphore>,
    apps: Shares,
    count: usize,
}

/// The permit of a call under way.
pub(super) struct Permit {
    _of_app: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Permits {
    pub fn new(count: usize) -> Self {
        Permits {
            all: Arc::new(Semaphore::new(count)),
            // Three quarters, and one at least.
            apps: Shares::new(count * 3 / 4),
            count,
        }
    }

    /// Waits for a permit, no longer than until the caller's deadline.
    pub async fn enter(&self, caller: &Call, component: &ComponentName) -> Result<Permit> {
        let app = self.apps.of(caller.app_id().as_str());
        let all = self.all.clone();
        let permit = async {
            let of_app = app.acquire_owned().await.ok()?;
            let of_all = all.acquire_owned().await.ok()?;
            Some(Permit {
                _of_app: of_app,
                _of_all: of_all,
            })
        };
        let permit = tokio::time::timeout_at(caller.deadline().into(), permit).await;
        permit.ok().flatten().ok_or_else(|| {
            Error::exhausted(format!(
                "bindings component `{component}` has {} calls at once, {} of one app, and none of them ended in time \
                 for this one; nothing was sent, so try it again later",
                self.count,
                self.apps.limit()
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, time};
    use std::time::Duration;

    fn caller(app: &str, patience: Duration) -> Call {
        let name = |text: &str| text.parse().unwrap();
        Call::operator(name("t"), name(app), time::deadline(patience))
    }

    async fn enter(permits: &Permits, app: &str) -> Result<Permit> {
        let caller = caller(app, Duration::from_millis(1));
        permits.enter(&caller, &"web".parse().unwrap()).await
    }

    #[tokio::test]
    async fn there_are_so_many_and_an_app_never_has_all_of_them() {
        let permits = Permits::new(8);
        let mut greedy = Vec::new();
        for _ in 0..6 {
            greedy.push(enter(&permits, "greedy").await.unwrap());
        }
        let error = enter(&permits, "greedy").await.err().unwrap();
        assert_eq!(error.kind(), Kind::Exhausted);
        assert_eq!(
            error.message(),
            "bindings component `web` has 8 calls at once, 6 of one app, and none of them ended in time for this one; \
             nothing was sent, so try it again later"
        );
        let other = [
            enter(&permits, "other").await.unwrap(),
            enter(&permits, "other").await.unwrap(),
        ];
        assert!(enter(&permits, "third").await.is_err());
        drop(other);
        drop(enter(&permits, "third").await.unwrap());
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    async fn who_waits_is_served_once_a_place_is_free() {
        let permits = Arc::new(Permits::new(1));
        let first = enter(&permits, "first").await.unwrap();
        let waits = tokio::spawn({
            let permits = permits.clone();
            async move {
                let patient = caller("second", Duration::from_secs(300));
                let entered = permits.enter(&patient, &"web".parse().unwrap()).await;
                entered.is_ok()
            }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(first);
        assert!(waits.await.unwrap());
    }
}
