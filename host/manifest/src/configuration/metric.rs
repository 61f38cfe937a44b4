//! `metric`: whether numbers are shown by Dapr's names. What would have labels of strangers' words, or other buckets than the
//! host counts in, is an error.

use crate::reader::{At, Fields};

/// Reads `metric`, or `metrics`, which is another name for it: whether there are Dapr's names, as by default. The host's own
/// are the operator's, and there whatever this says.
pub(super) fn read(spec: &Fields) -> bool {
    let mut written = spec.each_of(&["metric", "metrics"]).into_iter();
    let first = written.next();
    if let Some((_, other)) = written.next() {
        other.error("`metric` is written as well; expected one of the two");
    }
    let enabled = first.and_then(|(_, at)| read_enabled(&at));
    enabled.unwrap_or(true)
}

fn read_enabled(at: &At) -> Option<bool> {
    let fields = at.fields(&[
        "enabled",
        "http",
        "latencyDistributionBuckets",
        "recordErrorCodes",
        "rules",
    ])?;
    refuse(&fields);
    fields.read("enabled", At::boolean)
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
