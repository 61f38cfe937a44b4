//! Spans on their way out, by each protocol, to a receiver and to none.

use crate::open::component;
use async_trait::async_trait;
use bytes::Bytes;
use conformance::receiver::{Received, Receiver};
use libtest_mimic::{Failed, Trial};
use std::{
    path::Path,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{net::TcpListener, sync::Notify};
use wythe_blocks::{
    Admission, App, Body, Call, Callee, Exports, Metrics, Origin, Profile, Result, Settings,
    Shared, Tenant, Trace,
    pubsub::{Delivery, Event, PublishOptions, Subscription, Verdict},
};
use wythe_export::{Exporting, Plan};
use wythe_manifest::{Grants, Name, PartPattern, Pattern, Tracing, parse_resources};

/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(120);

pub fn trials() -> Vec<Trial> {
    let trial = |name: &str, run: fn() -> futures::future::BoxFuture<'static, ()>| {
        Trial::test(format!("export::{name}"), move || ended(run()))
    };
    vec![
        trial("a_tree_arrives_by_grpc", || Box::pin(tree("grpc", 1))),
        trial("a_tree_arrives_by_http", || Box::pin(tree("http", 2))),
        trial("a_tree_arrives_at_zipkin", || Box::pin(tree("zipkin", 3))),
        trial("a_receiver_that_is_not_there_holds_nothing_up", || {
            Box::pin(absent())
        }),
        trial("a_receiver_that_never_answers_is_given_up", || {
            Box::pin(silent())
        }),
    ]
}

fn ended(run: impl Future<Output = ()>) -> Result<(), Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime
        .block_on(async { tokio::time::timeout(PATIENCE, run).await })
        .map_err(|_| "it never ended".into())
}

/// The exporters of a configuration.
fn exporting(tracing: &str) -> Exporting {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: settings }}\nspec: {{ tracing: {tracing} }}\n"
    );
    let (resources, problems) = parse_resources(&text, Path::new("settings.yaml"));
    assert!(problems.is_empty(), "{problems}");
    let tracing: Option<&Tracing> = resources.configurations[0].tracing.as_ref();
    let plan = Plan::new(tracing, &|_| None).expect("a plan");
    plan.start(Arc::new(|_| {})).expect("exporters")
}

fn configured(kind: &str, address: impl std::fmt::Display) -> String {
    match kind {
        "zipkin" => format!(
            "{{ samplingRate: '1', zipkin: {{ endpointAddress: 'http://{address}/api/v2/spans' }} }}"
        ),
        protocol => format!(
            "{{ samplingRate: '1', otel: {{ endpointAddress: '{address}', isSecure: false, protocol: {protocol}, \
             headers: [{{ name: Authorization, value: token }}] }} }}"
        ),
    }
}

/// An app that reads a state, publishes, and hears of it.
struct Relay {
    host: Weak<Tenant>,
    heard: Arc<Notify>,
}

#[async_trait]
impl Callee for Relay {
    fn exports(&self) -> Exports {
        Exports {
            http: true,
            subscriber: true,
            ..Exports::default()
        }
    }

    async fn http(
        &self,
        call: Call,
        _: Admission,
        _: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        let host = self.host.upgrade().expect("the host is there");
        let store = host.state.open(&call, "subject")?;
        store.get(&call, "secret-key").await?;
        let event = Event {
            kind: "test".into(),
            data: Bytes::from("\"secret\""),
            ..Event::default()
        };
        let topic = host.pubsub.open(&call, "subject", "orders")?;
        topic
            .publish(&call, event, &PublishOptions::default())
            .await?;
        Ok(http::Response::new(wythe_blocks::body_from("well")))
    }

    async fn on_event(&self, _: Call, _: Delivery) -> Result<Verdict> {
        self.heard.notify_one();
        Ok(Verdict::Ack)
    }
}

/// A tenant with one app, asked once in a trace; the answer is given once the event was heard.
async fn asked(trace: &str) {
    let components = ["pubsub", "state"].map(|block| component(block, "memory", "[]"));
    let directory = tempfile::tempdir().expect("a directory");
    let tenant: Name = "default".parse().expect("a name");
    let settings = Settings::new(tenant.clone(), directory.path().to_owned());
    let host = Tenant::new(settings, &Shared::default());
    let opened = host.open(&wythe_drivers::registry(), &components).await;
    opened.expect("the host opens");
    let heard = Arc::new(Notify::new());
    let relay = Relay {
        host: Arc::downgrade(&host),
        heard: heard.clone(),
    };
    let grants = Grants {
        state: vec![Pattern::Any],
        publish: vec![PartPattern::Any],
        subscribe: vec![PartPattern::Any],
        ..Grants::default()
    };
    let profile = Profile {
        grants: Arc::new(grants),
        ..Profile::new(tenant, "relay".parse().expect("a name"))
    };
    let app = App::new(profile, Arc::new(relay));
    host.admit(&app, None).await.expect("the app");
    let topics = vec![Subscription {
        component: "subject".into(),
        topic: "orders".into(),
        ..Subscription::default()
    }];
    host.pubsub.attach(&app, topics).await.expect("events");
    host.begin().expect("an engine");
    let request = http::Request::builder()
        .uri("http://relay/cart?token=secret")
        .body(wythe_blocks::body_from(""))
        .expect("a request");
    let client = Trace::parse(&format!("00-{trace}-b7ad6b7169203331-01")).expect("a trace");
    let answer = app.http(Origin::Trace(client), request).await;
    answer.expect("an answer");
    heard.notified().await;
    assert!(host.close(PATIENCE).await, "no task is stuck");
}

async fn tree(kind: &str, number: u8) {
    let receiver = Receiver::start().await;
    let exporting = exporting(&configured(kind, receiver.address));
    let trace = format!("{number:032x}");
    asked(&trace).await;
    // Of the trace: the request, the read, the event out, in, and done with.
    let spans = receiver.wait(&trace, 5).await;
    exporting.close(PATIENCE).await;
    are_one_tree(&spans);
    let token = if kind == "zipkin" { "" } else { "token" };
    for span in &spans {
        assert_eq!(span.service, "relay");
        has(span, "service.namespace", "default");
        has(span, "wythe.tenant", "default");
        has(span, "wythe.app", "relay");
        assert!(!span.is_error, "{span:#?}");
        assert!(!format!("{span:?}").contains("secret"), "{span:#?}");
        assert_eq!(span.authorization, token);
    }
}

#[track_caller]
fn has(span: &Received, key: &str, value: &str) {
    let found = span.attributes.get(key).map(String::as_str);
    assert_eq!(found, Some(value), "{key} of {span:#?}");
}

fn are_one_tree(spans: &[Received]) {
    let find = |name: &str| -> &Received {
        let found = spans.iter().find(|span| span.name == name);
        found.unwrap_or_else(|| panic!("no {name} in {spans:#?}"))
    };
    let stands = |span: &Received| (span.parent.clone(), span.kind.clone());
    let below = |parent: &str, kind: &str| (parent.to_owned(), kind.to_owned());
    let request = find("GET");
    assert_eq!(stands(request), below("b7ad6b7169203331", "SERVER"));
    has(request, "http.request.method", "GET");
    has(request, "url.path", "/cart");
    has(request, "http.response.status_code", "200");
    let read = find("get subject");
    assert_eq!(stands(read), below(&request.id, "CLIENT"));
    has(read, "db.system.name", "memory");
    has(read, "db.operation.name", "get");
    has(read, "wythe.component", "subject");
    let sent = find("publish subject");
    assert_eq!(stands(sent), below(&request.id, "PRODUCER"));
    has(sent, "messaging.destination.name", "orders");
    let heard = find("event relay");
    assert_eq!(stands(heard), below(&request.id, "CONSUMER"));
    has(heard, "messaging.destination.name", "orders");
}

/// The spans that were lost on the way out.
fn lost() -> u64 {
    let text = Metrics::default().render();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("wythe_spans_dropped_total{reason=\"export\"} "));
    line.map_or(0, |number| number.parse().expect("a number"))
}

async fn absent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    lossy(&configured("grpc", address)).await;
}

async fn silent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    lossy(&configured("http", address)).await;
    drop(listener);
}

/// Calls go on, the end does not wait, and what was lost is counted.
async fn lossy(tracing: &str) {
    let before = lost();
    let exporting = exporting(tracing);
    asked(&format!("{:032x}", 9)).await;
    exporting.close(Duration::from_millis(100)).await;
    assert!(lost() >= before + 4, "{} after {before}", lost());
}
