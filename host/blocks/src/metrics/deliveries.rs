//! Counts of one subscription: what became of its events.

use super::{
    dapr,
    page::{Family, Page, named, word},
    timing::{LATENCY, Timing},
};
use crate::pubsub::Verdict;
use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};
use wythe_manifest::Name;

/// The subscription of which counts are.
pub(super) struct Of<'a> {
    pub tenant: &'a Name,
    pub app: &'a str,
    pub component: &'a str,
    pub topic: &'a str,
}

/// The verdicts on events.
const VERDICTS: [&str; 4] = ["ack", "drop", "retry", "dead-letter"];

/// Counts by name.
type Counted<const N: usize> = [(&'static str, u64); N];

/// Counts of one subscription.
#[derive(Debug)]
pub(crate) struct Deliveries {
    verdicts: [AtomicU64; VERDICTS.len()],
    /// Those among the dead letters that no topic takes.
    lost: AtomicU64,
    time: Timing,
}

impl Deliveries {
    pub fn new() -> Self {
        Deliveries {
            verdicts: [const { AtomicU64::new(0) }; VERDICTS.len()],
            lost: AtomicU64::new(0),
            time: Timing::new(LATENCY),
        }
    }

    pub fn count(&self, verdict: &Verdict, has_letters: bool, took: Duration) {
        let index = match verdict {
            Verdict::Ack => 0,
            Verdict::Drop => 1,
            Verdict::Retry(_) => 2,
            Verdict::DeadLetter(_) => 3,
        };
        self.verdicts[index].fetch_add(1, Relaxed);
        if index == 3 && !has_letters {
            self.lost.fetch_add(1, Relaxed);
        }
        self.time.add(took);
    }

    /// The counts by verdict, and of dead letters by their fate.
    fn read(&self) -> (Counted<{ VERDICTS.len() }>, Counted<2>) {
        let mut verdicts = VERDICTS.map(|verdict| (verdict, 0));
        for ((_, count), known) in verdicts.iter_mut().zip(&self.verdicts) {
            *count = known.load(Relaxed);
        }
        let (dead, lost) = (verdicts[3].1, self.lost.load(Relaxed));
        (
            verdicts,
            [("stored", dead.saturating_sub(lost)), ("lost", lost)],
        )
    }

    pub(super) fn collect(&self, page: &mut Page, of: &Of<'_>) {
        let labels = [
            named("app", of.app),
            named("component", of.component),
            named("topic", of.topic),
        ];
        let (tenant, row) = (of.tenant.as_str(), |extra| [&labels[..], &[extra]].concat());
        let (verdicts, fates) = self.read();
        for (verdict, count) in verdicts.into_iter().filter(|one| one.1 > 0) {
            let labels = row(word("verdict", verdict));
            page.number(&DELIVERIES, tenant, &labels, count as f64);
        }
        for (fate, count) in fates.into_iter().filter(|one| one.1 > 0) {
            page.number(&LETTERS, tenant, &row(word("fate", fate)), count as f64);
        }
        if page.wants_daprs(of.tenant) {
            dapr::add_deliveries(page, of, &verdicts, &self.time.histogram());
        }
    }
}

static DELIVERIES: Family = Family::counter(
    "wythe_deliveries_total",
    "Events by what became of them: ack, drop, retry (they come again), dead-letter.",
);
static LETTERS: Family = Family::counter(
    "wythe_dead_letters_total",
    "Times that an event was given up. stored: for the dead letter topic, see `wythe pubsub dead`; lost: the subscription has no deadLetterTopic, or no route and no such topic.",
);
