//! Drivers whose server fails: it restarts, is killed, hangs, is cut off, is slow, lies, or is another one than was meant.

mod answers;
mod events;
mod history;
mod mysql;
mod postgres;
mod rows;
mod values;

use crate::{
    backends::{Backend, MARIADB, POSTGRES, REDIS},
    open::{component, site},
};
use conformance::runtime;
use libtest_mimic::{Failed, Trial};
use servers::{MariaDb, Missing, Postgres, Proxy, Redis, Server, are_required};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Kind, Result, pubsub,
    state::{self, Put},
};
use wythe_manifest::Component;

/// A kind of server, and the drivers over it.
pub(super) struct Kinds {
    name: &'static str,
    backend: &'static Backend,
    start: fn() -> Result<Server, Missing>,
    driver: &'static str,
    /// The metadata that name a server at an address, in YAML.
    metadata: fn(SocketAddr) -> String,
    /// The key of the time of one request.
    timeout: &'static str,
    /// Tests that several kinds have.
    shared: &'static [&'static [(&'static str, Test)]],
    /// Tests of this kind alone.
    own: &'static [&'static [(&'static str, Test)]],
}

/// A test that needs a server; one is started for it alone.
pub(super) type Test = fn(&'static Kinds, Server);

/// Tests of servers that keep state and events, and of those that keep state.
const ALL: &[&[(&str, Test)]] = &[events::TESTS, history::TESTS, values::TESTS];
const STATE: &[&[(&str, Test)]] = &[history::TESTS, values::TESTS];

static KINDS: [Kinds; 3] = [
    Kinds {
        name: "postgres",
        backend: &POSTGRES,
        start: || Server::start(Postgres),
        driver: "postgresql",
        metadata: |address| {
            let port = address.port();
            format!("{{ name: connectionString, value: host=127.0.0.1 port={port} user=postgres }}")
        },
        timeout: "timeout",
        shared: ALL,
        own: &[postgres::TESTS],
    },
    Kinds {
        name: "redis",
        backend: &REDIS,
        start: || Server::start(Redis::default()),
        driver: "redis",
        metadata: |address| format!("{{ name: redisHost, value: \"{address}\" }}"),
        timeout: "readTimeout",
        shared: ALL,
        own: &[events::OF_REDIS, rows::TESTS, values::OF_REDIS],
    },
    Kinds {
        name: "mysql",
        backend: &MARIADB,
        start: || Server::start(MariaDb),
        driver: "mysql",
        metadata: |address| {
            let port = address.port();
            format!("{{ name: connectionString, value: \"wythe:secret@tcp(127.0.0.1:{port})/\" }}")
        },
        timeout: "timeoutInSeconds",
        shared: STATE,
        own: &[mysql::TESTS],
    },
];

/// The kind of those tests that are about what one server says.
fn redis() -> &'static Kinds {
    &KINDS[1]
}

pub(crate) fn trials() -> Vec<Trial> {
    KINDS.iter().flat_map(of).chain(answers::trials()).collect()
}

fn of(kind: &'static Kinds) -> impl Iterator<Item = Trial> {
    let missing = kind.backend.server().err();
    let tests = kind.shared.iter().chain(kind.own).copied();
    tests.flatten().map(move |(name, test)| {
        let name = format!("faults::{}::{name}", kind.name);
        let reason = missing.as_ref().map(|missing| format!(" ({missing})"));
        let trial = Trial::test(name + &reason.unwrap_or_default(), move || {
            test(kind, (kind.start)().map_err(Failed::from)?);
            Ok(())
        });
        trial.with_ignored_flag(missing.is_some() && !are_required())
    })
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
        let metadata = format!("[{}{more}]", (self.metadata)(address));
        component(block, self.driver, &metadata)
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
