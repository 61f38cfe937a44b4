//! One trace through every way into an app, as a tree: each hop is a span below the one that caused it.

mod recorder;

use crate::open::component;
use async_trait::async_trait;
use bytes::Bytes;
use libtest_mimic::Trial;
use recorder::{Recorder, Span};
use std::{
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::sync::Notify;
use wythe_blocks::{
    Admission, App, Body, Call, Callee, Error, Exports, Origin, Profile, Result, Settings, Shared,
    Tenant, Trace, TurnId, actors,
    invocation::{Request, Response},
    pubsub::{Delivery, Event, PublishOptions, Subscription, Verdict},
    workflow::{self, Failure, Start},
};
use wythe_manifest::{ActorPattern, Grants, Name, PartPattern, Pattern};

const NAME: &str = "subject";
/// The trace that a client outside began, and its span.
const CLIENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// Longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Each app asks the next one, in another way: HTTP, invocation, event, workflow, activity, actor, reminder.
const TREE: &str = "\
http door
  invocation checkout
    event billing
      workflow flow
        activity payment
          actor-turn accounts
            actor-turn accounts
";

pub fn trials() -> Vec<Trial> {
    vec![Trial::test("traces::one_trace_is_a_tree", || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime
            .block_on(async { tokio::time::timeout(PATIENCE, tree()).await })
            .map_err(|_| "it never ended".into())
    })]
}

/// An app that hands on what it is asked.
struct Relay {
    host: Weak<Tenant>,
    reminded: Arc<Notify>,
}

impl Relay {
    fn host(&self) -> Arc<Tenant> {
        self.host.upgrade().expect("the host is there")
    }
}

fn request() -> Request {
    Request {
        method: "GET".into(),
        path: "/".into(),
        headers: vec![
            ("Traceparent".into(), CLIENT.into()),
            ("Wythe-Call".into(), "1".into()),
        ],
        body: Bytes::new(),
    }
}

#[async_trait]
impl Callee for Relay {
    fn exports(&self) -> Exports {
        Exports {
            http: true,
            invocation: true,
            subscriber: true,
            workflow_handler: true,
            activity_handler: true,
            actor_handler: true,
            ..Exports::default()
        }
    }

    async fn http(
        &self,
        call: Call,
        _: Admission,
        request_in: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        // The app sees its own span, and what others put beside the trace.
        let own = call.trace().to_string();
        assert_eq!(request_in.headers()["traceparent"], own);
        assert_eq!(request_in.headers()["tracestate"], "vendor=1");
        let asked = self.host();
        asked
            .invocation
            .invoke(&call, "checkout", request())
            .await?;
        Ok(http::Response::new(wythe_blocks::body_from("well")))
    }

    async fn invoke(&self, call: Call, request: Request) -> Result<Response> {
        // What the app that asks says of the trace is not believed.
        let own = Bytes::from(call.trace().to_string());
        let reported = request
            .headers
            .iter()
            .filter(|(name, _)| name == "traceparent");
        assert_eq!(reported.map(|(_, value)| value).collect::<Vec<_>>(), [&own]);
        assert!(!request.headers.iter().any(|(name, _)| name == "wythe-call"));
        assert_eq!(
            call.carried().map(|c| c.tracestate.as_str()),
            Some("vendor=1")
        );
        let topic = self.host().pubsub.open(&call, NAME, "orders")?;
        let event = Event {
            kind: "test".into(),
            ..Event::default()
        };
        topic
            .publish(&call, event, &PublishOptions::default())
            .await?;
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::new(),
        })
    }

    async fn on_event(&self, call: Call, _: Delivery) -> Result<Verdict> {
        let engine = self.host().workflows()?;
        let start = Start {
            id: Some("one".into()),
            at: None,
        };
        engine.start(&call, "bill", Bytes::new(), start).await?;
        Ok(Verdict::Ack)
    }

    async fn run_workflow(
        &self,
        _: Call,
        context: workflow::Context,
        _: String,
        _: Bytes,
    ) -> Result<Result<Bytes, String>> {
        let task = context.activity("charge", Bytes::new(), None)?;
        context.wait(task).await?;
        Ok(Ok(Bytes::new()))
    }

    async fn run_activity(
        &self,
        call: Call,
        _: workflow::ActivityCall,
    ) -> Result<Result<Bytes, Failure>> {
        let host = self.host();
        let paid = host
            .actors
            .invoke(&call, "account", "a", "pay", Bytes::new());
        Ok(Ok(paid.await?))
    }

    async fn actor_turn(&self, call: Call, trigger: actors::Trigger) -> Result<Bytes> {
        let turn = actors::context(&call)?;
        // A call that went elsewhere and comes back finds the turn that it is inside of.
        let id: TurnId = call.turn_id().ok_or_else(|| Error::internal("no turn"))?;
        let found = self.host().actors.turn(id);
        let found = found.ok_or_else(|| Error::internal("the turn is not found"))?;
        assert!(Arc::ptr_eq(found.turn.actor(), turn.actor()));
        match trigger {
            actors::Trigger::Reminder(..) => self.reminded.notify_one(),
            _ => {
                let soon = Duration::from_millis(10);
                turn.set_reminder(&call, "later", soon, None, Bytes::new())
                    .await?;
            }
        }
        Ok(Bytes::new())
    }
}

async fn tree() {
    let (recorder, _recording) = Recorder::start();
    let components = ["pubsub", "state"].map(|block| component(block, "memory", "[]"));
    let directory = tempfile::tempdir().expect("a directory");
    let tenant: Name = "default".parse().expect("a name");
    let settings = Settings::new(tenant.clone(), directory.path().to_owned());
    let registry = wythe_drivers::registry();
    let host = Tenant::new(settings, &Shared::default());
    let opened = host.open(&registry, &components);
    opened.await.expect("the host opens");
    let reminded = Arc::new(Notify::new());
    let door = apps(&host, &tenant, &reminded).await;
    let request = http::Request::builder()
        .uri("http://door/")
        .header("traceparent", CLIENT)
        .header("tracestate", "vendor=1")
        .body(wythe_blocks::body_from(""))
        .expect("a request");
    let client = Trace::parse(CLIENT).expect("a trace");
    let answer = door.http(Origin::Trace(client), request).await;
    answer.expect("an answer");
    reminded.notified().await;
    assert!(host.close(PATIENCE).await, "no task is stuck");
    let spans = recorder.of_trace("0af7651916cd43dd8448eb211c80319c");
    let reported = printed(&spans);
    assert_eq!(reported, TREE, "the spans are:\n{reported}");
    calls_of_the_host(&spans);
}

fn everything() -> Grants {
    Grants {
        invoke: vec![Pattern::Any],
        publish: vec![PartPattern::Any],
        subscribe: vec![PartPattern::Any],
        workflow: vec!["*".parse().expect("a pattern")],
        actors: vec![ActorPattern::Any],
        ..Grants::default()
    }
}

async fn apps(host: &Arc<Tenant>, tenant: &Name, reminded: &Arc<Notify>) -> Arc<App> {
    let grants = Arc::new(everything());
    let app = async |id: &str| {
        let relay = Relay {
            host: Arc::downgrade(host),
            reminded: reminded.clone(),
        };
        let profile = Profile {
            grants: grants.clone(),
            ..Profile::new(tenant.clone(), id.parse().expect("a name"))
        };
        let app = App::new(profile, Arc::new(relay));
        host.admit(&app, None).await.expect("the app");
        app
    };
    let (door, _checkout) = (app("door").await, app("checkout").await);
    let topics = vec![Subscription {
        component: NAME.into(),
        topic: "orders".into(),
        ..Subscription::default()
    }];
    let hears = host.pubsub.attach(&app("billing").await, topics).await;
    hears.expect("events");
    let names = |name: &str| vec![name.to_owned()];
    let flows = host
        .workflow
        .attach(&app("flow").await, names("bill"), Vec::new());
    flows.expect("workflows");
    let works = host
        .workflow
        .attach(&app("payment").await, Vec::new(), names("charge"));
    works.expect("activities");
    let types = vec![actors::Type::new("account")];
    let attached = host.actors.attach(&app("accounts").await, types);
    attached.expect("actors");
    host.actors.start(tenant);
    let begun = host.begin();
    begun.expect("an engine");
    door
}

/// The calls of apps, each below the one that caused it; what the client outside did is not here.
fn printed(spans: &[Span]) -> String {
    let apps: Vec<_> = spans.iter().filter(|span| span.name == "app").collect();
    let mut text = String::new();
    let client = u64::from_str_radix(&CLIENT[36..52], 16).expect("a number");
    below(&apps, client, 0, &mut text);
    text
}

fn below(apps: &[&Span], parent: u64, depth: usize, text: &mut String) {
    for span in apps.iter().filter(|span| span.parent == Some(parent)) {
        *text += &format!(
            "{}{} {}\n",
            "  ".repeat(depth),
            span.field("kind"),
            span.field("app")
        );
        below(apps, span.id, depth + 1, text);
    }
}

/// Checks that the host's own work is in the trace, below the call that caused it: the commits of turns and of the
/// workflow, the event to the broker.
fn calls_of_the_host(spans: &[Span]) {
    let is_app = |id: Option<u64>| spans.iter().any(|s| s.name == "app" && Some(s.id) == id);
    let calls: Vec<_> = spans.iter().filter(|span| span.name == "call").collect();
    for call in &calls {
        assert!(is_app(call.parent), "{call:?} is below no call of an app");
    }
    let count = |block: &str, operation: &str, app: &str| {
        let has = |call: &&&Span| {
            (
                call.field("block"),
                call.field("operation"),
                call.field("app"),
            ) == (block, operation, app)
        };
        calls.iter().filter(has).count()
    };
    assert_eq!(count("pubsub", "publish", "checkout"), 1);
    assert_eq!(
        count("state", "transact", "accounts"),
        2,
        "a commit of each turn"
    );
    assert!(
        count("state", "transact", "workflow") >= 3,
        "the workflow's commits"
    );
}
