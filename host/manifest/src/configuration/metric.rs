//! `metric`: whether numbers are shown by Dapr's names. What would have labels of strangers' words, or other buckets than the
//! host counts in, is an error.

use crate::problem::Source;
use crate::reader::{At, Fields};

/// Metrics by Dapr's names; the host's own are the operator's, and there whatever this says.
#[derive(Clone, Debug)]
pub struct Metric {
    /// True where they are shown, as by default.
    pub enabled: bool,
    /// The place where it was written.
    pub source: Source,
}

/// Reads `metric`, or `metrics`, which is another name for it.
pub(super) fn read(spec: &Fields) -> Option<Metric> {
    let mut written = spec.each_of(&["metric", "metrics"]).into_iter();
    let (_, at) = written.next()?;
    if let Some((_, other)) = written.next() {
        other.error("`metric` is written as well; expected one of the two");
    }
    let fields = at.fields(&[
        "enabled",
        "http",
        "latencyDistributionBuckets",
        "recordErrorCodes",
        "rules",
    ])?;
    refuse(&fields);
    let enabled = fields.read("enabled", At::boolean);
    Some(Metric {
        enabled: enabled.unwrap_or(true),
        source: at.source(),
    })
}

/// Refuses what the host does not do.
fn refuse(fields: &Fields) {
    let unheard = |at: &At, why: &str| at.error(&format!("{why}; leave it out"));
    if let Some(at) = fields.get("latencyDistributionBuckets") {
        unheard(
            &at,
            "the buckets of latencies are fixed, from 10 µs to 10 s",
        );
    }
    if let Some(at) = fields.get("rules").filter(|at| !at.items().is_empty()) {
        unheard(
            &at,
            "labels have only names that the project has, and are not rewritten",
        );
    }
    if let Some(at) = fields.get("recordErrorCodes")
        && at.boolean() == Some(true)
    {
        unheard(
            &at,
            "error codes are not counted; `wythe_calls_total` has kinds of errors",
        );
    }
    let http = fields.read("http", |at| {
        at.fields(&["increasedCardinality", "pathMatching", "excludeVerbs"])
    });
    let Some(http) = http else { return };
    // There is no label of methods that it would leave out.
    let _ = http.read("excludeVerbs", At::boolean);
    if let Some(at) = http.get("increasedCardinality")
        && at.boolean() == Some(true)
    {
        unheard(&at, "paths and methods are words of clients, and no labels");
    }
    if let Some(at) = http.get("pathMatching").filter(|at| !at.items().is_empty()) {
        unheard(&at, "paths are words of clients, and no labels");
    }
}
