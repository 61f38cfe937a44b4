//! Drivers whose server fails: it restarts, is killed, hangs, is cut off, is slow, lies, or is another one than was meant.

mod answers;
mod aws;
mod azure;
mod etcd;
mod events;
mod history;
mod kafka;
mod kinds;
mod kubernetes;
pub(crate) mod made_up;
mod memcached;
mod mqtt;
mod mysql;
mod nats;
mod postgres;
mod rabbitmq;
mod rows;
mod sql;
mod values;
mod vault;

use crate::open::{component, site};
use conformance::runtime;
use kinds::{KINDS, Kinds, Test};
use libtest_mimic::{Failed, Trial};
use servers::{Missing, Proxy, Server, must_be_there};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Kind, Result, pubsub,
    state::{self, Put},
};
use wythe_manifest::Component;

/// The kind of those tests that are about what one server says.
fn redis() -> &'static Kinds {
    let found = KINDS.iter().find(|kind| kind.name == "redis");
    found.expect("it is in the list")
}

pub(crate) fn trials() -> Vec<Trial> {
    let own = [
        answers::trials(),
        aws::trials(),
        azure::trials(),
        kubernetes::trials(),
        mqtt::trials(),
        nats::trials(),
        rabbitmq::trials(),
        vault::trials(),
    ];
    let shared = KINDS.iter().flat_map(of);
    shared.chain(own.into_iter().flatten()).collect()
}

fn of(kind: &'static Kinds) -> impl Iterator<Item = Trial> {
    let missing = kind.backend.server().err();
    let lacking = missing.clone().or_else(kind.lacks);
    let is_ignored = lacking.is_some() && !missing.as_ref().is_some_and(must_be_there);
    let events = kind.events.iter().copied().flatten();
    let events = events.map(move |test| trial(kind, test, lacking.as_ref(), is_ignored));
    let is_ignored = missing
        .as_ref()
        .is_some_and(|missing| !must_be_there(missing));
    let others = kind.others.iter().copied().flatten();
    let others = others.map(move |test| trial(kind, test, missing.as_ref(), is_ignored));
    events.chain(others)
}

fn trial(
    kind: &'static Kinds,
    (name, test): &'static (&'static str, Test),
    missing: Option<&Missing>,
    is_ignored: bool,
) -> Trial {
    let name = format!("faults::{}::{name}", kind.name);
    let reason = missing.map(|missing| format!(" ({missing})"));
    let trial = Trial::test(name + &reason.unwrap_or_default(), move || {
        test(kind, (kind.start)().map_err(Failed::from)?);
        Ok(())
    });
    trial.with_ignored_flag(is_ignored)
}

/// Runs a test, which gives up if it never ends.
fn run(test: impl Future<Output = ()>) {
    let limit = Duration::from_secs(600);
    let ended = runtime()
        .expect("a runtime")
        .block_on(async { tokio::time::timeout(limit, test).await });
    ended.expect("the test comes to its end");
}

impl Kinds {
    /// The component of a block over the server at an address, with more metadata in YAML.
    fn subject(&self, block: &str, address: SocketAddr, more: &str) -> Component {
        let mut more = more.replace("requestTimeout", self.timeout);
        if self.timeout == "timeoutInSeconds" {
            more = more
                .replace("value: 300ms", "value: 1")
                .replace("value: 1s", "value: 1");
        }
        let metadata = format!("[{}{more}]", (self.metadata)(block, address));
        component(block, self.driver, &metadata)
    }

    /// The time after which what a host has that is gone goes to another, where that is a setting.
    fn lease(&self, time: &str) -> String {
        let lease = |key| format!(", {{ name: {key}, value: {time} }}");
        self.processing.map(lease).unwrap_or_default()
    }

    async fn state(
        &self,
        address: SocketAddr,
        directory: &Path,
        more: &str,
    ) -> Result<Arc<dyn state::Driver>> {
        let registry = wythe_drivers::registry();
        let component = self.subject("state", address, more);
        registry.state.open(&component, site(directory)).await
    }

    async fn pubsub(
        &self,
        address: SocketAddr,
        directory: &Path,
        more: &str,
    ) -> Result<Arc<dyn pubsub::Driver>> {
        let registry = wythe_drivers::registry();
        let component = self.subject("pubsub", address, more);
        registry.pubsub.open(&component, site(directory)).await
    }
}

/// Checks that an error says what is so: nothing happened, or nobody knows.
fn check(error: &Error) {
    let is_honest = matches!(error.kind(), Kind::Unavailable | Kind::UnknownOutcome);
    assert!(is_honest, "{}: {}", error.kind(), error.chain());
}

/// Writes until a driver refuses to, in words that say so, as its server is less durable than it was.
async fn await_refusal(driver: &dyn state::Driver, words: &str) {
    let error = loop {
        match driver.put(Put::new("a", "1")).await {
            Err(error) if error.message().contains(words) => break error,
            Err(error) => check(&error),
            Ok(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(driver.health().await.is_err());
}

/// All that can happen to a server and to the way to it, one after the other, with time between.
async fn trouble(server: &Arc<Server>, proxy: &Arc<Proxy>) {
    let calm = || tokio::time::sleep(Duration::from_millis(300));
    let on = |act: fn(&Server)| {
        let server = server.clone();
        async move {
            let done = tokio::task::spawn_blocking(move || act(&server)).await;
            done.expect("the server does as it is told");
        }
    };
    calm().await;
    on(Server::restart).await;
    calm().await;
    on(|server| {
        server.kill();
        server.restart();
    })
    .await;
    calm().await;
    proxy.cut();
    tokio::time::sleep(Duration::from_secs(3)).await;
    proxy.restore();
    calm().await;
    on(Server::pause).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    on(Server::resume).await;
    proxy.delay(Duration::from_millis(20));
    calm().await;
    proxy.delay(Duration::ZERO);
    proxy.silence();
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.restore();
    on(|server| {
        server.kill();
        server.restart();
    })
    .await;
    calm().await;
}
