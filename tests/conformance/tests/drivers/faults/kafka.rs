//! Kafka alone: logins and TLS, errors by name, a broker that hangs, hosts that share a group, bindings,
//! compression.

mod input;
mod packed;

use super::{Test, check, events, run};
use crate::open::{component, site};
use servers::{Kafka, Missing, Server};
use std::{collections::HashMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Kind, Result,
    pubsub::{Consumer, Driver, Message, SubscribeOptions},
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("a_login_is_taken_or_says_why_not", |_, server| {
        run(logins(server))
    }),
    ("what_the_cluster_does_not_take_says_so", |_, _| {
        run(refusals())
    }),
    ("a_broker_that_hangs_stores_each_event_once", |_, server| {
        run(hangs(server))
    }),
    ("hosts_share_a_group_and_repeat_nothing", |_, server| {
        run(shared(server))
    }),
    ("an_input_is_delivered_until_it_is_taken", |_, server| {
        run(input::taken(server))
    }),
    ("an_input_survives_its_server", |_, server| {
        run(input::survives(server))
    }),
    ("an_input_reads_several_topics", |_, server| {
        run(input::several(server))
    }),
    ("what_is_compressed_is_read", |_, server| {
        run(packed::by_host(server))
    }),
    ("what_the_broker_compresses_is_read", |_, _| {
        run(packed::by_broker())
    }),
];

/// The reason why the tests of events do not run by themselves: one of four runs, on a machine with much else to do, was not
/// over after 600 s, and why is not known.
pub(super) fn unproved() -> Option<Missing> {
    let is_wanted = std::env::var_os("WYTHE_KAFKA_EVENTS").is_some();
    let reason = "it hung in one run of four; WYTHE_KAFKA_EVENTS=1 runs it";
    (!is_wanted).then(|| Missing(reason.to_owned()))
}

/// The broker of these tests, which speaks TLS too.
pub(super) fn start() -> Result<Server, Missing> {
    let read = |name: &str| {
        let path = format!("{}/../host/certificates/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(&path).map_err(|error| Missing(format!("{path}: {error}")))
    };
    Server::start(Kafka {
        certificate: Some((read("host.pem")?, read("host.key")?)),
        ..Kafka::default()
    })
}

async fn open(address: SocketAddr, more: &str) -> Result<Arc<dyn Driver>> {
    let metadata = format!("[{{ name: brokers, value: \"{address}\" }}{more}]");
    let component = component("pubsub", "kafka", &metadata);
    let registry = wythe_drivers::registry();
    registry.pubsub.open(&component, site(Path::new("."))).await
}

async fn refused(address: SocketAddr, more: &str, kind: Kind, words: &str) {
    let error = open(address, more).await.err();
    let error = error.unwrap_or_else(|| panic!("{more}: it opens"));
    is(&error, kind, words);
    assert!(!error.chain().contains("secret"), "{}", error.chain());
}

fn is(error: &Error, kind: Kind, words: &str) {
    let chain = error.chain();
    assert!(error.kind() == kind && chain.contains(words), "{chain}");
}

fn item(name: &str, value: &str) -> String {
    let value = serde_json::Value::from(value);
    format!(", {{ name: {name}, value: {value} }}")
}

async fn logins(server: Server) {
    let address = Kafka::login(server.site());
    let login = |mechanism: &str, user: &str, password: &str| {
        item("authType", "password")
            + &item("disableTls", "true")
            + &item("saslMechanism", mechanism)
            + &item("saslUsername", user)
            + &item("saslPassword", password)
    };
    for mechanism in ["PLAINTEXT", "SHA-256", "SHA-512"] {
        let driver = open(address, &login(mechanism, "ada", "secret")).await;
        let driver = driver.expect(mechanism);
        let sent = driver.publish("topic", Message::default()).await;
        sent.expect(mechanism);
        let (denied, words) = (Kind::Denied, "saslPassword");
        refused(address, &login(mechanism, "ada", "secrets"), denied, words).await;
        refused(address, &login(mechanism, "eve", "secret"), denied, words).await;
    }
    let more = item("timeout", "2s");
    refused(address, &more, Kind::Unavailable, "").await;
    let safe = Kafka::safe(server.site());
    refused(safe, &more, Kind::Unavailable, "TLS").await;
    let with_tls = item("authType", "mtls") + &more;
    // The certificate is signed by no authority of the web.
    refused(safe, &with_tls, Kind::Unavailable, "caCert").await;
    refused(server.address(), &with_tls, Kind::Unavailable, "TLS").await;
    let path = format!(
        "{}/../host/certificates/host.pem",
        env!("CARGO_MANIFEST_DIR")
    );
    let pem = std::fs::read_to_string(path).expect("a certificate");
    let driver = open(safe, &(with_tls + &item("caCert", &pem))).await;
    let driver = driver.expect("TLS");
    let sent = driver.publish("topic", Message::default()).await;
    sent.expect("a publish by TLS");
}

async fn refusals() {
    let program = Kafka::default().with("auto.create.topics.enable=false");
    let server = Server::start(program).expect("a broker");
    let driver = open(server.address(), &item("timeout", "1s")).await;
    let driver = driver.expect("it opens");
    let words = "auto.create.topics.enable";
    let error = driver.publish("topic", Message::default()).await;
    is(&error.expect_err("no topic"), Kind::Unavailable, words);
    let error = driver.subscribe("topic", "group", SubscribeOptions::default());
    let error = error.await.err().expect("no topic");
    is(&error, Kind::Unavailable, words);
    for topic in ["a b", "", ".", "ä"] {
        let error = driver.publish(topic, Message::default()).await;
        is(&error.expect_err(topic), Kind::Invalid, "the topic");
    }
    assert!(driver.health().await.is_ok());
    let shown = driver.describe().expect("a line");
    assert!(shown.contains("Kafka at 127.0.0.1"), "{shown}");
    drop(server);
    let error = driver.publish("topic", Message::default()).await;
    check(&error.expect_err("no server"));
    assert!(driver.health().await.is_err());
}

async fn hangs(server: Server) {
    let driver = open(server.address(), &item("timeout", "1s")).await;
    let driver = driver.expect("it opens");
    let consumer = driver
        .subscribe("topic", "group", SubscribeOptions::default())
        .await
        .expect("a consumer");
    let publish = |number| driver.publish("topic", events::message(number));
    publish(0).await.expect("a publish");
    server.pause();
    let error = publish(1).await.expect_err("it hangs");
    check(&error);
    server.resume();
    while let Err(error) = publish(2).await {
        check(&error);
    }
    let mut times: HashMap<usize, usize> = HashMap::new();
    while !(times.contains_key(&0) && times.contains_key(&2)) {
        let (taken, _) = events::take(&*consumer, 1).await;
        for (number, count) in taken {
            *times.entry(number).or_default() += count;
        }
    }
    assert_eq!((times[&0], times.get(&1).copied().unwrap_or(1)), (1, 1));
}

/// Two hosts share the partitions of a group. The one that leaves hands over what is open, and nothing else.
async fn shared(server: Server) {
    let address = server.address();
    let begin = async |name: &str| {
        let more = item("clientID", name) + &item("heartbeatInterval", "200ms");
        let driver = open(address, &more).await.expect("it opens");
        let options = SubscribeOptions::default();
        let consumer = driver.subscribe("topic", "group", options).await;
        (driver, consumer.expect("a consumer"))
    };
    let (first, one) = begin("one").await;
    let (second, two) = begin("two").await;
    let messages = (0..60).map(|number| Message {
        ordering_key: Some(number.to_string()),
        ..events::message(number)
    });
    for answer in first.publish_many("topic", messages.collect()).await {
        answer.expect("a publish");
    }
    let mut seen = vec![0; 60];
    // The first host does every second event of its share, and then leaves.
    let mut open = 0;
    while let Ok(pulled) = tokio::time::timeout(Duration::from_secs(2), one.pull(100)).await {
        for received in pulled.expect("events") {
            let number = events::number(&received.message);
            if number % 2 == 1 {
                open += 1;
                continue;
            }
            seen[number] += 1;
            let answers = one.ack(vec![received.receipt]).await;
            answers
                .into_iter()
                .for_each(|answer| answer.expect("an ack"));
        }
    }
    assert!(open > 0, "it has a share");
    drop(one);
    first.close().await.expect("it closes");
    while seen.iter().sum::<usize>() < 60 {
        all(&*two, &mut seen).await;
    }
    assert!(seen.iter().all(|times| *times == 1), "{seen:?}");
    second.close().await.expect("it closes");
}

async fn all(consumer: &dyn Consumer, seen: &mut [usize]) {
    for received in consumer.pull(100).await.expect("events") {
        seen[events::number(&received.message)] += 1;
        let answers = consumer.ack(vec![received.receipt]).await;
        answers
            .into_iter()
            .for_each(|answer| answer.expect("an ack"));
    }
}
