//! Tests of the page: its bound, its forms, and what the parsers of others read in it.

use super::{
    Cause, Egress, End, Format, Meters, Metrics,
    calls::{Outcome, of_app, of_component},
    exemplar::Exemplar,
    page::{Bucket, Family, Histogram, Page, ROWS, Value, named, word},
};
use crate::{Error, Operation, Result, Trace, pubsub::Verdict};
use std::{
    collections::HashSet,
    io::Write as _,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};
use wythe_manifest::Name;

static COUNTER: Family = Family::counter("wythe_things_total", "Things.");
static LATENCY: Family = Family::histogram("wythe_thing_seconds", "Time of things.");
static DAPRS: Family = Family::counter("dapr_thing_count", "Dapr's view: things.");

const OPERATIONS: &[Operation] = &[Operation::idempotent(0, "get"), Operation::once(1, "put")];

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

fn histogram(count: u64) -> Value {
    let bucket = |bound| Bucket {
        bound,
        count,
        exemplar: None,
    };
    Value::Histogram(Histogram {
        buckets: vec![bucket(1.0), bucket(f64::INFINITY)],
        sum: count as f64,
    })
}

/// The sum of all samples of a name.
fn sum(text: &str, sample: &str) -> f64 {
    let of_name = |line: &&str| line.split(['{', ' ']).next() == Some(sample);
    let value = |line: &str| {
        line.rsplit(' ')
            .next()
            .and_then(|one| one.parse::<f64>().ok())
    };
    text.lines().filter(of_name).filter_map(value).sum()
}

#[test]
fn a_million_names_are_a_thousand_rows_and_one_for_the_rest() {
    let mut page = Page::new(HashSet::new());
    for number in 0..1_000_000 {
        let app = [named("app", format!("a{number}")), word("cause", "stack")];
        page.number(&COUNTER, "one", &app, 1.0);
    }
    page.number(
        &COUNTER,
        "two",
        &[named("app", "mine"), word("cause", "stack")],
        5.0,
    );
    let text = page.write(Format::Prometheus);
    let rows = text
        .lines()
        .filter(|line| line.starts_with("wythe_things_total{tenant=\"one\""));
    assert_eq!(rows.count(), ROWS + 1);
    let other = "wythe_things_total{tenant=\"one\",app=\"other\",cause=\"stack\"} 999000\n";
    assert!(text.contains(other), "nothing is lost of the sum");
    assert!(text.contains("wythe_things_total{tenant=\"two\",app=\"mine\",cause=\"stack\"} 5\n"));
}

#[test]
fn histograms_of_what_is_beyond_the_bound_are_added_up() {
    let mut page = Page::new(HashSet::new());
    for number in 0..ROWS + 10 {
        let app = [named("app", format!("a{number}"))];
        page.add(&LATENCY, "one", &app, histogram(2));
    }
    let text = page.write(Format::Prometheus);
    let rest = "wythe_thing_seconds_count{tenant=\"one\",app=\"other\"} 40\n";
    assert!(text.contains(rest), "10 histograms with 4 each");
    assert_eq!(
        sum(&text, "wythe_thing_seconds_count"),
        4.0 * (ROWS as f64 + 10.0)
    );
}

#[test]
fn a_row_that_comes_twice_is_one() {
    let mut page = Page::new(HashSet::new());
    page.number(&COUNTER, "one", &[named("app", "a")], 2.0);
    page.number(&COUNTER, "one", &[named("app", "a")], 3.0);
    let text = page.write(Format::Prometheus);
    assert!(text.ends_with(
        "# TYPE wythe_things_total counter\nwythe_things_total{tenant=\"one\",app=\"a\"} 5\n"
    ));
}

#[test]
fn names_cannot_forge_lines() {
    let mut page = Page::new(HashSet::new());
    let forged = "a\"} 1\nwythe_forged 1\r\\";
    page.number(&COUNTER, "one", &[named("topic", forged)], 1.0);
    let text = page.write(Format::OpenMetrics);
    let row = "wythe_things_total{tenant=\"one\",topic=\"a\\\"} 1\\nwythe_forged 1\\n\\\\\"} 1";
    assert_eq!(text.lines().nth(2), Some(row));
    assert_eq!(text.lines().count(), 4);
}

#[test]
fn openmetrics_names_a_counter_without_total_and_ends_the_page() {
    let mut page = Page::new(HashSet::new());
    page.number(&COUNTER, "one", &[], 1.0);
    page.number(&DAPRS, "one", &[], 2.0);
    page.add(&LATENCY, "one", &[], with_exemplar());
    let expected = "\
        # HELP dapr_thing_count Dapr's view: things.\n\
        # TYPE dapr_thing_count unknown\n\
        dapr_thing_count{namespace=\"one\"} 2\n\
        # HELP wythe_thing_seconds Time of things.\n\
        # TYPE wythe_thing_seconds histogram\n\
        # UNIT wythe_thing_seconds seconds\n\
        wythe_thing_seconds_bucket{tenant=\"one\",le=\"1.0\"} 1 # {trace_id=\"000000000000000000000000000000ab\",span_id=\"00000000000000cd\"} 0.5 2.500\n\
        wythe_thing_seconds_bucket{tenant=\"one\",le=\"+Inf\"} 1\n\
        wythe_thing_seconds_sum{tenant=\"one\"} 0.5\n\
        wythe_thing_seconds_count{tenant=\"one\"} 1\n\
        # HELP wythe_things Things.\n\
        # TYPE wythe_things counter\n\
        wythe_things_total{tenant=\"one\"} 1\n\
        # EOF\n";
    assert_eq!(page.write(Format::OpenMetrics), expected);
    let plain = page.write(Format::Prometheus);
    assert!(!plain.contains("EOF") && !plain.contains("UNIT") && !plain.contains(" # {"));
    assert!(plain.contains("# TYPE dapr_thing_count counter\n"));
    assert!(plain.contains("wythe_thing_seconds_bucket{tenant=\"one\",le=\"1\"} 1\n"));
}

fn with_exemplar() -> Value {
    let exemplar = Some(Exemplar {
        trace: 0xab,
        span: 0xcd,
        seconds: 0.5,
        at: SystemTime::UNIX_EPOCH + Duration::from_millis(2_500),
    });
    let first = Bucket {
        bound: 1.0,
        count: 1,
        exemplar,
    };
    let rest = Bucket {
        bound: f64::INFINITY,
        count: 0,
        exemplar: None,
    };
    Value::Histogram(Histogram {
        buckets: vec![first, rest],
        sum: 0.5,
    })
}

/// Something of every kind, as hosts have it.
fn filled() -> (Metrics, Vec<Arc<dyn Send + Sync>>) {
    let metrics = Metrics::default();
    let (tenant, app) = (name("shop"), name("orders"));
    let component = "store".parse().expect("a name");
    let calls = Arc::new(of_component(&tenant, "state", &component, OPERATIONS));
    let refused: Result<()> = Err(Error::denied("no"));
    for (operation, outcome) in [
        (OPERATIONS[0], Outcome::of(&Ok(()))),
        (OPERATIONS[1], Outcome::of(&refused)),
    ] {
        calls.record(operation, outcome, Duration::from_micros(70), None);
    }
    let of_app = Arc::new(of_app(&tenant, &app, OPERATIONS));
    let long = Duration::from_secs(20);
    of_app.record(
        OPERATIONS[0],
        Outcome::of(&Ok(())),
        long,
        Some(Trace::start()),
    );
    let meters = Meters::of_app(tenant, &app);
    meters.trapped(Cause::Stack);
    meters.worked(Duration::from_millis(2));
    meters.grew(65_536);
    meters.requested(Egress::Denied);
    meters.sent(100);
    meters.log_dropped();
    meters.held();
    meters.answered(200);
    meters.answered(987);
    meters.workflow_ended(End::Stalled, Duration::ZERO, None);
    meters.workflow_ended(End::Failed, Duration::from_secs(90), None);
    meters.activity_ended(End::CutShort, Duration::from_millis(20), None);
    meters.jobs.note(1_000, 3_500);
    let letter = Verdict::DeadLetter("no".into());
    let counts = meters.deliveries("broker", "a \"topic\"\n");
    counts.count(&letter, false, Duration::from_millis(7));
    metrics.watch(&calls);
    metrics.watch(&of_app);
    metrics.watch(&meters);
    (metrics, vec![calls, of_app, meters])
}

#[test]
fn what_was_counted_is_on_the_page_with_its_labels() {
    let (metrics, _alive) = filled();
    let text = metrics.render();
    for line in [
        "wythe_calls_total{tenant=\"shop\",block=\"state\",component=\"store\",operation=\"put\",outcome=\"denied\"} 1",
        "wythe_app_call_duration_seconds_bucket{tenant=\"shop\",app=\"orders\",kind=\"get\",le=\"10\"} 0",
        "wythe_app_call_duration_seconds_bucket{tenant=\"shop\",app=\"orders\",kind=\"get\",le=\"+Inf\"} 1",
        "wythe_traps_total{tenant=\"shop\",app=\"orders\",cause=\"stack\"} 1",
        "wythe_cpu_seconds_total{tenant=\"shop\",app=\"orders\"} 0.002",
        "wythe_guest_memory_bytes{tenant=\"shop\",app=\"orders\"} 65536",
        "wythe_egress_requests_total{tenant=\"shop\",app=\"orders\",outcome=\"denied\"} 1",
        "wythe_workflows_total{tenant=\"shop\",app=\"orders\",outcome=\"stalled\"} 1",
        "wythe_activities_total{tenant=\"shop\",app=\"orders\",outcome=\"timeout\"} 1",
        "wythe_workflow_duration_seconds_bucket{tenant=\"shop\",app=\"orders\",outcome=\"failed\",le=\"60\"} 0",
        "wythe_workflow_duration_seconds_bucket{tenant=\"shop\",app=\"orders\",outcome=\"failed\",le=\"600\"} 1",
        "wythe_workflow_duration_seconds_sum{tenant=\"shop\",app=\"orders\",outcome=\"failed\"} 90",
        "wythe_activity_duration_seconds_bucket{tenant=\"shop\",app=\"orders\",outcome=\"timeout\",le=\"0.1\"} 1",
        "wythe_job_delay_seconds_bucket{tenant=\"shop\",app=\"orders\",le=\"5\"} 1",
        "wythe_dead_letters_total{tenant=\"shop\",app=\"orders\",component=\"broker\",topic=\"a \\\"topic\\\"\\n\",fate=\"lost\"} 1",
        "dapr_component_state_count{namespace=\"shop\",app_id=\"*\",component=\"store\",operation=\"set\",success=\"false\"} 1",
        "dapr_component_state_latencies_bucket{namespace=\"shop\",app_id=\"*\",component=\"store\",operation=\"get\",le=\"0.1\"} 1",
        "dapr_http_server_request_count{namespace=\"shop\",app_id=\"orders\",status=\"200\"} 1",
        "dapr_runtime_workflow_execution_latency_sum{namespace=\"shop\",app_id=\"orders\",status=\"failed\"} 90000",
        "dapr_http_server_request_count{namespace=\"shop\",app_id=\"orders\",status=\"0\"} 1",
        "dapr_component_pubsub_ingress_count{namespace=\"shop\",app_id=\"orders\",component=\"broker\",topic=\"a \\\"topic\\\"\\n\",process_status=\"drop\",status=\"drop\"} 1",
    ] {
        assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
    }
}

#[test]
fn what_has_not_come_to_an_end_has_no_time() {
    let (metrics, _alive) = filled();
    let text = metrics.render();
    assert!(text.contains("outcome=\"stalled\"} 1\n"), "{text}");
    assert_eq!(sum(&text, "wythe_workflow_duration_seconds_count"), 1.0);
}

/// The trace of a workflow leads from its bucket to where its time went.
#[test]
fn a_workflow_whose_trace_is_recorded_stands_for_its_bucket() {
    let _reader = crate::spans::read(1);
    let (metrics, meters) = (
        Metrics::default(),
        Meters::of_app(name("shop"), &name("orders")),
    );
    metrics.watch(&meters);
    let trace = |sampled| Trace {
        sampled,
        ..Trace::start()
    };
    let (recorded, other) = (trace(true), trace(false));
    let second = Duration::from_secs(1);
    meters.workflow_ended(End::Completed, second, Some(recorded));
    meters.workflow_ended(End::Completed, second, Some(other));
    meters.activity_ended(End::Failed, second, Some(other));
    let text = metrics.page(HashSet::new()).write(Format::OpenMetrics);
    let Trace { trace, span, .. } = recorded;
    let expected = format!(
        "wythe_workflow_duration_seconds_bucket{{tenant=\"shop\",app=\"orders\",outcome=\"completed\",le=\"1.0\"}} 2 \
         # {{trace_id=\"{trace:032x}\",span_id=\"{span:016x}\"}} 1 "
    );
    assert!(text.contains(&expected), "{expected} in {text}");
    assert_eq!(text.matches("trace_id").count(), 1, "{text}");
}

#[test]
fn a_tenant_that_wants_no_names_of_daprs_has_none() {
    let (metrics, _alive) = filled();
    let page = metrics.page(HashSet::from([name("shop")]));
    let text = page.write(Format::Prometheus);
    assert!(!text.contains("dapr_") && text.contains("wythe_calls_total"));
}

#[test]
fn subscriptions_beyond_the_bound_are_counted_together() {
    let meters = Meters::of_app(name("shop"), &name("orders"));
    let counted = (0..3_000).map(|topic| meters.deliveries("broker", &topic.to_string()));
    for counts in counted {
        counts.count(&Verdict::Ack, true, Duration::ZERO);
    }
    let metrics = Metrics::default();
    metrics.watch(&meters);
    let text = metrics.render();
    let other = "wythe_deliveries_total{tenant=\"shop\",app=\"orders\",component=\"other\",topic=\"other\",verdict=\"ack\"} 2800\n";
    assert!(text.contains(other), "{text}");
}

#[test]
fn whoever_is_gone_is_forgotten() {
    let metrics = Metrics::default();
    for _ in 0..1_000 {
        metrics.watch(&Meters::of_app(name("shop"), &name("orders")));
    }
    assert!(metrics.sources.lock().list.len() < 200);
    assert!(!metrics.render().contains("shop"));
}

/// Counts what Python's client reads of a page; it raises where the format forbids something.
const READ: &str = "
import sys
text = sys.stdin.read()
if sys.argv[1] == 'openmetrics':
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
else:
    from prometheus_client.parser import text_string_to_metric_families as parse
families = list(parse(text))
exemplars = sum(1 for f in families for s in f.samples if s.exemplar)
print(len(families), sum(len(f.samples) for f in families), exemplars)
";

#[test]
#[ignore = "needs python3 with the package prometheus-client 0.21"]
fn the_parsers_of_prometheus_read_every_row() {
    let (metrics, _alive) = filled();
    for (format, word) in [
        (Format::Prometheus, "text"),
        (Format::OpenMetrics, "openmetrics"),
    ] {
        let mut page = metrics.page(HashSet::new());
        page.add(&LATENCY, "one", &[], with_exemplar());
        let text = page.write(format);
        let mut child = Command::new("python3")
            .args(["-c", READ, word])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(text.as_bytes()).expect("it reads");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{word}: {text}");
        let families = text
            .lines()
            .filter(|line| line.starts_with("# TYPE"))
            .count();
        let rows = text.lines().filter(|line| !line.starts_with('#')).count();
        let exemplars = usize::from(format == Format::OpenMetrics);
        let read = String::from_utf8(output.stdout).expect("a text");
        assert_eq!(read, format!("{families} {rows} {exemplars}\n"), "{text}");
    }
}
