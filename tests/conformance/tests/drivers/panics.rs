//! An app and a driver that panic: each call is an error of its own, and what came in comes again.

use crate::open::component;
use async_trait::async_trait;
use bytes::Bytes;
use libtest_mimic::Trial;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;
use wythe_blocks::{
    App, Caller, Exports, Host, Kind, Ready, Registry, Result, Settings, actors,
    bindings::Input,
    configuration::{self, Change, NewItem},
    invocation::{Request, Response},
    jobs::{FailurePolicy, Job, Misfire, Occurrence, Trigger},
    pubsub::{Delivery, Event, PublishOptions, Subscription, Verdict},
    state::{Driver, Entry, Etag, Features, Put},
    time,
};
use wythe_manifest::{Grants, Name, PartPattern, Pattern};

/// A time longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(120);
const NAME: &str = "subject";

pub fn trials() -> Vec<Trial> {
    vec![
        case("panics::every_way_into_an_app", || Box::pin(ways_in())),
        case("panics::a_driver_that_panics", || Box::pin(driver())),
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
    id: Name,
    calls: Mutex<HashMap<&'static str, u32>>,
    called: Notify,
}

impl Fragile {
    fn call(&self, way: &'static str) {
        let count = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
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
            let calls = self
                .calls
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if calls.get(way).is_some_and(|count| *count > 1) {
                return;
            }
            called.await;
        }
    }
}

#[async_trait]
impl App for Fragile {
    fn id(&self) -> &Name {
        &self.id
    }

    fn exports(&self) -> Exports {
        Exports {
            invocation: true,
            subscriber: true,
            configuration_listener: true,
            binding_listener: true,
            job_runner: true,
            actor_handler: true,
            ..Exports::default()
        }
    }

    async fn invoke(&self, _: &Caller, _: Request) -> Result<Response> {
        self.call("call");
        Ok(Response {
            status: 200,
            headers: Vec::new(),
            body: Bytes::new(),
        })
    }

    async fn on_event(&self, _: Delivery) -> Result<Verdict> {
        self.call("event");
        Ok(Verdict::Ack)
    }

    async fn on_change(&self, _: Change) -> Result<()> {
        self.call("change");
        Ok(())
    }

    async fn on_input(&self, _: Input) -> Result<Bytes> {
        self.call("input");
        Ok(Bytes::new())
    }

    async fn run_job(&self, _: Occurrence) -> Result<()> {
        self.call("job");
        Ok(())
    }

    async fn actor_turn(
        &self,
        _: Option<&Caller>,
        _: actors::Inside,
        _: actors::Trigger,
    ) -> Result<Bytes> {
        self.call("turn");
        Ok(Bytes::new())
    }
}

fn tenant() -> Name {
    "default".parse().expect("a name")
}

fn operator() -> Caller {
    let app = "fragile".parse().expect("a name");
    Caller::operator(tenant(), app, time::deadline(PATIENCE))
}

async fn host(registry: &Registry, components: &[wythe_manifest::Component]) -> Arc<Host> {
    let host = Arc::new(Host::default());
    // The key that seals events is read while they open.
    let directory = tempfile::tempdir().expect("a directory");
    let settings = Settings {
        tenant: tenant(),
        project: Default::default(),
        data: directory.path().to_owned(),
        max_value: 4 << 20,
        environment: wythe_blocks::Environment::default(),
        scopes: Vec::new(),
    };
    let opened = host.open(registry, &settings, components).await;
    opened.expect("the host opens");
    host
}

async fn ways_in() {
    let blocks = ["pubsub", "jobs", "configuration", "bindings", "state"];
    let components = blocks.map(|block| component(block, "memory", "[]"));
    let host = host(&wythe_drivers::registry(), &components).await;
    let app = Arc::new(Fragile {
        id: "fragile".parse().expect("a name"),
        calls: Mutex::default(),
        called: Notify::new(),
    });
    attach(&host, &app).await;
    let calls = operator();
    asked(&host, &calls).await;
    come_by_themselves(&host, &calls).await;
    for way in ["event", "change", "input", "job"] {
        app.second(way).await;
    }
    assert!(host.close(PATIENCE).await, "no task is stuck");
}

async fn attach(host: &Host, app: &Arc<Fragile>) {
    let grants = Arc::new(Grants {
        subscribe: vec![PartPattern::Any],
        listen: vec![Pattern::Any],
        configuration: vec![Pattern::Any],
        ..Grants::default()
    });
    let tenant = tenant();
    host.invocation.add(&tenant, app.clone());
    host.jobs.attach(&tenant, app.clone());
    let types = vec![actors::Type::new("fragile")];
    let acts = host.actors.attach(&tenant, app.clone(), types);
    acts.expect("actors");
    let topics = vec![Subscription {
        component: NAME.into(),
        topic: "topic".into(),
        ..Subscription::default()
    }];
    let hears = host
        .pubsub
        .attach(&tenant, app.clone(), grants.clone(), topics);
    hears.await.expect("events");
    let items = vec![configuration::Subscription {
        component: NAME.into(),
        keys: Vec::new(),
    }];
    let watches = host
        .configuration
        .attach(&tenant, app.clone(), grants.clone(), items);
    watches.await.expect("configuration");
    let inputs = vec![NAME.to_owned()];
    let listens = host.bindings.attach(&tenant, app.clone(), grants, inputs);
    listens.await.expect("inputs");
}

/// A caller that waits hears of it; the second call is well.
async fn asked(host: &Host, caller: &Caller) {
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
            "`invoke` of app `fragile` ended by a panic of the host"
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

async fn come_by_themselves(host: &Host, caller: &Caller) {
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
            most: None,
        },
        on_misfire: Misfire::One,
    };
    let scheduled = host.jobs.schedule(caller, job, false);
    scheduled.await.expect("a job");
}

/// Panics wherever it is asked.
struct Broken;

#[async_trait]
impl Driver for Broken {
    fn features(&self) -> Features {
        Features {
            transactions: false,
            ttl: false,
            list: false,
            increment: false,
            fence: false,
            durable: false,
            linearizable: false,
            max_value_bytes: 100,
            max_operations: 1,
        }
    }

    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        panic!("no {key}")
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        panic!("no {}", put.key)
    }

    async fn delete(&self, _: wythe_blocks::state::Delete) -> Result<()> {
        panic!("no")
    }
}

async fn driver() {
    let mut registry = Registry::default();
    registry.state.add_raw("broken", |_, _| async {
        Ok(Ready::new(|| async {
            Ok(Arc::new(Broken) as Arc<dyn Driver>)
        }))
    });
    let host = host(&registry, &[component("state", "broken", "[]")]).await;
    let caller = operator();
    let store = host.state.open(&caller, NAME).expect("the store");
    let read = store.get(&caller, "a").await.expect_err("a get");
    assert_eq!(
        (read.kind(), read.message()),
        (
            Kind::Internal,
            "`get` of `subject` ended by a panic of the host"
        )
    );
    // Nobody can say whether it was written.
    let write = store
        .put(&caller, Put::new("a", "b"))
        .await
        .expect_err("a put");
    assert_eq!(write.kind(), Kind::UnknownOutcome);
}
