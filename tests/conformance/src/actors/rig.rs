//! Hosts with puppets, over one store.

use super::{
    puppet::{APP, BROKER, Puppet, Step},
    store::{Broker, FaultyStore},
};
use crate::old::count;
use serde_json::Value;
use std::{
    path::Path,
    sync::{Arc, atomic::Ordering::SeqCst},
    time::{Duration, Instant},
};
use wythe_blocks::{
    Call, Error, Ready, Registry, Result, Settings, Shared, Tenant, Trace,
    actors::{Limits, Type},
    state::Driver,
};
use wythe_manifest::{Name, parse_resources};

const RESOURCES: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.line, version: v1 }
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: pubsub }
spec: { type: pubsub.broker, version: v1 }
";

/// One host: its puppets, its way to the store, and the broker.
pub struct Rig {
    pub host: Arc<Tenant>,
    pub puppet: Arc<Puppet>,
    pub(super) faulty: Arc<FaultyStore>,
    pub(super) broker: Arc<Broker>,
}

impl Rig {
    /// A host that wakes its actors and sends their events.
    pub async fn new(store: Arc<dyn Driver>) -> Self {
        let rig = Self::sleeping(store).await;
        rig.start();
        rig
    }

    /// A host that does nothing by itself.
    pub(super) async fn sleeping(store: Arc<dyn Driver>) -> Self {
        Self::limited(store, Limits::default()).await
    }

    /// A host that does nothing by itself, with limits of its own.
    pub(super) async fn limited(store: Arc<dyn Driver>, limits: Limits) -> Self {
        let (faulty, broker) = (FaultyStore::new(store), Arc::new(Broker::default()));
        let opened = open(limits, &faulty, &broker).await;
        let host = opened.unwrap_or_else(|errors| panic!("{errors:?}"));
        let puppet = Puppet::new(APP, &host);
        let attached = host.actors.attach(&puppet.app(tenant()), Puppet::types());
        attached.expect("the types are good");
        assert_eq!(BROKER, "pubsub");
        Rig {
            host,
            puppet,
            faulty,
            broker,
        }
    }

    pub(super) fn start(&self) {
        self.host.actors.start(&tenant());
    }

    /// Another app of this host, with a type of its own.
    pub(super) fn neighbour(&self, kind: Type) -> Arc<Puppet> {
        let puppet = Puppet::new("neighbour", &self.host);
        let attached = self.host.actors.attach(&puppet.app(tenant()), vec![kind]);
        attached.expect("the type is good");
        puppet
    }

    pub(super) fn caller(&self) -> Call {
        let deadline = Instant::now() + Duration::from_secs(20);
        let app = "caller".parse().expect("a name");
        Call::app(tenant(), app, Puppet::grants(), Trace::start(), deadline)
    }

    /// The answers of an actor to its steps.
    pub async fn run(&self, kind: &str, id: &str, steps: &[Step]) -> Result<Vec<Value>> {
        self.run_as(&self.caller(), kind, id, steps).await
    }

    pub(super) async fn run_as(
        &self,
        caller: &Call,
        kind: &str,
        id: &str,
        steps: &[Step],
    ) -> Result<Vec<Value>> {
        let data = serde_json::to_vec(steps).expect("steps are JSON").into();
        let answer = self.host.actors.invoke(caller, kind, id, "run", data);
        Ok(serde_json::from_slice(&answer.await?).expect("an answer is JSON"))
    }

    /// The answer to one step of an actor of the type `plain`.
    pub async fn one(&self, id: &str, step: Step) -> Result<Value> {
        Ok(self.run("plain", id, &[step]).await?.remove(0))
    }

    /// Does what [`Rig::one`] does, again where another turn was faster.
    pub(super) async fn one_soon(&self, id: &str, step: Step) -> Value {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match self.one(id, step.clone()).await {
                Ok(answer) => return answer,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until the broker has so many events.
    pub(super) async fn published(&self, count: usize) {
        self.until(|| self.broker.events().len() >= count).await;
    }

    /// Waits until the host has asked for so many commits.
    pub(super) async fn committed(&self, count: u64) {
        self.until(|| self.faulty.commits.load(SeqCst) >= count)
            .await;
    }

    /// Waits until no reminder is due any more, in whichever format.
    pub(super) async fn woken_or_done(&self, driver: &dyn Driver) {
        let end = Instant::now() + Duration::from_secs(60);
        while count(driver, "||actors||due").await > 0 {
            assert!(Instant::now() < end, "reminders are left");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        let end = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < end, "it does not come");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// The host is gone without a word: nothing of it reaches the store any more.
    pub(super) fn kill(&self) {
        self.faulty.is_cut.store(true, SeqCst);
        self.host.tasks.stopping().cancel();
    }

    /// Waits until there are as many wakes of a name.
    pub(super) async fn woken(&self, by: &str, times: usize) -> Vec<Instant> {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let woken = self.puppet.woken().into_iter();
            let found: Vec<_> = woken.filter(|w| w.by == by).map(|w| w.at).collect();
            if found.len() >= times {
                return found;
            }
            assert!(Instant::now() < end, "{by} came {} times", found.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(super) async fn stop(&self) {
        let stopped = self.host.tasks.stop(Duration::from_secs(10)).await;
        assert!(stopped, "everything ends");
    }
}

pub(super) fn tenant() -> Name {
    "default".parse().expect("a name")
}

pub(super) fn message(result: Result<impl std::fmt::Debug>) -> String {
    error(result).message().to_owned()
}

pub(super) fn error(result: Result<impl std::fmt::Debug>) -> Error {
    result.expect_err("an error")
}

/// The words of a host that cannot be opened over the store.
pub(super) async fn refusal(store: Arc<dyn Driver>) -> String {
    let (faulty, broker) = (FaultyStore::new(store), Arc::new(Broker::default()));
    let opened = open(Limits::default(), &faulty, &broker).await;
    let errors = opened.err().expect("it is refused");
    let messages: Vec<_> = errors.iter().map(Error::message).collect();
    messages.join("\n")
}

async fn open(
    limits: Limits,
    faulty: &Arc<FaultyStore>,
    broker: &Arc<Broker>,
) -> Result<Arc<Tenant>, Vec<Error>> {
    let mut registry = Registry::default();
    let (faulty, broker) = (faulty.clone(), broker.clone());
    registry.state.add_raw("line", move |_, _| {
        let faulty: Arc<dyn Driver> = faulty.clone();
        async move { Ok(Ready::new(|| async { Ok(faulty) })) }
    });
    registry.pubsub.add_raw("broker", move |_, _| {
        let broker: Arc<dyn wythe_blocks::pubsub::Driver> = broker.clone();
        async move { Ok(Ready::new(|| async { Ok(broker) })) }
    });
    let (resources, problems) = parse_resources(RESOURCES, Path::new("rig.yaml"));
    assert!(problems.is_empty(), "{problems}");
    // The key that seals events is read while it opens.
    let directory = tempfile::tempdir().expect("a directory");
    let settings = Settings::new(tenant(), directory.path().to_owned());
    let host = Tenant::new(settings, &Shared::default());
    host.actors.limit(limits);
    host.open(&registry, &resources.components).await?;
    Ok(host)
}
