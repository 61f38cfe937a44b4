//! Quotas of a tenant over the drivers of this build: what is stored counts across restarts, and who cannot count says so.

mod backlog;
mod blind;
mod stored;

use crate::open::component;
use conformance::{quotas, runtime, terms};
use futures::{future::join_all, poll};
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc, task::Poll, time::Duration};
use tokio::sync::Notify;
use wythe_blocks::{
    Call, Error, Host, Kind, Ready, Registry, Settings, Tenant, bindings,
    jobs::{FailurePolicy, Job, Misfire, Trigger},
    time,
};
use wythe_manifest::{Component, Metered};

fn trial(name: &str, run: fn()) -> Trial {
    Trial::test(format!("quotas::{name}"), move || {
        run();
        Ok(())
    })
}

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial("jobs.memory::many_at_once_are_no_more", || {
            many_at_once("memory");
        }),
        trial("jobs.redb::many_at_once_are_no_more", || {
            many_at_once("redb");
        }),
        trial("jobs.redb::a_restart_counts_them", a_restart),
        trial("jobs::who_does_not_count_is_refused", blind),
        trial("bindings::calls_to_the_outside_are_counted", outgoing),
    ];
    trials.extend(stored::trials());
    trials.extend(backlog::trials());
    trials.extend(blind::trials());
    trials
}

fn run(test: impl Future<Output = ()>) {
    runtime().expect("a runtime").block_on(test);
}

fn settings(data: &Path, quotas: &str) -> Settings {
    Settings {
        terms: Some(Arc::new(terms(quotas))),
        ..Settings::new("default".parse().expect("a name"), data)
    }
}

async fn open(
    registry: &Registry,
    settings: Settings,
    component: Component,
) -> Result<(Host, Arc<Tenant>), Vec<Error>> {
    let host = Host::default();
    let tenant = host.open(settings).expect("a new tenant");
    tenant.open(registry, &[component]).await?;
    Ok((host, tenant))
}

fn caller(app: &str) -> Call {
    let name = |text: &str| text.parse().expect("a name");
    let deadline = time::deadline(Duration::from_secs(600));
    Call::operator(name("default"), name(app), deadline)
}

fn job(name: &str) -> Job {
    Job {
        name: name.to_owned(),
        trigger: Trigger::Every(Duration::from_secs(3_600)),
        start: None,
        end: None,
        repeats: None,
        data: "data".into(),
        on_failure: FailurePolicy::Drop,
        on_misfire: Misfire::One,
    }
}

fn used(tenant: &Tenant) -> u64 {
    tenant.ledger.readings()[Metered::Jobs as usize].used
}

/// Schedules so many jobs of two apps at once, and returns how many there are.
async fn fill(tenant: &Tenant, count: usize) -> usize {
    let schedule = |number: usize| async move {
        let caller = caller(["one", "two"][number % 2]);
        let job = job(&number.to_string());
        tenant.jobs.schedule(&caller, job, false).await
    };
    let answers = join_all((0..count).map(schedule)).await;
    let failed = answers.iter().filter_map(|answer| answer.as_ref().err());
    for error in failed {
        assert_eq!(error.kind(), Kind::Exhausted, "{error}");
        assert!(error.message().contains("`quotas.jobs`"), "{error}");
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

fn many_at_once(driver: &str) {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let settings = settings(directory.path(), "jobs: 10");
        let component = component("jobs", driver, "");
        let registry = wythe_drivers::registry();
        let (host, tenant) = open(&registry, settings, component)
            .await
            .expect("it opens");
        let scheduled = fill(&tenant, 100).await;
        // One that is written counts twice for a moment, while it gives its place back: that may refuse another one early.
        assert!((1..=10).contains(&scheduled), "{scheduled}");
        let one = caller("one");
        for number in scheduled..12 {
            let name = format!("after-{number}");
            let answer = tenant.jobs.schedule(&one, job(&name), false).await;
            assert_eq!(answer.is_ok(), number < 10, "{number}: {answer:?}");
        }
        assert_eq!(used(&tenant), 10);
        host.close(Duration::from_secs(60)).await;
        assert_eq!(used(&tenant), 0, "what is not open is not held");
    });
}

fn a_restart() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let component = component("jobs", "redb", "");
        let registry = wythe_drivers::registry();
        let wide = settings(directory.path(), "jobs: 100");
        let opened = open(&registry, wide, component.clone()).await;
        let (host, tenant) = opened.expect("it opens");
        assert_eq!(fill(&tenant, 20).await, 20);
        host.close(Duration::from_secs(60)).await;
        // Fewer than there are: none is taken away, and no other one comes.
        let narrow = settings(directory.path(), "jobs: 19");
        let opened = open(&registry, narrow, component).await;
        let (host, tenant) = opened.expect("it opens");
        assert_eq!(used(&tenant), 20);
        let (one, more) = (caller("one"), || job("more"));
        assert!(tenant.jobs.schedule(&one, more(), false).await.is_err());
        assert_eq!(
            tenant.jobs.get(&one, "more").await.expect("an answer"),
            None
        );
        for name in ["0", "2"] {
            tenant.jobs.delete(&one, name).await.expect("a delete");
        }
        tenant
            .jobs
            .schedule(&one, more(), false)
            .await
            .expect("a place");
        assert_eq!(used(&tenant), 19);
        host.close(Duration::from_secs(60)).await;
    });
}

/// A driver that does not say that it counts.
fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.jobs.add_raw("blind", |_, site| async move {
        let component = component("jobs", "memory", "");
        let driver = wythe_drivers::registry().jobs.open(&component, site).await;
        let driver = driver.expect("it opens");
        Ok(Ready::new(|| async { Ok(driver) }))
    });
    registry
}

fn blind() {
    run(async {
        let directory = tempfile::tempdir().expect("a directory");
        let data = directory.path();
        let component = component("jobs", "blind", "");
        let written = open(&registry(), settings(data, "jobs: 10"), component.clone()).await;
        let errors = written.err().expect("the quota cannot be held");
        let error = errors.first().expect("an error");
        assert_eq!(error.kind(), Kind::Unsupported);
        let message = error.message();
        assert!(
            message.contains("`jobs.blind` does not count what it stores")
                && message.contains("wythe-host.yaml:3"),
            "{message}"
        );
        let default = open(&registry(), settings(data, "apps: 1"), component).await;
        let (host, _) = default.expect("a default is of drivers that count");
        host.close(Duration::from_secs(60)).await;
    });
}

/// A binding whose calls end when they are told to.
struct Slow(Arc<Notify>);

#[async_trait::async_trait]
impl bindings::Driver for Slow {
    fn features(&self) -> bindings::Features {
        bindings::Features {
            operations: vec!["get".into()],
            ..bindings::Features::default()
        }
    }

    async fn invoke(&self, _: bindings::Request<'_>) -> wythe_blocks::Result<bindings::Outcome> {
        self.0.notified().await;
        Ok(bindings::Outcome::default())
    }
}

fn outgoing() {
    run(async {
        let (mut registry, go_on) = (Registry::default(), Arc::new(Notify::new()));
        for name in ["outside", "inside"] {
            let driver = Arc::new(Slow(go_on.clone()));
            registry.bindings.add_raw(name, move |_, _| {
                let driver: Arc<dyn bindings::Driver> = driver.clone();
                async move { Ok(Ready::new(|| async { Ok(driver) })) }
            });
        }
        registry.bindings.reaches_out("outside");
        for (name, used) in [("outside", 2), ("inside", 0)] {
            let settings = Settings::new("default".parse().expect("a name"), "");
            let opened = open(&registry, settings, component("bindings", name, "")).await;
            let (host, tenant) = opened.expect("it opens");
            tenant.ledger.set(Some(&quotas("outgoingRequests: 2")));
            under_way(&tenant, &go_on, used).await;
            assert!(host.close(Duration::from_secs(60)).await);
        }
    });
}

/// Two calls under way, of which so many count, and a third one.
async fn under_way(tenant: &Tenant, go_on: &Notify, counted: u64) {
    let used = || tenant.ledger.readings()[Metered::OutgoingRequests as usize].used;
    let call = || async {
        let (caller, no) = (caller("app"), Vec::new());
        let called = tenant
            .bindings
            .invoke(&caller, "subject", "get", "".into(), no);
        called.await
    };
    let (mut first, mut second) = (Box::pin(call()), Box::pin(call()));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    assert_eq!(used(), counted);
    let mut third = Box::pin(call());
    match (poll!(&mut third), counted) {
        (Poll::Ready(Err(error)), 2) => {
            let message = error.message();
            assert_eq!(error.kind(), Kind::Exhausted, "{error}");
            assert!(message.contains("`quotas.outgoingRequests`"), "{message}");
            assert!(error.retry_after().is_some());
        }
        (Poll::Pending, 0) => {}
        other => panic!("{other:?}"),
    }
    drop(third);
    go_on.notify_waiters();
    first.await.expect("an answer");
    second.await.expect("an answer");
    assert_eq!(used(), 0);
}
