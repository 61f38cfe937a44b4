//! Leases on job rows: a leased row is not handed out until its lease is over.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Ends of leases by app and name. It is as large as what is under way, for what is written leaves it.
#[derive(Default)]
pub(crate) struct Leases(HashMap<String, HashMap<String, Instant>>);

impl Leases {
    pub(crate) fn is_free(&self, app: &str, name: &str, now: Instant) -> bool {
        let held = self.0.get(app).and_then(|names| names.get(name));
        held.is_none_or(|end| *end <= now)
    }

    /// A lease beyond what a clock can hold is one for ever, which is as good as a year.
    pub(crate) fn hold(&mut self, app: &str, name: &str, now: Instant, lease: Duration) {
        let year = Duration::from_secs(365 * 24 * 3_600);
        let names = self.0.entry(app.to_owned()).or_default();
        names.insert(name.to_owned(), now + lease.min(year));
    }

    pub(crate) fn free(&mut self, app: &str, name: &str) {
        if let Some(names) = self.0.get_mut(app) {
            names.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_ends_by_time_or_by_a_write() {
        let (mut leases, now) = (Leases::default(), Instant::now());
        let second = Duration::from_secs(1);
        leases.hold("app", "a", now, second);
        leases.hold("app", "b", now, Duration::MAX);
        assert!(!leases.is_free("app", "a", now));
        assert!(leases.is_free("other", "a", now));
        assert!(leases.is_free("app", "a", now + second));
        assert!(!leases.is_free("app", "b", now + second));
        leases.free("app", "b");
        assert!(leases.is_free("app", "b", now));
    }
}
