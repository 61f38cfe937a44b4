//! Places of calls to an outside system: so many at once, and never all of them one app's.

use crate::{Call, Error, Result};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wythe_manifest::{ComponentName, Name};

/// The places of one component. Who waits is served in the order of coming, and of one app no more wait in that order
/// than it may have places.
pub(super) struct Places {
    all: Arc<Semaphore>,
    apps: Mutex<HashMap<Name, Arc<Semaphore>>>,
    count: usize,
}

/// The place of a call under way.
pub(super) struct Place {
    _of_app: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(count: usize) -> Self {
        Places {
            all: Arc::new(Semaphore::new(count)),
            apps: Mutex::default(),
            count,
        }
    }

    /// Waits for a place, no longer than the caller does.
    pub async fn enter(&self, caller: &Call, component: &ComponentName) -> Result<Place> {
        let app = self.of(caller);
        let all = self.all.clone();
        let place = async {
            let of_app = app.acquire_owned().await.ok()?;
            let of_all = all.acquire_owned().await.ok()?;
            Some(Place {
                _of_app: of_app,
                _of_all: of_all,
            })
        };
        let place = tokio::time::timeout_at(caller.deadline().into(), place).await;
        place.ok().flatten().ok_or_else(|| {
            Error::exhausted(format!(
                "bindings component `{component}` has {} calls at once, {} of one app, and none of them ended in time \
                 for this one; nothing was sent, so try it again later",
                self.count,
                self.of_one()
            ))
        })
    }

    fn of(&self, caller: &Call) -> Arc<Semaphore> {
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Semaphore::new(self.of_one()));
        apps.entry(caller.app_id().clone())
            .or_insert_with(new)
            .clone()
    }

    /// Three quarters, and one at least.
    fn of_one(&self) -> usize {
        (self.count * 3 / 4).max(1)
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

    async fn enter(places: &Places, app: &str) -> Result<Place> {
        let caller = caller(app, Duration::from_millis(1));
        places.enter(&caller, &"web".parse().unwrap()).await
    }

    #[tokio::test]
    async fn there_are_so_many_and_an_app_never_has_all_of_them() {
        let places = Places::new(8);
        let mut greedy = Vec::new();
        for _ in 0..6 {
            greedy.push(enter(&places, "greedy").await.unwrap());
        }
        let error = enter(&places, "greedy").await.err().unwrap();
        assert_eq!(error.kind(), Kind::Exhausted);
        assert_eq!(
            error.message(),
            "bindings component `web` has 8 calls at once, 6 of one app, and none of them ended in time for this one; \
             nothing was sent, so try it again later"
        );
        let other = [
            enter(&places, "other").await.unwrap(),
            enter(&places, "other").await.unwrap(),
        ];
        assert!(enter(&places, "third").await.is_err());
        drop(other);
        drop(enter(&places, "third").await.unwrap());
    }

    #[tokio::test]
    async fn who_waits_is_served_once_a_place_is_free() {
        let places = Arc::new(Places::new(1));
        let first = enter(&places, "first").await.unwrap();
        let waits = tokio::spawn({
            let places = places.clone();
            async move {
                let patient = caller("second", Duration::from_secs(300));
                let entered = places.enter(&patient, &"web".parse().unwrap()).await;
                entered.is_ok()
            }
        });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(first);
        assert!(waits.await.unwrap());
    }
}
