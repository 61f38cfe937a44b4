//! Permits that each app has for itself, so that none can take what the others need.

use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Semaphore;

/// Apps of which the permits are remembered while nobody uses them.
const IDLE: usize = 64;

pub(crate) struct Shares {
    /// Permits of one app.
    limit: usize,
    by_app: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Shares {
    pub fn new(limit: usize) -> Self {
        Shares {
            limit: limit.max(1),
            by_app: Mutex::default(),
        }
    }

    /// The permits of one app. Who has one, or waits for one, holds on to what this returns; so what nobody holds is as
    /// good as new, and is forgotten where there is much of it, as of apps that are gone.
    pub fn of(&self, app: &str) -> Arc<Semaphore> {
        let mut by_app = self.by_app.lock();
        if let Some(share) = by_app.get(app) {
            return share.clone();
        }
        if by_app.len() >= IDLE {
            by_app.retain(|_, share| Arc::strong_count(share) > 1);
        }
        let share = Arc::new(Semaphore::new(self.limit));
        by_app.insert(app.to_owned(), share.clone());
        share
    }

    /// Permits that one app has.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

#[cfg(test)]
mod tests {
    use super::{IDLE, Shares};

    #[test]
    fn apps_that_are_gone_are_forgotten_and_those_at_work_are_not() {
        let shares = Shares::new(1);
        let held = shares.of("at work").try_acquire_owned();
        for app in 0..1_000 {
            drop(shares.of(&format!("app {app}")).try_acquire_owned());
        }
        assert!(shares.by_app.lock().len() <= IDLE + 1);
        assert!(shares.of("at work").try_acquire_owned().is_err());
        drop(held);
        assert!(shares.of("at work").try_acquire_owned().is_ok());
    }

    #[test]
    fn an_app_that_holds_all_of_its_places_takes_none_of_others() {
        let shares = Shares::new(2);
        let held: Vec<_> = (0..2).map(|_| shares.of("a").try_acquire_owned()).collect();
        assert!(held.iter().all(Result::is_ok));
        assert!(shares.of("a").try_acquire_owned().is_err());
        assert!(shares.of("b").try_acquire_owned().is_ok());
    }
}
