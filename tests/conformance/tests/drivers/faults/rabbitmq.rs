//! RabbitMQ alone: errors by name, servers that are none, queues of Dapr's, what waits and what is counted.

mod input;
mod made_up;
mod refusals;

use super::{Kinds, Test, run};
use crate::open::{component, site};
use libtest_mimic::Trial;
use servers::{Proxy, Server};
use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Kind, Result, bindings,
    pubsub::{Consumer, Driver, Message, Received, SubscribeOptions},
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("a_full_queue_refuses_until_it_is_read", |_, server| {
        run(full(server))
    }),
    (
        "old_messages_make_room_where_that_is_wanted",
        |_, server| run(dropped(server)),
    ),
    ("letters_wait_for_the_first_group", |_, server| {
        run(letters(server))
    }),
    ("more_letters_wait_than_a_queue_takes", |_, server| {
        run(many_letters(server))
    }),
    ("attempts_of_a_dead_host_count", |kind, server| {
        run(attempts(kind, server))
    }),
    ("messages_are_where_dapr_has_them", |_, server| {
        run(of_dapr(server))
    }),
    ("keys_route_where_the_exchange_does", |_, server| {
        run(routed(server))
    }),
    ("what_the_server_drops_goes_to_a_queue", |_, server| {
        run(expired(server))
    }),
    ("a_queue_that_is_deleted_is_made_anew", |kind, server| {
        run(remade(kind, server))
    }),
    ("an_input_is_delivered_until_it_is_taken", |_, server| {
        run(input::taken(server))
    }),
    ("an_input_survives_its_server", |_, server| {
        run(input::survives(server))
    }),
    ("the_highest_priority_is_first", |_, server| {
        run(input::first(server))
    }),
    ("an_exclusive_queue_has_one_connection", |_, server| {
        run(input::exclusive(server))
    }),
    ("what_does_not_fit_the_server_says_so", |_, server| {
        run(refusals::properties(server))
    }),
    ("a_login_that_fails_says_why", |_, server| {
        run(refusals::logins(server))
    }),
];

pub(super) fn trials() -> Vec<Trial> {
    made_up::trials()
}

/// The metadata of a server, and more in YAML.
fn metadata(name: &str, address: SocketAddr, more: &str) -> String {
    format!("[{{ name: {name}, value: \"amqp://guest:guest@{address}\" }}{more}]")
}

async fn open(address: SocketAddr, more: &str) -> Result<Arc<dyn Driver>> {
    let directory = tempfile::tempdir().expect("a directory");
    let metadata = metadata("connectionString", address, more);
    let component = component("pubsub", "rabbitmq", &metadata);
    let registry = wythe_drivers::registry();
    registry
        .pubsub
        .open(&component, site(directory.path()))
        .await
}

async fn opened(address: SocketAddr, more: &str) -> Arc<dyn Driver> {
    open(address, more).await.expect("it opens")
}

async fn binding(address: SocketAddr, more: &str) -> Result<Arc<dyn bindings::Driver>> {
    let directory = tempfile::tempdir().expect("a directory");
    let component = component("bindings", "rabbitmq", &metadata("host", address, more));
    let registry = wythe_drivers::registry();
    registry
        .bindings
        .open(&component, site(directory.path()))
        .await
}

fn message(text: &str) -> Message {
    Message {
        data: text.to_owned().into(),
        content_type: "text/plain".into(),
        ..Message::default()
    }
}

async fn join(driver: &dyn Driver, metadata: &[(&str, &str)]) -> Box<dyn Consumer> {
    let pairs = metadata.iter();
    let options = SubscribeOptions {
        ephemeral: false,
        metadata: pairs
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    };
    // After a restart a queue has no leader for a while.
    loop {
        match driver.subscribe("topic", "group", options.clone()).await {
            Ok(member) => return member,
            Err(error) => super::check(&error),
        }
    }
}

/// Pulls and acknowledges so many; their texts, in order.
async fn take(consumer: &dyn Consumer, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    while texts.len() < count {
        for one in next(consumer, count - texts.len()).await {
            let answers = consumer.ack(vec![one.receipt]).await;
            assert!(answers.iter().all(Result::is_ok), "{answers:?}");
            texts.push(String::from_utf8_lossy(&one.message.data).into_owned());
        }
    }
    texts
}

async fn next(consumer: &dyn Consumer, max: usize) -> Vec<Received> {
    let limit = Duration::from_secs(60);
    loop {
        let pulled = tokio::time::timeout(limit, consumer.pull(max)).await;
        match pulled.expect("a message in time") {
            Ok(received) => return received,
            Err(error) => {
                super::check(&error);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

/// Publishes until the server refuses; how many it took.
async fn fill(driver: &dyn Driver, topic: &str) -> usize {
    for count in 0..10_000 {
        match driver.publish(topic, message("x")).await {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error.kind(), Kind::Exhausted, "{}", error.chain());
                assert_eq!(error.retry_after(), Some(Duration::from_secs(1)));
                assert!(error.message().contains("`maxBacklog`"), "{error}");
                return count;
            }
        }
    }
    panic!("it takes everything");
}

/// The server counts what no member has, and a quorum queue tells publishers a moment later: then it refuses everything,
/// and takes some again once a fifth is gone.
async fn full(server: Server) {
    for kind in ["quorum", "classic"] {
        let more =
            format!(", {{ name: maxBacklog, value: 100 }}, {{ name: queueType, value: {kind} }}");
        let driver = opened(server.address(), &more).await;
        let joined = driver.subscribe(kind, "group", SubscribeOptions::default());
        let consumer = joined.await.expect("a member");
        let count = fill(&*driver, kind).await;
        assert!((100..200).contains(&count), "{count}");
        take(&*consumer, count).await;
        while let Err(error) = driver.publish(kind, message("fits")).await {
            assert_eq!(error.kind(), Kind::Exhausted, "{}", error.chain());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(take(&*consumer, 1).await, ["fits"]);
    }
}

async fn dropped(server: Server) {
    let driver = opened(server.address(), ", { name: maxLen, value: 3 }").await;
    let consumer = join(&*driver, &[]).await;
    for text in ["1", "2", "3", "4", "5"] {
        let published = driver.publish("topic", message(text)).await;
        published.expect("a publish");
    }
    assert_eq!(take(&*consumer, 3).await, ["3", "4", "5"]);
}

async fn letters(server: Server) {
    let driver = opened(server.address(), "").await;
    for text in ["1", "2"] {
        driver
            .letter("topic", message(text))
            .await
            .expect("a letter");
    }
    // A quorum queue that is new is in the server's own register a moment later: killed before, it is broken for good.
    tokio::time::sleep(Duration::from_secs(2)).await;
    // They outlive the server, and another host finds them.
    tokio::task::block_in_place(|| {
        server.kill();
        server.restart();
    });
    let driver = opened(server.address(), ", { name: clientName, value: other }").await;
    let consumer = join(&*driver, &[]).await;
    let mut texts = take(&*consumer, 2).await;
    texts.sort();
    assert_eq!(texts, ["1", "2"]);
    driver
        .letter("topic", message("3"))
        .await
        .expect("a letter");
    assert_eq!(take(&*consumer, 1).await, ["3"]);
}

/// Gives whoever joins those that fit, and the next one more of them.
async fn many_letters(server: Server) {
    let more = ", { name: maxBacklog, value: 1 }, { name: queueType, value: classic }";
    let driver = opened(server.address(), more).await;
    for text in ["1", "2", "3"] {
        let sent = driver.letter("topic", message(text)).await;
        sent.expect("a letter");
    }
    let mut texts = BTreeSet::new();
    while texts.len() < 3 {
        let consumer = join(&*driver, &[]).await;
        texts.extend(take(&*consumer, 1).await);
    }
}

/// A host that is gone has had its attempt.
async fn attempts(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let dead = kind.pubsub(proxy.address(), directory.path(), "").await;
    let dead = dead.expect("it opens");
    let first = join(&*dead, &[]).await;
    let alive = opened(server.address(), "").await;
    alive
        .publish("topic", message("x"))
        .await
        .expect("a publish");
    assert_eq!(next(&*first, 1).await[0].attempt, 1);
    proxy.cut();
    let second = join(&*alive, &[]).await;
    let again = next(&*second, 1).await.remove(0);
    assert_eq!(again.attempt, 2);
    let nacked = second.nack(again.receipt, Duration::ZERO).await;
    nacked.expect("a nack");
    assert_eq!(next(&*second, 1).await[0].attempt, 3);
    drop(second);
    let third = join(&*alive, &[]).await;
    assert_eq!(next(&*third, 1).await[0].attempt, 4);
}

/// The exchange has the name of the topic, the queue that of group and topic; what somebody else put there is an event.
async fn of_dapr(server: Server) {
    let settings = ", { name: queueType, value: classic }, { name: durable, value: \"true\" }, \
        { name: deletedWhenUnused, value: \"false\" }, { name: maxBacklog, value: 0 }, \
        { name: publisherConfirm, value: \"true\" }, { name: reconnectWaitSeconds, value: 3 }";
    let driver = opened(server.address(), settings).await;
    let consumer = join(&*driver, &[]).await;
    let queue = ", { name: queueName, value: group-topic }, { name: durable, value: true }";
    let strange = binding(server.address(), queue).await;
    // A binding has no `x-queue-type`, which the server takes for a classic queue.
    let strange = strange.unwrap_or_else(|error| panic!("{}", error.chain()));
    let created = input::create(&*strange, "{}", &[("colour", "blue")]).await;
    created.expect("it is created");
    let received = next(&*consumer, 1).await.remove(0);
    assert_eq!(received.message.data, "{}");
    assert_eq!(
        received.message.content_type,
        "application/cloudevents+json"
    );
    let pair = ("colour".to_owned(), "blue".to_owned());
    assert_eq!(received.message.attributes, [pair]);
    let described = driver.describe().expect("a description");
    let expected = format!("at {}, virtual host `/`, classic queues", server.address());
    assert!(
        described.starts_with("RabbitMQ 3.") && described.ends_with(&expected),
        "{described}"
    );
    assert!(!described.contains("guest"), "{described}");
}

async fn routed(server: Server) {
    let driver = opened(server.address(), ", { name: exchangeKind, value: topic }").await;
    let consumer = join(&*driver, &[("routingKey", "a.*, b.#")]).await;
    for key in ["a.x", "c.x", "b.x.y"] {
        let keyed = Message {
            attributes: vec![("routingKey".to_owned(), key.to_owned())],
            ..message(key)
        };
        driver.publish("topic", keyed).await.expect("a publish");
    }
    assert_eq!(take(&*consumer, 2).await, ["a.x", "b.x.y"]);
}

async fn expired(server: Server) {
    let settings =
        ", { name: ttlInSeconds, value: 1 }, { name: enableDeadLetter, value: \"true\" }";
    let driver = opened(server.address(), settings).await;
    let _consumer = join(&*driver, &[]).await;
    driver
        .publish("topic", message("late"))
        .await
        .expect("a publish");
    // Group and topic make the name of the queue with what was dropped.
    let other = ", { name: clientName, value: other }, { name: maxLen, value: 1000000 }";
    let reader = opened(server.address(), other).await;
    let letters = reader
        .subscribe("group-topic", "dlq", SubscribeOptions::default())
        .await;
    let letters = letters.unwrap_or_else(|error| panic!("{}", error.chain()));
    assert_eq!(take(&*letters, 1).await, ["late"]);
}

/// Somebody deletes the queue under the feet of a member.
async fn remade(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let settings = ", { name: deletedWhenUnused, value: \"true\" }";
    let driver = kind
        .pubsub(server.address(), directory.path(), settings)
        .await
        .expect("it opens");
    assert!(!driver.features().durable);
    let consumer = join(&*driver, &[]).await;
    driver
        .publish("topic", message("1"))
        .await
        .expect("a publish");
    assert_eq!(take(&*consumer, 1).await, ["1"]);
    tokio::task::block_in_place(|| server.restart());
    // The queue ended with its consumer; the member makes it again.
    let text = loop {
        let published = driver.publish("topic", message("2")).await;
        if let Err(error) = published {
            super::check(&error);
        }
        let waiting = tokio::time::timeout(Duration::from_millis(300), consumer.pull(1));
        if let Ok(Ok(mut received)) = waiting.await {
            break received.remove(0).message.data;
        }
    };
    assert_eq!(text, "2");
}

async fn error(address: SocketAddr, more: &str) -> Error {
    open(address, more).await.err().expect("an error")
}
