//! An app and a driver that panic: each call is an error of its own, and what came in comes again.

mod broken;

use crate::open::component;
use async_trait::async_trait;
use bytes::Bytes;
use libtest_mimic::Trial;
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::Notify;
use wythe_blocks::{
    Admission, App, Body, Call, Callee, Exports, Kind, Profile, Registry, Result, Settings, Shared,
    Tenant, actors,
    bindings::Input,
    configuration::{self, Change, NewItem},
    invocation::{Request, Response},
    jobs::{FailurePolicy, Job, Misfire, Occurrence, Trigger},
    pubsub::{Delivery, Event, PublishOptions, Subscription, Verdict},
    time,
    workflow::{self, Failure, Start, Status},
};
use wythe_manifest::{Grants, Name, PartPattern, Pattern};

/// A time longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(120);
const NAME: &str = "subject";

pub fn trials() -> Vec<Trial> {
    vec![
        case("panics::every_way_into_an_app", || Box::pin(ways_in())),
        case(
            "panics::a_driver_that_panics",
            || Box::pin(broken::driver()),
        ),
    ]
}

fn case(name: &str, run: fn() -> futures::future::BoxFuture<'static, ()>) -> Trial {
    Trial::test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime
            .block_on(async { tokio::time::timeout(PATIENCE, run()).await })
            .map_err(|_| "it never ended".into())
    })
}

/// Panics the first time it is called in any one way, and is well from then on.
struct Fragile {
    is_invocable: bool,
    calls: Mutex<HashMap<&'static str, u32>>,
    called: Notify,
}

impl Fragile {
    fn call(&self, way: &'static str) {
        let count = {
            let mut calls = self.calls.lock();
            let count = calls.entry(way).or_default();
            *count += 1;
            *count
        };
        self.called.notify_waiters();
        assert!(count > 1, "the first {way}");
    }

    async fn second(&self, way: &str) {
        loop {
            let called = self.called.notified();
            let calls = self.calls.lock().clone();
            if calls.get(way).is_some_and(|count| *count > 1) {
                return;
            }
            called.await;
        }
    }
}

#[async_trait]
impl Callee for Fragile {
    fn exports(&self) -> Exports {
        Exports {
            invocation: self.is_invocable,
            http: true,
            subscriber: true,
            configuration_listener: true,
            binding_listener: true,
            job_runner: true,
            actor_handler: true,
            workflow_handler: true,
            activity_handler: true,
        }
    }

    async fn http(
        &self,
        _: Call,
        _: Admission,
        _: http::Request<Body>,
    ) -> Result<http::Response<Body>> {
        self.call("http");
        Ok(http::Response::new(wythe_blocks::body_from("well")))
    }

    async fn run_workflow(
        &self,
        _: Call,
        context: workflow::Context,
        _: String,
        _: Bytes,
    ) -> Result<Result<Bytes, String>> {
        self.call("workflow");
        let retry = workflow::Retry {
            attempts: 2,
            ..workflow::Retry::default()
        };
        let task = context.activity("fragile", Bytes::new(), Some(retry))?;
        Ok(match context.wait(task).await? {
            workflow::Outcome::Done(output) => Ok(output),
            other => Err(format!("{other:?}")),
        })
    }

    async fn run_activity(
        &self,
        _: Call,
        _: workflow::ActivityCall,
    ) -> Result<Result<Bytes, Failure>> {
        self.call("activity");
        Ok(Ok("well".into()))
    }

    async fn invoke(&self, _: Call, _: Request) -> Result<Response> {
        self.call("call");
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::new(),
        })
    }

    async fn on_event(&self, _: Call, _: Delivery) -> Result<Verdict> {
        self.call("event");
        Ok(Verdict::Ack)
    }

    async fn on_change(&self, _: Call, _: Change) -> Result<()> {
        self.call("change");
        Ok(())
    }

    async fn on_input(&self, _: Call, _: Input) -> Result<Bytes> {
        self.call("input");
        Ok(Bytes::new())
    }

    async fn run_job(&self, _: Call, _: Occurrence) -> Result<()> {
        self.call("job");
        Ok(())
    }

    async fn actor_turn(&self, _: Call, _: actors::Trigger) -> Result<Bytes> {
        self.call("turn");
        Ok(Bytes::new())
    }
}

fn tenant() -> Name {
    "default".parse().expect("a name")
}

fn operator() -> Call {
    let app = "fragile".parse().expect("a name");
    Call::operator(tenant(), app, time::deadline(PATIENCE))
}

async fn host(registry: &Registry, components: &[wythe_manifest::Component]) -> Arc<Tenant> {
    // The key that seals events is read while they open.
    let directory = tempfile::tempdir().expect("a directory");
    let settings = Settings::new(tenant(), directory.path().to_owned());
    let host = Tenant::new(settings, &Shared::default());
    let opened = host.open(registry, components).await;
    opened.expect("the host opens");
    host
}

async fn ways_in() {
    let blocks = ["pubsub", "jobs", "configuration", "bindings", "state"];
    let components = blocks.map(|block| component(block, "memory", "[]"));
    let host = host(&wythe_drivers::registry(), &components).await;
    let app = fragile(true);
    let _app = attach(&host, &app).await;
    let calls = operator();
    asked(&host, &calls).await;
    come_by_themselves(&host, &calls).await;
    for way in ["event", "change", "input", "job"] {
        app.second(way).await;
    }
    workflows(&host, &calls).await;
    by_http(&host, &calls).await;
    assert!(host.close(PATIENCE).await, "no task is stuck");
}

fn fragile(is_invocable: bool) -> Arc<Fragile> {
    Arc::new(Fragile {
        is_invocable,
        calls: Mutex::default(),
        called: Notify::new(),
    })
}

/// A panic of the code stalls the instance, which `resume` takes up; one of an activity is a failed attempt.
async fn workflows(host: &Tenant, caller: &Call) {
    let engine = host.workflows().expect("an engine");
    let start = Start {
        id: Some("one".into()),
        at: None,
    };
    let started = engine.start(caller, "fragile", Bytes::new(), start).await;
    started.expect("it starts");
    let ended = engine.wait_end(caller, "one", PATIENCE).await;
    let ended = ended.expect("its state").expect("it is there");
    assert_eq!(
        (ended.status, ended.reason.as_deref()),
        (
            Status::Stalled,
            Some("`workflow` of app `fragile` ended by a panic of the host")
        )
    );
    let resumed = engine.resume(caller, "one", "again").await;
    resumed.expect("it goes on");
    let ended = engine.wait_end(caller, "one", PATIENCE).await;
    let ended = ended.expect("its state").expect("it is there");
    assert_eq!(ended.status, Status::Completed, "{:?}", ended.reason);
    assert_eq!(ended.output.as_deref(), Some(b"well".as_slice()));
}

/// An app that exports no invocation handler is called by HTTP.
async fn by_http(host: &Tenant, caller: &Call) {
    let profile = Profile::new(tenant(), "fragile".parse().expect("a name"));
    let app = App::new(profile, fragile(false));
    host.admit(&app, None).await.expect("the app");
    let request = || Request {
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let call = || host.invocation.invoke(caller, "fragile", request());
    let error = call().await.expect_err("the first request");
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Internal,
            "`http` of app `fragile` ended by a panic of the host"
        )
    );
    let answer = call().await.expect("the second request");
    assert_eq!(answer.body, "well");
    let text = host.metrics.render();
    let ways = [
        "http",
        "invocation",
        "event",
        "configuration-change",
        "input",
        "job",
        "actor-turn",
        "workflow",
        "activity",
    ];
    for way in ways {
        let line = format!(
            "wythe_app_calls_total{{tenant=\"default\",app=\"fragile\",kind=\"{way}\",outcome=\"internal\"}} 1\n"
        );
        assert!(text.contains(&line), "{line} in {text}");
    }
}

async fn attach(host: &Tenant, app: &Arc<Fragile>) -> Arc<App> {
    let grants = Arc::new(Grants {
        subscribe: vec![PartPattern::Any],
        listen: vec![Pattern::Any],
        configuration: vec![Pattern::Any],
        ..Grants::default()
    });
    let profile = Profile {
        grants,
        ..Profile::new(tenant(), "fragile".parse().expect("a name"))
    };
    let app = App::new(profile, app.clone());
    host.admit(&app, None).await.expect("the app");
    host.jobs.attach(&app);
    let types = vec![actors::Type::new("fragile")];
    let attached = host.actors.attach(&app, types);
    attached.expect("actors");
    let topics = vec![Subscription {
        component: NAME.into(),
        topic: "topic".into(),
        ..Subscription::default()
    }];
    let hears = host.pubsub.attach(&app, topics);
    hears.await.expect("events");
    let items = vec![configuration::Subscription {
        component: NAME.into(),
        keys: Vec::new(),
    }];
    let watches = host.configuration.attach(&app, items);
    watches.await.expect("configuration");
    let inputs = vec![NAME.to_owned()];
    let listens = host.bindings.attach(&app, inputs);
    listens.await.expect("inputs");
    let named = vec!["fragile".to_owned()];
    let works = host.workflow.attach(&app, named.clone(), named);
    works.expect("workflows");
    let begun = host.begin();
    begun.expect("an engine");
    app
}

/// A caller that waits hears of it; the second call is well.
async fn asked(host: &Tenant, caller: &Call) {
    let request = Request {
        method: "GET".into(),
        path: "/".into(),
        headers: Vec::new(),
        body: Bytes::new(),
    };
    let call = || host.invocation.invoke(caller, "fragile", request.clone());
    let error = call().await.expect_err("the first call");
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Internal,
            "`invocation` of app `fragile` ended by a panic of the host"
        )
    );
    call().await.expect("the second call");
    let turn = || {
        host.actors
            .invoke(caller, "fragile", "a", "run", Bytes::new())
    };
    let error = turn().await.expect_err("the first turn");
    assert_eq!(
        (error.kind(), error.message()),
        (
            Kind::Internal,
            "`actor-turn` of app `fragile` ended by a panic of the host"
        )
    );
    turn().await.expect("the second turn");
}

async fn come_by_themselves(host: &Tenant, caller: &Call) {
    let topic = host.pubsub.open(caller, NAME, "topic").expect("the topic");
    let event = Event {
        kind: "test".into(),
        ..Event::default()
    };
    let options = PublishOptions::default();
    let published = topic.publish(caller, event, &options);
    published.await.expect("an event");
    let item = NewItem {
        key: "a".into(),
        value: "1".into(),
        metadata: Vec::new(),
    };
    let set = host.configuration.set(caller, NAME, vec![item]);
    set.await.expect("an item");
    let created = host
        .bindings
        .invoke(caller, NAME, "create", Bytes::new(), Vec::new());
    created.await.expect("an input");
    let job = Job {
        name: "job".into(),
        trigger: Trigger::Once(1),
        start: None,
        end: None,
        repeats: None,
        data: Bytes::new(),
        on_failure: FailurePolicy::Retry {
            interval: Duration::from_millis(10),
            max_retries: None,
        },
        on_misfire: Misfire::One,
    };
    let scheduled = host.jobs.schedule(caller, job, false);
    scheduled.await.expect("a job");
}
