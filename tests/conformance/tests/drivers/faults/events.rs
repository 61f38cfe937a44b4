//! Events through restarts: none is lost, and one comes again only where its publish or its acknowledgement was in doubt.

use super::{Kinds, Test, check, run};
use parking_lot::Mutex;
use servers::{Proxy, Server};
use std::{
    collections::{HashMap, HashSet},
    env,
    sync::Arc,
    time::Duration,
};
use wythe_blocks::pubsub::{Consumer, Driver, Message, SubscribeOptions};

pub(super) const TESTS: &[(&str, Test)] = &[("events_survive_three_restarts", |kind, server| {
    run(restarts(kind, server))
})];

pub(super) const TAKEN_OVER: &[(&str, Test)] =
    &[("events_of_a_dead_host_go_to_another", |kind, server| {
        run(taken_over(kind, server))
    })];

pub(super) const OF_REDIS: &[(&str, Test)] = &[(
    "a_group_that_the_server_lost_begins_anew",
    |kind, server| run(renewed(kind, server)),
)];

/// Events of the test; `WYTHE_MESSAGES` makes it more.
const EVENTS: usize = 10_000;
const BATCH: usize = 20;
/// Breaks of the connection in the test.
const BREAKS: usize = 4;

pub(super) fn message(number: usize) -> Message {
    Message {
        data: number.to_string().into(),
        content_type: "text/plain".into(),
        ..Message::default()
    }
}

pub(super) fn number(message: &Message) -> usize {
    String::from_utf8_lossy(&message.data)
        .parse()
        .expect("a number")
}

/// Publishes until each event is acknowledged; returns those that were published more than once, as nobody knew.
pub(super) async fn publish(
    driver: Arc<dyn Driver>,
    count: usize,
    progress: Arc<Mutex<usize>>,
) -> HashSet<usize> {
    let mut doubtful = HashSet::new();
    let mut left: Vec<usize> = (0..count).rev().collect();
    while !left.is_empty() {
        let batch = left.split_off(left.len().saturating_sub(BATCH));
        let messages = batch.iter().map(|number| message(*number)).collect();
        let answers = driver.publish_many("topic", messages).await;
        let mut failed = false;
        for (number, answer) in batch.into_iter().zip(answers) {
            if let Err(error) = answer {
                check(&error);
                (failed, _) = (true, doubtful.insert(number));
                left.push(number);
            }
        }
        *progress.lock() = count - left.len();
        if failed {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    doubtful
}

/// Takes until each event has come; returns how often each was acknowledged, and those of which nobody knows.
pub(super) async fn take(
    consumer: &dyn Consumer,
    count: usize,
) -> (HashMap<usize, usize>, HashSet<usize>) {
    let (mut acknowledged, mut doubtful) = (HashMap::new(), HashSet::new());
    while acknowledged.len() < count {
        let received = match consumer.pull(100).await {
            Ok(received) => received,
            Err(error) => {
                check(&error);
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let receipts = received.iter().map(|one| one.receipt.clone()).collect();
        let answers = consumer.ack(receipts).await;
        for (one, answer) in received.iter().zip(answers) {
            let number = number(&one.message);
            *acknowledged.entry(number).or_insert(0) += 1;
            if answer.is_err() {
                doubtful.insert(number);
            }
        }
    }
    (acknowledged, doubtful)
}

/// Finds every event, and none again of which both sides were sure, but for so many whose acknowledgement has no answer.
pub(super) fn verify(
    count: usize,
    acknowledged: &HashMap<usize, usize>,
    doubtful: (&HashSet<usize>, &HashSet<usize>),
    unanswered: usize,
) {
    let lost: Vec<_> = (0..count)
        .filter(|number| !acknowledged.contains_key(number))
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let twice = acknowledged.iter().filter(|(_, times)| **times > 1);
    let unexplained: Vec<_> = twice
        .map(|(number, _)| number)
        .filter(|number| !doubtful.0.contains(number) && !doubtful.1.contains(number))
        .collect();
    assert!(
        unexplained.len() <= unanswered,
        "came again without a reason: {unexplained:?}"
    );
}

/// The number of events of a test.
pub(super) fn events() -> usize {
    env::var("WYTHE_MESSAGES").map_or(EVENTS, |text| text.parse().expect("a number"))
}

/// Waits until so many events are published, or nobody publishes any more.
fn await_progress(progress: &Arc<Mutex<usize>>, count: usize) {
    loop {
        let goes_on = Arc::strong_count(progress) > 1;
        if *progress.lock() >= count {
            return;
        }
        assert!(goes_on, "the publisher has ended");
        std::thread::sleep(Duration::from_millis(1));
    }
}

async fn restarts(kind: &'static Kinds, server: Server) {
    let count = events();
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let more = kind.lease("2s") + ", { name: requestTimeout, value: 2s }";
    let driver = kind.pubsub(proxy.address(), directory.path(), &more).await;
    let driver = driver.expect("it opens");
    assert_eq!(driver.features().durable, (kind.lacks)().is_none());
    let consumer = driver
        .subscribe("topic", "group", SubscribeOptions::default())
        .await;
    let consumer = consumer.expect("a consumer");
    let progress = Arc::new(Mutex::new(0));
    let publisher = tokio::spawn(publish(driver.clone(), count, progress.clone()));
    let disturber = tokio::task::spawn_blocking(move || {
        for part in 1..=BREAKS {
            await_progress(&progress, count * part / (BREAKS + 1));
            match part {
                1 => server.restart(),
                BREAKS => proxy.drop_connections(),
                _ => {
                    server.kill();
                    server.restart();
                }
            }
        }
        (server, proxy)
    });
    // One that panics ends the test, as whoever waits for events that never come would not.
    let ((acknowledged, unsettled), republished, _running) = tokio::join!(
        take(&*consumer, count),
        async { publisher.await.expect("the publisher ends well") },
        async { disturber.await.expect("it was disturbed") },
    );
    let unanswered = BREAKS * kind.unanswered;
    verify(count, &acknowledged, (&republished, &unsettled), unanswered);
}

/// A host that is gone without a word, as a process that was killed: what it had goes to another one.
async fn taken_over(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let more = &kind.lease("1s");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let dead = kind
        .pubsub(proxy.address(), directory.path(), more)
        .await
        .expect("it opens");
    let alive = kind
        .pubsub(server.address(), directory.path(), more)
        .await
        .expect("it opens");
    let consumer = dead
        .subscribe("topic", "group", SubscribeOptions::default())
        .await;
    let consumer = consumer.expect("a consumer");
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
    let other = alive
        .subscribe("topic", "group", SubscribeOptions::default())
        .await;
    let other = other.expect("a consumer");
    let (acknowledged, _) = take(&*other, 3).await;
    assert!(
        acknowledged.values().all(|times| *times == 1),
        "{acknowledged:?}"
    );
    drop(consumer);
}

async fn renewed(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let driver = kind
        .pubsub(server.address(), directory.path(), "")
        .await
        .expect("it opens");
    let consumer = driver
        .subscribe("topic", "group", SubscribeOptions::default())
        .await;
    let consumer = consumer.expect("a consumer");
    driver
        .publish("topic", message(1))
        .await
        .expect("a publish");
    assert_eq!(take(&*consumer, 1).await.0.len(), 1);
    super::rows::say(server.address(), "FLUSHALL");
    // The reader finds out once it looks; whoever publishes meanwhile finds no group.
    let received = loop {
        driver
            .publish("topic", message(2))
            .await
            .expect("a publish");
        let pulled = tokio::time::timeout(Duration::from_millis(500), consumer.pull(1)).await;
        if let Ok(Ok(received)) = pulled {
            break received;
        }
    };
    assert_eq!(number(&received[0].message), 2);
}
