//! Permits that each app has for itself, so that none can take what the others need.

use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::Semaphore;

pub(crate) struct Shares {
    /// Places of one app.
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

    /// The places of one app. Apps are those of the manifest, so that there are not many.
    pub fn of(&self, app: &str) -> Arc<Semaphore> {
        let mut by_app = self.by_app.lock();
        if let Some(share) = by_app.get(app) {
            return share.clone();
        }
        let share = Arc::new(Semaphore::new(self.limit));
        by_app.insert(app.to_owned(), share.clone());
        share
    }
}

#[cfg(test)]
mod tests {
    use super::Shares;

    #[test]
    fn an_app_that_holds_all_of_its_places_takes_none_of_others() {
        let shares = Shares::new(2);
        let held: Vec<_> = (0..2).map(|_| shares.of("a").try_acquire_owned()).collect();
        assert!(held.iter().all(Result::is_ok));
        assert!(shares.of("a").try_acquire_owned().is_err());
        assert!(shares.of("b").try_acquire_owned().is_ok());
    }
}
