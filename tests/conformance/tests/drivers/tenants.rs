//! Tenants that come, change and go while others are at work: random operations beside a model, and nothing is left.

mod app;
mod model;

use app::{Busy, Parts, kind};
use bytes::Bytes;
use conformance::{random::Random, runtime};
use libtest_mimic::Trial;
use model::{Model, component, operator, until};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};
use wythe_blocks::{
    App, Host, Settings, Tenant,
    invocation::Request,
    pubsub::{Event, PublishOptions},
    state::Put,
};

/// A time longer than any of this takes.
const PATIENCE: Duration = Duration::from_secs(600);
const OPERATIONS: u64 = 10_000;
const SEED: u64 = 12;
const TENANTS: [&str; 3] = ["red", "green", "blue"];

pub fn trials() -> Vec<Trial> {
    let run = || {
        runtime()?
            .block_on(async { tokio::time::timeout(PATIENCE, changes()).await })
            .map_err(|_| "it never ended".into())
    };
    vec![Trial::test(
        "tenants::ten_thousand_changes_beside_others",
        run,
    )]
}

/// A tenant that nothing is changed of: each of its calls has to be well.
struct Steady {
    tenant: Arc<Tenant>,
    busy: Arc<Busy>,
    rounds: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
}

impl Steady {
    async fn open(host: &Host, data: &Path) -> Self {
        let settings = Settings::new("steady".parse().expect("a name"), data);
        let tenant = host.open(settings).expect("a new tenant");
        let components = [
            component("store", "state.memory", ""),
            component("events", "pubsub.memory", ""),
            component("settings", "configuration.memory", ""),
            component("hook", "bindings.webhook", "{ name: path, value: /steady }"),
            component("jobs", "jobs.memory", ""),
        ];
        let opened = tenant.open(&wythe_drivers::registry(), &components).await;
        opened.expect("it opens");
        let (app, busy) = Busy::app(tenant.name(), "app", Parts::ALL);
        tenant
            .admit(&app, Some("/steady/app"))
            .await
            .expect("an app");
        tenant.start(&app).await.expect("an app that starts");
        Steady {
            tenant,
            busy,
            rounds: Arc::default(),
            is_over: Arc::default(),
        }
    }

    async fn work(&self) {
        while !self.is_over.load(SeqCst) {
            self.round().await;
            self.rounds.fetch_add(1, SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn round(&self) {
        let (tenant, caller) = (&self.tenant, operator(self.tenant.name()));
        let request = Request {
            method: "GET".into(),
            path: "/".into(),
            headers: Vec::new(),
            body: Bytes::new(),
        };
        let answer = tenant.invocation.invoke(&caller, "app", request).await;
        assert_eq!(answer.expect("an answer").body, "app");
        let store = tenant.state.open(&caller, "store").expect("the store");
        let put = Put::new("key", "value");
        store.put(&caller, put).await.expect("it is kept");
        let (kind, data) = (kind("app"), Bytes::new());
        let turn = tenant.actors.invoke(&caller, &kind, "a", "add", data);
        turn.await.expect("a turn");
        let heard = self.busy.events.load(SeqCst);
        let topic = tenant
            .pubsub
            .open(&caller, "events", "news")
            .expect("the topic");
        let options = PublishOptions::default();
        let event = Event {
            kind: "news".into(),
            ..Event::default()
        };
        let sent = topic.publish(&caller, event, &options);
        sent.await.expect("it is sent");
        until(|| self.busy.events.load(SeqCst) > heard).await;
    }
}

async fn changes() {
    let directory = tempfile::tempdir().expect("a directory");
    let host = Host::default();
    let steady = Arc::new(Steady::open(&host, directory.path()).await);
    let working = tokio::spawn({
        let steady = steady.clone();
        async move { steady.work().await }
    });
    let apps = change(&host, directory.path()).await;
    assert!(!working.is_finished(), "a call of another tenant failed");
    steady.is_over.store(true, SeqCst);
    working
        .await
        .expect("every call of the other tenant is well");
    let rounds = steady.rounds.load(SeqCst);
    assert!(rounds > 100, "only {rounds} rounds beside the changes");
    let tenant = Arc::downgrade(&steady.tenant);
    assert!(
        host.remove(steady.tenant.name(), PATIENCE).await,
        "a task is left"
    );
    drop(steady);
    until(|| tenant.strong_count() == 0).await;
    until(|| apps.iter().all(|app| app.strong_count() == 0)).await;
    assert_eq!((host.routes().count(None), host.tenants().len()), (0, 0));
    assert_eq!(host.tasks().count(), 0, "a task is left");
    let open = open_files(directory.path());
    assert!(open.is_empty(), "open still: {open:?}");
    let left = host.metrics().render();
    assert!(
        !left.contains("tenant=") && !left.contains("component="),
        "{left}"
    );
    assert!(host.close(PATIENCE).await);
}

/// Does random operations, and answers with all apps that were there at some end of a tenant.
async fn change(host: &Host, data: &Path) -> Vec<Weak<App>> {
    let mut random = Random::new(SEED);
    let mut models: [Option<Model>; 3] = [const { None }; 3];
    let mut gone = Vec::new();
    for _ in 0..OPERATIONS {
        let which = random.below(3) as usize;
        let rare = random.below(100) == 0;
        match &mut models[which] {
            Some(model) if !rare => model.step(host, &mut random).await,
            taken => match taken.take() {
                Some(model) => gone.extend(model.close(host).await),
                None => *taken = Some(Model::open(host, TENANTS[which], data)),
            },
        }
    }
    for model in models.into_iter().flatten() {
        gone.extend(model.close(host).await);
    }
    gone
}

/// Lists the files below a directory that this process has open.
fn open_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir("/proc/self/fd").expect("the files of this process");
    let files = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    files.filter(|file| file.starts_with(directory)).collect()
}
