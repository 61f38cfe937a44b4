//! Topics and queues over a network that fails: nothing is lost, and what a host had that is gone goes to another one.

use crate::{
    faults::{
        events::{events, message, number, publish, take, verify},
        run,
    },
    open::{component, site},
};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use servers::{Moto, Proxy, Server};
use std::{collections::HashSet, net::SocketAddr, path::Path, sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Error, Kind, Result, Trace,
    bindings::{self, Delivery, Request, Sink},
    pubsub::{Consumer, Driver, SubscribeOptions},
};

pub(super) const TESTS: [(&str, fn()); 7] = [
    ("events_survive_a_network_that_fails", || run(cuts())),
    ("events_of_a_dead_host_go_to_another", || run(taken_over())),
    ("topics_and_queues_that_are_gone_are_made_anew", || {
        run(renewed())
    }),
    ("entities_of_others_are_not_made", || run(unmanaged())),
    ("an_order_is_kept_by_queues_that_keep_one", || run(fifo())),
    ("a_queue_delivers_until_it_is_acknowledged", || run(queue())),
    ("a_notification_reaches_a_queue", || run(notified())),
];

fn settings(address: SocketAddr, more: &str) -> String {
    format!(
        "[{{ name: endpoint, value: \"http://{address}\" }}, {{ name: region, value: us-east-1 }}, \
         {{ name: accessKey, value: a }}, {{ name: secretKey, value: b }}{more}]"
    )
}

async fn pubsub(address: SocketAddr, directory: &Path, more: &str) -> Result<Arc<dyn Driver>> {
    let registry = wythe_drivers::registry();
    let component = component("pubsub", "aws.snssqs", &settings(address, more));
    registry.pubsub.open(&component, site(directory)).await
}

async fn binding(
    kind: &str,
    address: SocketAddr,
    directory: &Path,
    more: &str,
) -> Result<Arc<dyn bindings::Driver>> {
    let registry = wythe_drivers::registry();
    let component = component("bindings", kind, &settings(address, more));
    registry.bindings.open(&component, site(directory)).await
}

async fn subscribe(driver: &dyn Driver) -> Box<dyn Consumer> {
    let joined = driver.subscribe("topic", "group", SubscribeOptions::default());
    joined.await.expect("a consumer")
}

/// The server keeps nothing over a restart, so that the network fails in its place.
async fn cuts() {
    // The server takes one request at a time, in Python.
    let count = events() / 5;
    let server = Server::start(Moto::default()).expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let more = ", { name: messageVisibilityTimeout, value: 3 }, { name: timeout, value: 5s }";
    let driver = pubsub(proxy.address(), directory.path(), more)
        .await
        .expect("it opens");
    let consumer = subscribe(&*driver).await;
    let progress = Arc::new(Mutex::new(0));
    let publisher = tokio::spawn(publish(driver.clone(), count, progress.clone()));
    let disturber = tokio::task::spawn_blocking(move || {
        for part in 1..=4 {
            while *progress.lock() < count * part / 5 {
                std::thread::sleep(Duration::from_millis(1));
            }
            match part {
                1 => proxy.drop_connections(),
                2 => {
                    proxy.cut();
                    std::thread::sleep(Duration::from_millis(500));
                    proxy.restore();
                }
                3 => {
                    server.pause();
                    std::thread::sleep(Duration::from_secs(3));
                    server.resume();
                }
                _ => {
                    proxy.silence();
                    std::thread::sleep(Duration::from_secs(3));
                    proxy.drop_connections();
                    proxy.restore();
                }
            }
        }
        (server, proxy)
    });
    let (acknowledged, unsettled) = take(&*consumer, count).await;
    let republished = publisher.await.expect("the publisher ends well");
    let _running = disturber.await.expect("it was disturbed");
    verify(count, &acknowledged, (&republished, &unsettled), 0);
}

async fn taken_over() {
    let server = Server::start(Moto::default()).expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: messageVisibilityTimeout, value: 1 }, { name: timeout, value: 10s }";
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let dead = pubsub(proxy.address(), directory.path(), more)
        .await
        .expect("it opens");
    let alive = pubsub(server.address(), directory.path(), more)
        .await
        .expect("it opens");
    let consumer = subscribe(&*dead).await;
    for number in 0..3 {
        alive
            .publish("topic", message(number))
            .await
            .expect("a publish");
    }
    let mut had = HashSet::new();
    while had.len() < 3 {
        let received = consumer.pull(10).await.expect("messages");
        had.extend(received.iter().map(|one| number(&one.message)));
    }
    proxy.cut();
    let other = subscribe(&*alive).await;
    let (acknowledged, _) = take(&*other, 3).await;
    assert!(
        acknowledged.values().all(|times| *times == 1),
        "{acknowledged:?}"
    );
    drop(consumer);
}

async fn renewed() {
    let server = Server::start(Moto::default()).expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let driver = pubsub(server.address(), directory.path(), "")
        .await
        .expect("it opens");
    let consumer = subscribe(&*driver).await;
    driver
        .publish("topic", message(1))
        .await
        .expect("a publish");
    assert_eq!(take(&*consumer, 1).await.0.len(), 1);
    server.kill();
    let error = driver
        .publish("topic", message(2))
        .await
        .expect_err("no server");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    server.restart();
    // Whoever publishes before the queue is there again finds nobody.
    let received = loop {
        let _ = driver.publish("topic", message(3)).await;
        let pulled = tokio::time::timeout(Duration::from_millis(500), consumer.pull(1)).await;
        if let Ok(Ok(received)) = pulled {
            break received;
        }
    };
    assert_eq!(number(&received[0].message), 3);
}

async fn unmanaged() {
    let server = Server::start(Moto::default()).expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: disableEntityManagement, value: true }";
    let driver = pubsub(server.address(), directory.path(), more)
        .await
        .expect("it opens");
    let error = driver
        .publish("topic", message(1))
        .await
        .expect_err("no topic");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    assert!(
        error
            .message()
            .contains("the topic `topic`: make it, or leave out"),
        "{error}"
    );
    let joined = driver.subscribe("topic", "group", SubscribeOptions::default());
    let error = joined.await.err().expect("no queue");
    assert!(
        error
            .message()
            .contains("the queue `group`: make it, or leave out"),
        "{error}"
    );
    let made = pubsub(server.address(), directory.path(), "")
        .await
        .expect("it opens");
    drop(subscribe(&*made).await);
    made.close().await.expect("it closes");
    let consumer = subscribe(&*driver).await;
    driver
        .publish("topic", message(2))
        .await
        .expect("a publish");
    assert_eq!(take(&*consumer, 1).await.0.len(), 1);
    for name in ["a.b", "", "a/b"] {
        let error = driver.publish(name, message(1)).await.expect_err(name);
        assert_eq!(error.kind(), Kind::Invalid, "`{name}`: {error}");
    }
}

async fn fifo() {
    let server = Server::start(Moto::default()).expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: fifo, value: true }";
    let driver = pubsub(server.address(), directory.path(), more)
        .await
        .expect("it opens");
    let consumer = subscribe(&*driver).await;
    // Equal messages are two.
    let numbers = [1, 1, 2, 3];
    for number in numbers {
        driver
            .publish("topic", message(number))
            .await
            .expect("a publish");
    }
    let mut had = Vec::new();
    while had.len() < numbers.len() {
        let received = consumer.pull(10).await.expect("messages");
        let receipts = received.iter().map(|one| one.receipt.clone()).collect();
        assert!(consumer.ack(receipts).await.iter().all(Result::is_ok));
        had.extend(received.iter().map(|one| number(&one.message)));
    }
    assert_eq!(had, numbers);
}

/// An app that refuses the first attempts, and tells what it got.
struct App {
    got: Mutex<Vec<(String, u32)>>,
    done: CancellationToken,
}

#[async_trait]
impl Sink for App {
    fn max_bytes(&self) -> u64 {
        1 << 20
    }

    async fn deliver(&self, delivery: Delivery) -> Result<Bytes> {
        let text = String::from_utf8_lossy(&delivery.data).into_owned();
        let is_last = text == "last";
        self.got.lock().push((text, delivery.attempt));
        if delivery.attempt == 1 {
            return Err(Error::unavailable("not yet"));
        }
        if is_last {
            self.done.cancel();
        }
        Ok(Bytes::new())
    }
}

async fn create(driver: &dyn bindings::Driver, data: &str) -> Result<bindings::Outcome> {
    let request = Request {
        operation: "create",
        data: &Bytes::copy_from_slice(data.as_bytes()),
        metadata: &[],
        max_bytes: 1 << 20,
        trace: Trace::start(),
        account: None,
    };
    driver.invoke(request).await
}

async fn queue() {
    let server = Server::start(Moto::default()).expect("a server");
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: queueName, value: queue }";
    let missing = binding("aws.sqs", server.address(), directory.path(), more).await;
    let error = missing.err().expect("no queue");
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(
        error
            .message()
            .contains("there is no queue `queue`: make it"),
        "{error}"
    );
    let sqs = ("sqs", "us-east-1");
    let made = r#"{"QueueName":"queue"}"#;
    Moto::json(server.address(), sqs, "AmazonSQS.CreateQueue", made);
    let opened = binding("aws.sqs", server.address(), directory.path(), more).await;
    let driver = opened.expect("it opens");
    for data in ["first", "last"] {
        create(&*driver, data).await.expect("it is sent");
    }
    assert_eq!(
        create(&*driver, "").await.expect_err("nothing").kind(),
        Kind::Invalid
    );
    deliveries(&server, &*driver).await;
}

/// Takes what was sent; each fails once.
async fn deliveries(server: &Server, driver: &dyn bindings::Driver) {
    let app = Arc::new(App {
        got: Mutex::default(),
        done: CancellationToken::new(),
    });
    let read = driver.read(app.clone(), app.done.clone());
    read.await.expect("it ends as it is told");
    let got: HashSet<_> = app.got.lock().iter().cloned().collect();
    let own = |text: &str, attempt| (text.to_owned(), attempt);
    let expected = [
        own("first", 1),
        own("first", 2),
        own("last", 1),
        own("last", 2),
    ];
    // The first one may come after the last one's second attempt.
    assert!(
        expected.iter().filter(|one| got.contains(*one)).count() >= 3,
        "{got:?}"
    );
    let counted = r#"{"QueueUrl":"http://localhost/123456789012/queue","AttributeNames":["ApproximateNumberOfMessages"]}"#;
    let left = Moto::json(
        server.address(),
        ("sqs", "us-east-1"),
        "AmazonSQS.GetQueueAttributes",
        counted,
    );
    let rest = usize::from(!got.contains(&own("first", 2)));
    assert!(
        left.contains(&format!("\"{rest}\"")) || left.contains("\"0\""),
        "{left}"
    );
}

async fn notified() {
    let server = Server::start(Moto::default()).expect("a server");
    let address = server.address();
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: topicArn, value: \"arn:aws:sns:us-east-1:123456789012:topic\" }";
    let missing = binding("aws.sns", address, directory.path(), more).await;
    let error = missing.err().expect("no topic");
    assert!(
        error.message().contains("there is no topic `arn:aws:sns:"),
        "{error}"
    );
    let events = pubsub(address, directory.path(), "")
        .await
        .expect("it opens");
    let consumer = subscribe(&*events).await;
    let driver = binding("aws.sns", address, directory.path(), more).await;
    let driver = driver.expect("it opens");
    let data = r#"{"message":"hello","subject":"s"}"#;
    let answer = create(&*driver, data).await.expect("it is sent");
    assert_eq!(answer.metadata[0].0, "messageID");
    let received = consumer.pull(1).await.expect("a message");
    assert_eq!(received[0].message.data, "hello");
    assert_eq!(
        create(&*driver, "hello").await.expect_err("no JSON").kind(),
        Kind::Invalid
    );
}
