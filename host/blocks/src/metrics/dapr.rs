//! Dapr's names for what is counted here: a second view, so that dashboards that were made for daprd show something.
//!
//! A daprd is beside one app, and this host has all of them, so a number of a component has `app_id="*"`: whoever asked.

use super::{
    calls::Counted,
    deliveries::Of,
    ends::End,
    meters::Meters,
    page::{Family, Histogram, Label, Page, Value, named, word},
};
use wythe_manifest::Name;

/// The app of what is counted for all apps together.
const ALL: &str = "*";
/// Milliseconds of a second: Dapr's latencies have no unit in their names and are in milliseconds.
const MILLIS: f64 = 1_000.0;

const COUNT: &str = "Dapr's view: calls of components of this kind; app_id is * where all apps are counted together.";
const LATENCY: &str = "Dapr's view: time of calls of components of this kind, in milliseconds.";

/// The two names of one kind of calls.
struct Pair(Family, Family);

macro_rules! pair {
    ($name:ident, $text:literal) => {
        static $name: Pair = Pair(
            Family::counter(concat!("dapr_component_", $text, "_count"), COUNT),
            Family::histogram(concat!("dapr_component_", $text, "_latencies"), LATENCY),
        );
    };
}

pair!(STATE, "state");
pair!(EGRESS, "pubsub_egress");
pair!(BULK_EGRESS, "pubsub_egress_bulk");
pair!(INGRESS, "pubsub_ingress");
pair!(OUTPUT, "output_binding");
pair!(INPUT, "input_binding");
pair!(SECRET, "secret");
pair!(CONFIGURATION, "configuration");
pair!(CRYPTO, "crypto");

static JOB_SUCCESS: Family = Family::counter(
    "dapr_component_job_success_count",
    "Dapr's view: operations of jobs that succeeded.",
);
static JOB_FAILURE: Family = Family::counter(
    "dapr_component_job_failure_count",
    "Dapr's view: operations of jobs that failed.",
);
static JOB_TIME: Family = Family::histogram(
    "dapr_component_job_latencies",
    "Dapr's view: time of operations of jobs, in milliseconds.",
);
static HTTP_SERVER: Family = Family::counter(
    "dapr_http_server_request_count",
    "Dapr's view: HTTP requests to apps by the status of the answer; 0 where there was none.",
);
static HTTP_ANSWERS: Family = Family::counter(
    "dapr_http_server_response_count",
    "Dapr's view: answers of apps to HTTP requests by status.",
);
static HTTP_TIME: Family = Family::histogram(
    "dapr_http_server_latency",
    "Dapr's view: time until an app's answer begins, in milliseconds.",
);
static APP_ASKED: Family = Family::counter(
    "dapr_http_client_completed_count",
    "Dapr's view: calls that the host made of apps (events, inputs, jobs, actors, invocations); 200 is ok, 500 anything else.",
);
static APP_TIME: Family = Family::histogram(
    "dapr_http_client_roundtrip_latency",
    "Dapr's view: time of calls that the host made of apps, in milliseconds.",
);
static INVOKED: Family = Family::counter(
    "dapr_runtime_service_invocation_req_recv_total",
    "Dapr's view: invocations that reached an app.",
);
static INVOCATION_SENT: Family = Family::counter(
    "dapr_runtime_service_invocation_res_sent_total",
    "Dapr's view: answers of apps to invocations.",
);
static WORKFLOWS: Pair = Pair(
    Family::counter(
        "dapr_runtime_workflow_execution_count",
        "Dapr's view: workflows that ended.",
    ),
    Family::histogram(
        "dapr_runtime_workflow_execution_latency",
        "Dapr's view: time until a workflow ended, in milliseconds.",
    ),
);
static ACTIVITIES: Pair = Pair(
    Family::counter(
        "dapr_runtime_workflow_activity_execution_count",
        "Dapr's view: attempts of activities that ended.",
    ),
    Family::histogram(
        "dapr_runtime_workflow_activity_execution_latency",
        "Dapr's view: time of attempts of activities, in milliseconds.",
    ),
);
static REMINDERS_FIRED: Family = Family::counter(
    "dapr_runtime_actor_reminders_fired_total",
    "Dapr's view: reminders of actors that were due and began.",
);

/// Reminders of actors that are due and wait.
pub(crate) static REMINDERS: Family = Family::gauge(
    "dapr_runtime_actor_reminders",
    "Dapr's view: reminders of actors that this host knows to be due or expects soon.",
);
/// Components that are open.
pub(crate) static COMPONENT_LOADED: Family = Family::gauge(
    "dapr_runtime_component_loaded",
    "Dapr's view: components that are loaded.",
);
/// Documents of policies in force.
pub(crate) static RESILIENCY_LOADED: Family = Family::gauge(
    "dapr_resiliency_loaded",
    "Dapr's view: targets that have policies.",
);

/// Adds the calls of a component or an app: how they ended, and how long they took.
pub(super) fn add_calls(
    page: &mut Page,
    tenant: &str,
    of: &Counted,
    operation: &'static str,
    (ends, time): (&[(&'static str, u64)], &Histogram),
) {
    let ok: u64 = ends
        .iter()
        .filter(|(end, _)| *end == "ok")
        .map(|(_, count)| count)
        .sum();
    let failed = ends.iter().map(|(_, count)| count).sum::<u64>() - ok;
    match of {
        Counted::App(app) => add_app_calls(page, (tenant, app), operation, (ok, failed), time),
        Counted::Component { block, component } => {
            let labels = [
                word("app_id", ALL),
                named("component", component.as_str()),
                word("operation", operation_of(operation)),
            ];
            let row = Row {
                tenant,
                labels: &labels,
            };
            match (*block, operation) {
                ("jobs", _) => {
                    row.number(page, &JOB_SUCCESS, ok);
                    row.number(page, &JOB_FAILURE, failed);
                    row.time(page, &JOB_TIME, time);
                }
                _ => {
                    if let Some(pair) = pair_of(block, operation) {
                        row.pair(page, pair, (ok, failed), time);
                    }
                }
            }
        }
    }
}

/// The names of a block's calls; of those that Dapr does not count there are none.
fn pair_of(block: &str, operation: &str) -> Option<&'static Pair> {
    Some(match (block, operation) {
        ("state", _) => &STATE,
        ("pubsub", "publish") => &EGRESS,
        ("pubsub", "publish-many") => &BULK_EGRESS,
        ("bindings", "invoke") => &OUTPUT,
        ("secrets", _) => &SECRET,
        ("configuration", _) => &CONFIGURATION,
        ("crypto", _) => &CRYPTO,
        _ => return None,
    })
}

/// Dapr's word for an operation, where it has another one.
fn operation_of(operation: &'static str) -> &'static str {
    match operation {
        "put" => "set",
        "get-many" => "bulk_get",
        "put-many" => "bulk_set",
        "transact" => "transaction",
        "list" => "query",
        other => other,
    }
}

fn add_app_calls(
    page: &mut Page,
    (tenant, app): (&str, &Name),
    kind: &'static str,
    (ok, failed): (u64, u64),
    time: &Histogram,
) {
    let labels = [named("app_id", app.as_str())];
    let row = Row {
        tenant,
        labels: &labels,
    };
    match kind {
        "http" => row.time(page, &HTTP_TIME, time),
        "declaration" | "workflow" | "health" => {}
        _ => {
            for (status, count) in [("200", ok), ("500", failed)] {
                row.with(word("status", status), |row| {
                    row.number(page, &APP_ASKED, count)
                });
            }
            row.time(page, &APP_TIME, time);
        }
    }
    match kind {
        "invocation" => {
            row.number(page, &INVOKED, ok + failed);
            row.number(page, &INVOCATION_SENT, ok);
        }
        "input" => row.with(word("component", ALL), |row| {
            row.pair(page, &INPUT, (ok, failed), time);
        }),
        _ => {}
    }
}

/// Adds what became of events of a subscription, and how long its app took for them.
pub(super) fn add_deliveries(
    page: &mut Page,
    of: &Of<'_>,
    verdicts: &[(&'static str, u64)],
    time: &Histogram,
) {
    let labels = [
        named("app_id", of.app),
        named("component", of.component),
        named("topic", of.topic),
    ];
    let row = Row {
        tenant: of.tenant.as_str(),
        labels: &labels,
    };
    for (verdict, count) in verdicts {
        let status = match *verdict {
            "ack" => "success",
            "retry" => "retry",
            _ => "drop",
        };
        row.with(word("process_status", status), |row| {
            row.with(word("status", status), |row| {
                row.number(page, &INGRESS.0, *count)
            });
        });
    }
    row.time(page, &INGRESS.1, time);
}

/// Adds what an app's own counts have.
pub(super) fn add_app(page: &mut Page, meters: &Meters) {
    if !page.wants_daprs(&meters.tenant) {
        return;
    }
    let labels = [named("app_id", meters.id.as_str())];
    let row = Row {
        tenant: meters.tenant.as_str(),
        labels: &labels,
    };
    for (pair, ends) in [
        (&WORKFLOWS, &meters.workflows),
        (&ACTIVITIES, &meters.activities),
    ] {
        for (status, end) in [("success", End::Completed), ("failed", End::Failed)] {
            row.with(word("status", status), |row| {
                row.number(page, &pair.0, ends.count(end));
                if let Some(time) = ends.time(end) {
                    row.time(page, &pair.1, &time.histogram());
                }
            });
        }
    }
    row.number(page, &REMINDERS_FIRED, meters.reminders.0.count());
    let statuses = meters.statuses.lock().clone();
    for (status, count) in statuses {
        row.with(named("status", status.to_string()), |row| {
            row.number(page, &HTTP_SERVER, count);
            if status > 0 {
                row.number(page, &HTTP_ANSWERS, count);
            }
        });
    }
}

/// The labels of some numbers.
struct Row<'a> {
    tenant: &'a str,
    labels: &'a [Label<'a>],
}

impl Row<'_> {
    fn with(&self, label: Label<'_>, add: impl FnOnce(Row<'_>)) {
        let labels = [self.labels, &[label]].concat();
        add(Row {
            tenant: self.tenant,
            labels: &labels,
        });
    }

    fn number(&self, page: &mut Page, family: &'static Family, count: u64) {
        if count > 0 {
            page.number(family, self.tenant, self.labels, count as f64);
        }
    }

    fn time(&self, page: &mut Page, family: &'static Family, seconds: &Histogram) {
        page.add(family, self.tenant, self.labels, in_millis(seconds));
    }

    fn pair(
        &self,
        page: &mut Page,
        pair: &'static Pair,
        (ok, failed): (u64, u64),
        time: &Histogram,
    ) {
        for (success, count) in [("true", ok), ("false", failed)] {
            self.with(word("success", success), |row| {
                row.number(page, &pair.0, count)
            });
        }
        self.time(page, &pair.1, time);
    }
}

fn in_millis(seconds: &Histogram) -> Value {
    let mut millis = seconds.clone();
    millis.sum *= MILLIS;
    for bucket in &mut millis.buckets {
        // Rounded to microseconds, for what a product of floats is not.
        bucket.bound = (bucket.bound * 1e6).round() / MILLIS;
        bucket.exemplar = None;
    }
    Value::Histogram(millis)
}
