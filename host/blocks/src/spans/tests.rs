//! Spans as they are recorded, and what they say.

use super::*;
use crate::{Kind, Trace};
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

fn span(work: Work) -> Span {
    Span {
        trace: Trace::start(),
        role: Role::Server,
        tenant: "shop".parse().unwrap(),
        app: "cart".parse().unwrap(),
        work,
        start: SystemTime::now(),
        took: Duration::ZERO,
        ended: Ended::Well,
    }
}

fn request(method: &str, target: &str) -> Span {
    span(Work::App {
        kind: "http",
        about: About::http(method, target),
    })
}

/// Other tests of this process end spans, too.
fn taken(reader: &mut Reader, trace: Trace) -> Vec<Arc<Span>> {
    let all = std::iter::from_fn(|| reader.take_now());
    all.filter(|span| span.trace == trace).collect()
}

#[test]
fn a_span_is_recorded_when_its_call_ends() {
    let mut reader = read(100_000);
    let well = request("GET", "/");
    let trace = well.trace;
    begin(|| true, || well).end(None, Some(204));
    let found = taken(&mut reader, trace);
    assert_eq!(found.len(), 1);
    assert!(matches!(
        &found[0].work,
        Work::App { about: About::Http(http), .. } if http.status == Some(204)
    ));
}

#[test]
fn a_dropped_call_says_so_but_a_workflow_goes_on() {
    let mut reader = read(100_000);
    let dropped = request("GET", "/");
    let trace = dropped.trace;
    drop(begin(|| true, || dropped));
    let found = taken(&mut reader, trace);
    assert_eq!(found[0].ended, Ended::Dropped);
    assert!(found[0].is_error());
    let workflow = span(Work::App {
        kind: "workflow",
        about: About::Nothing,
    });
    let trace = workflow.trace;
    drop(begin(|| true, || workflow));
    assert!(taken(&mut reader, trace).is_empty());
}

#[test]
fn what_is_not_sampled_is_not_recorded() {
    let mut reader = read(100_000);
    let unsampled = request("GET", "/");
    let trace = unsampled.trace;
    begin(|| false, || unsampled).end(None, None);
    assert!(taken(&mut reader, trace).is_empty());
}

#[test]
fn a_reader_that_does_not_read_loses_spans_and_holds_nobody_up() {
    let before = UNQUEUED.load(Relaxed);
    let mut slow = read(1);
    for _ in 0..3 {
        begin(|| true, || request("GET", "/")).end(None, None);
    }
    // Others may have filled its queue before.
    assert!(UNQUEUED.load(Relaxed) >= before + 2);
    assert!(slow.take_now().is_some());
    let text = crate::Metrics::default().render();
    assert!(
        text.contains("wythe_spans_dropped_total{reason=\"queue\"} "),
        "{text}"
    );
}

#[test]
fn a_span_has_no_query_and_no_method_that_was_made_up() {
    let span = request("GET", "/cart?token=secret#part");
    assert_eq!(span.name(), "GET");
    let path = ("url.path", Value::Text("/cart".into()));
    assert!(span.attributes().contains(&path));
    assert_eq!(request("SECRET", "/").name(), "HTTP");
    let long = request("GET", &"/ä".repeat(1_000));
    let Some((_, Value::Text(path))) = long
        .attributes()
        .into_iter()
        .find(|(key, _)| *key == "url.path")
    else {
        panic!("no path");
    };
    assert!(path.len() <= 256, "{}", path.len());
}

#[test]
fn attributes_follow_the_conventions() {
    let component = |block, operation, about| {
        span(Work::Component {
            block,
            name: "subject".parse().unwrap(),
            driver: "redb".into(),
            operation,
            about,
        })
    };
    let has = |span: &Span, key: &str, value: &str| {
        let all = span.attributes();
        let found = all.iter().find(|(own, _)| *own == key);
        assert_eq!(
            found.map(|(_, value)| value),
            Some(&Value::Text(value.into()))
        );
    };
    let get = component("state", "get", About::Nothing);
    assert_eq!(get.name(), "get subject");
    for (key, value) in [
        ("db.system.name", "redb"),
        ("db.operation.name", "get"),
        ("wythe.tenant", "shop"),
        ("wythe.app", "cart"),
        ("wythe.component", "subject"),
    ] {
        has(&get, key, value);
    }
    let publish = component("pubsub", "publish", About::topic(None, "orders"));
    for (key, value) in [
        ("messaging.system", "redb"),
        ("messaging.destination.name", "orders"),
        ("messaging.operation.type", "send"),
    ] {
        has(&publish, key, value);
    }
    assert_eq!(Role::of_block("pubsub", "publish"), Role::Producer);
    assert_eq!(Role::of_block("state", "get"), Role::Client);
}

#[test]
fn an_answer_is_an_error_where_the_app_failed() {
    let mut span = request("GET", "/");
    for (status, is_error) in [(200, false), (404, false), (500, true)] {
        if let Work::App {
            about: About::Http(http),
            ..
        } = &mut span.work
        {
            http.status = Some(status);
        }
        assert_eq!(span.is_error(), is_error, "{status}");
    }
    let mut get = span.clone();
    get.work = Work::App {
        kind: "job",
        about: About::Nothing,
    };
    get.ended = Ended::Failed(Kind::Timeout);
    assert!(get.is_error());
    let kind = ("error.type", Value::Text("timeout".into()));
    assert!(get.attributes().contains(&kind));
}

#[test]
fn a_request_to_the_outside_is_the_parent_of_whoever_answers() {
    let mut reader = read(100_000);
    let far = std::time::Instant::now() + Duration::from_secs(60);
    let sampled = Trace {
        sampled: true,
        ..Trace::start()
    };
    let (tenant, app) = ("shop".parse().unwrap(), "cart".parse().unwrap());
    let outside = crate::Call::host(tenant, app, sampled, far);
    let caller = outside.enter(
        "cart".parse().unwrap(),
        Arc::default(),
        Duration::from_secs(60),
    );
    let caller = caller.unwrap();
    let uri = "http://pay.example.org/token/secret?key=1".parse().unwrap();
    let begin = |headers: &mut http::HeaderMap| {
        Outgoing::begin(&caller, &http::Method::POST, &uri, headers)
    };
    for (ended, is_error) in [
        (Ok(204), false),
        (Ok(404), true),
        (Err(Kind::Timeout), true),
    ] {
        let mut headers = http::HeaderMap::new();
        begin(&mut headers).end(ended);
        let sent = Trace::of(&headers).unwrap();
        let all = std::iter::from_fn(|| reader.take_now());
        let mut of_trace = all.filter(|span| span.trace.trace == sampled.trace);
        let span = of_trace.next().expect("a span");
        assert_eq!(span.trace.span, sent.span);
        assert_eq!(span.trace.parent, Some(caller.trace().span));
        assert_eq!(span.is_error(), is_error, "{ended:?}");
        let said = format!("{:?}", span.attributes());
        assert!(
            said.contains("pay.example.org") && !said.contains("secret"),
            "{said}"
        );
    }
    drop(reader);
}
