//! Rates of the host's own lines: what a guest or a stranger can cause again and again is told now and then, and counted.

use parking_lot::Mutex;
use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::{Layer, layer::Context};
use wythe_api::ACCESS;
use wythe_blocks::{Dropped, count_dropped};

/// Lines of one place in the code for one app, and for all, in a second.
const OF_AN_APP: u64 = 20;
const OF_A_CALLSITE: u64 = 100;
const WINDOW: Duration = Duration::from_secs(1);
/// Apps and places that are counted apart; those beyond share one count.
const MAX_KEYS: usize = 1_024;
/// The target of guests, which have a budget of their own.
const GUESTS: &str = "wythe::guest";
/// The target of this file, which says at most one line for each key and window.
const REPORTED: &str = "wythe::dropped";

/// A layer that drops and counts what is over the rate.
#[derive(Default)]
pub struct Rate {
    counts: Mutex<HashMap<Option<Key>, Count>>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    /// File and line.
    callsite: (&'static str, u32),
    /// Empty for the sum over all apps.
    app: String,
}

struct Count {
    since: Instant,
    passed: u64,
    dropped: u64,
}

impl Rate {
    /// Returns whether one more line is within the rate, and how many were dropped in the window that has just ended.
    fn take(&self, key: &Key, limit: u64, now: Instant) -> (bool, u64) {
        let mut counts = self.counts.lock();
        if counts.len() >= MAX_KEYS {
            counts.retain(|_, count| now.duration_since(count.since) < WINDOW);
        }
        let is_known = counts.contains_key(&Some(key.clone()));
        let key = (is_known || counts.len() < MAX_KEYS).then(|| key.clone());
        let count = counts.entry(key).or_insert(Count {
            since: now,
            passed: 0,
            dropped: 0,
        });
        let mut dropped = 0;
        if now.duration_since(count.since) >= WINDOW {
            dropped = count.dropped;
            *count = Count {
                since: now,
                passed: 0,
                dropped: 0,
            };
        }
        let fits = count.passed < limit;
        match fits {
            true => count.passed += 1,
            false => count.dropped += 1,
        }
        (fits, dropped)
    }

    fn report(metadata: &Metadata<'static>, app: &str, dropped: u64) {
        if dropped > 0 {
            let (file, line) = callsite(metadata);
            tracing::warn!(target: REPORTED, app, "{dropped} more lines of {file}:{line} dropped: over the rate");
        }
    }
}

impl<S: Subscriber> Layer<S> for Rate {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        // What is for finding faults, or for every request, is asked for, and is then wanted whole.
        if matches!(metadata.target(), GUESTS | REPORTED | ACCESS)
            || *metadata.level() > Level::INFO
        {
            return true;
        }
        let mut app = App::default();
        event.record(&mut app);
        let (now, callsite, app) = (Instant::now(), callsite(metadata), app.0);
        if !app.is_empty() {
            let own = Key {
                callsite,
                app: app.clone(),
            };
            let (fits, dropped) = self.take(&own, OF_AN_APP, now);
            Self::report(metadata, &app, dropped);
            if !fits {
                count_dropped(Dropped::Rate);
                return false;
            }
        }
        let app = String::new();
        let (fits, dropped) = self.take(&Key { callsite, app }, OF_A_CALLSITE, now);
        Self::report(metadata, "", dropped);
        if !fits {
            count_dropped(Dropped::Rate);
        }
        fits
    }
}

fn callsite(metadata: &Metadata<'static>) -> (&'static str, u32) {
    let file = metadata.file().unwrap_or(metadata.target());
    (file, metadata.line().unwrap_or_default())
}

/// The app that an event is about.
#[derive(Default)]
struct App(String);

impl Visit for App {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "app" {
            self.0 = format!("{value:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    };
    use tracing_subscriber::layer::SubscriberExt;

    struct Counting(Arc<AtomicU64>);

    impl<S: Subscriber> Layer<S> for Counting {
        fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn a_place_and_an_app_have_a_rate() {
        let passed = Arc::new(AtomicU64::new(0));
        let layers = tracing_subscriber::registry()
            .with(Rate::default())
            .with(Counting(passed.clone()));
        let _guard = tracing::subscriber::set_default(layers);
        let flood = |apps: u64| {
            for number in 0..100_000 {
                tracing::warn!(app = number % apps, "denied");
            }
            passed.swap(0, Relaxed)
        };
        // Windows that ended meanwhile let as many through again; nothing here takes minutes.
        assert!(flood(1) < 5_000);
        assert!(flood(50_000) < 20_000);
    }

    #[test]
    fn what_was_dropped_is_counted_when_the_window_is_over() {
        let rate = Rate::default();
        let key = Key {
            callsite: ("a.rs", 1),
            app: "a".into(),
        };
        let now = Instant::now();
        let fits: Vec<_> = (0..5).map(|_| rate.take(&key, 2, now)).collect();
        assert_eq!(
            fits,
            [(true, 0), (true, 0), (false, 0), (false, 0), (false, 0)]
        );
        assert_eq!(rate.take(&key, 2, now + WINDOW), (true, 3));
    }
}
