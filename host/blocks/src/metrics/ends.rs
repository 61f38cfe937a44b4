//! Counts of workflows and of attempts of activities by how they ended, and how long they took until then.

use super::{
    latency::Latency,
    page::{Family, Label, Page, Value, word},
    timing::DURATION,
};
use crate::{Trace, spans};
use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use wythe_manifest::Name;

/// The end of a workflow, or of an attempt of an activity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Completed,
    Failed,
    /// Ended by an operator or another app; of an activity, for want of an answer in time.
    CutShort,
    /// It cannot go on until somebody looks; of an activity, its app was too busy. Its time is not counted, for it has
    /// not come to an end.
    Stalled,
}

impl End {
    const COUNT: usize = 4;
}

/// The words and the metrics of what ends.
#[derive(Debug)]
pub(super) struct Words {
    outcomes: [&'static str; End::COUNT],
    total: Family,
    time: Family,
}

pub(super) static WORKFLOWS: Words = Words {
    outcomes: ["completed", "failed", "terminated", "stalled"],
    total: Family::counter(
        "wythe_workflows_total",
        "Workflows that ended, by outcome; of a failed or stalled one `wythe workflow get` has the reason.",
    ),
    time: Family::histogram(
        "wythe_workflow_duration_seconds",
        "Time from when a workflow was created until it ended, by outcome, its waits and pauses included; where it went, `wythe workflow history` says.",
    ),
};
pub(super) static ACTIVITIES: Words = Words {
    outcomes: ["completed", "failed", "timeout", "busy"],
    total: Family::counter(
        "wythe_activities_total",
        "Attempts of activities by outcome; busy is no attempt, it comes again.",
    ),
    time: Family::histogram(
        "wythe_activity_duration_seconds",
        "Time of attempts of activities by outcome, the wait for their app included; the pauses between attempts are not.",
    ),
};

/// Counts of workflows, or of activities, of one app.
#[derive(Debug, Default)]
pub(super) struct Ends {
    counts: [AtomicU64; End::COUNT],
    /// Made by the first that ends so.
    times: [OnceLock<Box<Latency>>; End::COUNT],
}

impl Ends {
    /// Counts an end. Where its trace is recorded, it stands for the others that took as long.
    pub fn note(&self, end: End, took: Duration, trace: Option<Trace>) {
        let index = end as usize;
        self.counts[index].fetch_add(1, Relaxed);
        if end != End::Stalled {
            let recorded = trace.filter(|trace| trace.sampled && spans::is_on());
            let time = self.times[index].get_or_init(|| Box::new(Latency::new(DURATION)));
            time.add(took, recorded);
        }
    }

    pub fn count(&self, end: End) -> u64 {
        self.counts[end as usize].load(Relaxed)
    }

    /// The time of those with an end, where there are any.
    pub fn time(&self, end: End) -> Option<&Latency> {
        self.times[end as usize].get().map(Box::as_ref)
    }

    pub fn collect(&self, page: &mut Page, words: &'static Words, tenant: &Name, app: &Label<'_>) {
        let tenant = tenant.as_str();
        let ends = words.outcomes.iter().zip(&self.counts).zip(&self.times);
        for ((outcome, count), time) in ends {
            let (labels, count) = ([app.clone(), word("outcome", outcome)], count.load(Relaxed));
            if count > 0 {
                page.number(&words.total, tenant, &labels, count as f64);
            }
            if let Some(time) = time.get() {
                let value = Value::Histogram(time.histogram());
                page.add(&words.time, tenant, &labels, value);
            }
        }
    }
}
