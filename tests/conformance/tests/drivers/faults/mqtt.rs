//! MQTT alone: restarts that the protocol survives, errors by name, servers that are none, input of a binding.

mod made_up;

use super::{Kinds, Test, events, run};
use crate::open::{component, site};
use conformance::bindings::{Ear, Reading, ask};
use libtest_mimic::Trial;
use parking_lot::Mutex;
use servers::{Proxy, Server};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Result, bindings,
    pubsub::{Driver, SubscribeOptions},
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("events_survive_a_server_that_ends_well", |kind, server| {
        run(restarts(kind, server))
    }),
    ("an_input_is_delivered_until_it_is_taken", |_, server| {
        run(taken(server))
    }),
    ("an_input_is_given_up_where_that_is_wanted", |_, server| {
        run(given_up(server))
    }),
    ("settings_that_do_not_fit_say_so", |_, server| {
        run(settings(server))
    }),
];

pub(super) fn trials() -> Vec<Trial> {
    made_up::trials()
}

async fn open(url: &str, more: &str) -> Result<Arc<dyn Driver>> {
    let directory = tempfile::tempdir().expect("a directory");
    let metadata = format!("[{{ name: url, value: \"{url}\" }}{more}]");
    let component = component("pubsub", "mqtt3", &metadata);
    let registry = wythe_drivers::registry();
    registry
        .pubsub
        .open(&component, site(directory.path()))
        .await
}

async fn error(url: &str, more: &str) -> Error {
    open(url, more).await.err().expect("an error")
}

async fn binding(address: SocketAddr, more: &str) -> Arc<dyn bindings::Driver> {
    let directory = tempfile::tempdir().expect("a directory");
    let metadata = format!("[{{ name: url, value: \"tcp://{address}\" }}{more}]");
    let component = component("bindings", "mqtt3", &metadata);
    let registry = wythe_drivers::registry();
    let opened = registry
        .bindings
        .open(&component, site(directory.path()))
        .await;
    opened.unwrap_or_else(|error| panic!("it opens: {}", error.chain()))
}

async fn create(driver: &dyn bindings::Driver, data: &str) {
    let created = ask(driver, "create", data.as_bytes(), &[]).await;
    created.expect("it is published");
}

/// A server that is told to end keeps what waits; a network that breaks loses nothing either.
async fn restarts(kind: &'static Kinds, server: Server) {
    let count = 3_000;
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let more = ", { name: requestTimeout, value: 2s }";
    let driver = kind.pubsub(proxy.address(), directory.path(), more).await;
    let driver = driver.expect("it opens");
    assert!(!driver.features().durable, "the protocol has no such word");
    let joined = driver.subscribe("topic", "group", SubscribeOptions::default());
    let consumer = joined.await.expect("a consumer");
    let progress = Arc::new(Mutex::new(0));
    let publisher = tokio::spawn(events::publish(driver.clone(), count, progress.clone()));
    let disturber = tokio::task::spawn_blocking(move || {
        for part in 1..=4 {
            while *progress.lock() < count * part / 5 {
                std::thread::sleep(Duration::from_millis(1));
            }
            match part {
                1 | 3 => server.restart(),
                _ => proxy.drop_connections(),
            }
        }
        (server, proxy)
    });
    let (acknowledged, unsettled) = events::take(&*consumer, count).await;
    let republished = publisher.await.expect("the publisher ends well");
    let _running = disturber.await.expect("it was disturbed");
    let doubtful = (&republished, &unsettled);
    events::verify(count, &acknowledged, doubtful, 4 * kind.unanswered);
}

/// An app that takes what comes from that attempt on, all of it of one topic.
fn ear(from: u32) -> Arc<Ear> {
    Ear::new(move |delivery| {
        let pair = ("topic".to_owned(), "a/b".to_owned());
        assert_eq!(delivery.metadata, [pair]);
        delivery.attempt >= from
    })
}

/// Reads for as long as a test takes, and ends well.
async fn reading<T>(
    driver: &Arc<dyn bindings::Driver>,
    ear: &Arc<Ear>,
    test: impl Future<Output = T>,
) -> T {
    let reading = Reading::start(driver.clone(), ear);
    let answer = test.await;
    reading.end().await;
    answer
}

fn pair(text: &str, attempt: u32) -> (String, u32) {
    (text.to_owned(), attempt)
}

/// The input has wildcards, and the output a topic that they fit.
async fn taken(server: Server) {
    let input = binding(server.address(), ", { name: topic, value: a/+ }").await;
    let output = binding(
        server.address(),
        ", { name: topic, value: a/b }, { name: consumerID, value: other }",
    )
    .await;
    let refused = ask(&*input, "create", b"x", &[])
        .await
        .expect_err("an error");
    assert!(refused.message().contains("has wildcards"), "{refused}");
    let third = ear(3);
    let heard = reading(&input, &third, async {
        // The session is there once something comes.
        while third.texts().is_empty() {
            create(&*output, "a").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        third.until(3).await;
        third.texts()
    })
    .await;
    assert!(heard.contains(&pair("a", 1)), "{heard:?}");
    // The session holds what comes while nobody listens, over a restart of the server.
    create(&*output, "b").await;
    tokio::task::block_in_place(|| server.restart());
    let next = ear(1);
    let heard = reading(&input, &next, async {
        while !next.texts().contains(&pair("b", 1)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        next.texts()
    })
    .await;
    assert!(heard.contains(&pair("b", 1)), "{heard:?}");
}

async fn given_up(server: Server) {
    let more = ", { name: topic, value: a/b }, { name: backOffMaxRetries, value: 1 }";
    let driver = binding(server.address(), more).await;
    let nobody = ear(1);
    reading(&driver, &nobody, async {
        while nobody.texts().is_empty() {
            create(&*driver, "first").await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await;
    create(&*driver, "bad").await;
    let never = ear(9);
    reading(&driver, &never, async {
        while !never.texts().contains(&pair("bad", 2)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    create(&*driver, "good").await;
    let last = ear(1);
    reading(&driver, &last, async {
        while !last.texts().iter().any(|(text, _)| text == "good") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let heard = last.texts();
    assert!(!heard.iter().any(|(text, _)| text == "bad"), "{heard:?}");
}

async fn settings(server: Server) {
    let url = format!("tcp://{}", server.address());
    for (more, expected) in [
        ("qos, value: 2", "qos: expected 0 or 1"),
        ("caCert, value: x", "caCert: expected `ssl://` in `url`"),
        ("backOffMaxRetries, value: 3", "`maxDeliveryAttempts`"),
        ("timeout, value: 0s", "expected 10ms to 24h"),
        ("topic, value: x", "topic"),
    ] {
        let error = error(&url, &format!(", {{ name: {more} }}")).await;
        assert!(error.message().contains(expected), "{more}: {error}");
    }
    for url in [
        "ws://localhost",
        "http://localhost",
        "tcp://:p@",
        "tcp://a/b",
        "tcp://:p@a",
    ] {
        let error = error(url, "").await;
        assert!(
            error.message().contains("expected `tcp://"),
            "{url}: {error}"
        );
    }
    let driver = open(&url, "").await.expect("it opens");
    for topic in ["$SYS/broker", "a+b"] {
        let joined = driver.subscribe(topic, "group", SubscribeOptions::default());
        let error = joined.await.err().expect("an error");
        assert!(error.message().contains("a topic of MQTT"), "{error}");
    }
    let described = driver.describe().expect("a description");
    assert_eq!(
        described,
        format!("MQTT 3.1.1 at {}, QoS 1", server.address())
    );
}
