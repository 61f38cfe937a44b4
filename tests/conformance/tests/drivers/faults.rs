//! Drivers whose server fails: it restarts, is killed, hangs, is cut off, is slow, lies, or is another one than was meant.

mod answers;
mod events;
mod history;
mod rows;
mod values;

use crate::{
    backends::REDIS,
    open::{component, site},
};
use conformance::runtime;
use libtest_mimic::{Failed, Trial};
use servers::{Proxy, Redis, Server, are_required};
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{Error, Kind, Result, pubsub, state};
use wythe_manifest::Component;

/// A test that needs the server; it starts one for itself.
pub(super) type Test = fn(Server);

pub(crate) fn trials() -> Vec<Trial> {
    let missing = REDIS.server().err();
    let server = [events::TESTS, history::TESTS, rows::TESTS, values::TESTS];
    let server = server.into_iter().flatten().map(|(name, test)| {
        let name = format!("faults::redis::{name}");
        let reason = missing.as_ref().map(|missing| format!(" ({missing})"));
        let trial = Trial::test(name + &reason.unwrap_or_default(), move || {
            test(Server::start(Redis::default()).map_err(Failed::from)?);
            Ok(())
        });
        trial.with_ignored_flag(missing.is_some() && !are_required())
    });
    server.chain(answers::trials()).collect()
}

/// Runs a test, which gives up if it never ends.
fn run(test: impl Future<Output = ()>) {
    let limit = Duration::from_secs(600);
    let ended = runtime()
        .expect("a runtime")
        .block_on(async { tokio::time::timeout(limit, test).await });
    ended.expect("the test comes to its end");
}

/// The component of a block over the server at an address, with more metadata in YAML.
fn subject(block: &str, address: SocketAddr, more: &str) -> Component {
    let metadata = format!("[{{ name: redisHost, value: \"{address}\" }}{more}]");
    component(block, "redis", &metadata)
}

async fn state(
    address: SocketAddr,
    directory: &Path,
    more: &str,
) -> Result<Arc<dyn state::Driver>> {
    let registry = wythe_drivers::registry();
    let component = subject("state", address, more);
    registry.state.open(&component, site(directory)).await
}

async fn pubsub(
    address: SocketAddr,
    directory: &Path,
    more: &str,
) -> Result<Arc<dyn pubsub::Driver>> {
    let registry = wythe_drivers::registry();
    let component = subject("pubsub", address, more);
    registry.pubsub.open(&component, site(directory)).await
}

/// Checks that an error says what is so: nothing happened, or nobody knows.
fn check(error: &Error) {
    let is_honest = matches!(error.kind(), Kind::Unavailable | Kind::UnknownOutcome);
    assert!(is_honest, "{}: {}", error.kind(), error.chain());
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
