//! Lanes of work with keys: so many operations of one app at once, so that a key is never one app's alone.

use crate::{Call, Error, Result, shares::Shares};
use std::sync::Arc;
use tokio::sync::{Semaphore, SemaphorePermit};

/// The lanes of all apps, by id.
pub(super) struct Lanes(Shares);

impl Default for Lanes {
    fn default() -> Self {
        Lanes(Shares::new(width()))
    }
}

/// The lane of one app.
#[derive(Clone)]
pub(super) struct Lane {
    permits: Arc<Semaphore>,
    limit: usize,
}

impl Lanes {
    pub fn of(&self, caller: &Call) -> Lane {
        Lane {
            permits: self.0.of(caller.app_id().as_str()),
            limit: self.0.limit(),
        }
    }
}

/// Half of the cores, and one at least.
fn width() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).max(1)
}

impl Lane {
    /// Waits for a permit, no longer than the caller does.
    pub async fn enter(&self, caller: &Call) -> Result<SemaphorePermit<'_>> {
        let permit = tokio::time::timeout_at(caller.deadline().into(), self.permits.acquire());
        match permit.await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::exhausted(format!(
                "app `{}` has more operations of keys under way than were done in time; at most {} are done at once",
                caller.app_id(),
                self.limit
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, time};
    use std::time::Duration;

    fn caller(app: &str) -> Call {
        let name = |text: &str| text.parse().unwrap();
        Call::operator(
            name("t"),
            name(app),
            time::deadline(Duration::from_millis(50)),
        )
    }

    #[tokio::test]
    async fn an_app_waits_for_itself_and_not_for_another() {
        let lanes = Lanes::default();
        let lane = lanes.of(&caller("greedy"));
        let mut held = Vec::new();
        for _ in 0..width() {
            held.push(lane.enter(&caller("greedy")).await.unwrap());
        }
        let same = lanes.of(&caller("greedy"));
        let error = same.enter(&caller("greedy")).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Exhausted);
        let other = lanes.of(&caller("other"));
        drop(other.enter(&caller("other")).await.unwrap());
        held.clear();
        drop(lane.enter(&caller("greedy")).await.unwrap());
    }
}
