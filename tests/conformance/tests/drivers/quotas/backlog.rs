//! Bytes of events that wait in the queues of a tenant.

use super::run;
use crate::{
    list,
    open::{component, site},
};
use conformance::quotas;
use libtest_mimic::Trial;
use std::{path::Path, sync::Arc};
use wythe_blocks::{
    Kind, Site,
    pubsub::{Driver, Message, SubscribeOptions},
    quota::Ledger,
};
use wythe_manifest::Metered;

const LIMIT: u64 = 1 << 20;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for driver in list::of("pubsub")
        .filter(|one| one.is_counted())
        .map(list::Subject::name)
    {
        let name = format!("quotas::pubsub.{driver}::what_waits_is_counted");
        trials.push(Trial::test(name, move || {
            run(counted(&driver));
            Ok(())
        }));
    }
    trials
}

async fn open(driver: &str, directory: &Path, ledger: &Arc<Ledger>) -> Arc<dyn Driver> {
    let site = Site {
        ledger: Some(ledger.clone()),
        ..site(directory)
    };
    let (component, registry) = (component("pubsub", driver, ""), wythe_drivers::registry());
    let opened = registry.pubsub.open(&component, site).await;
    opened.expect("it opens")
}

fn message() -> Message {
    Message {
        data: vec![b'x'; 100 << 10].into(),
        ..Message::default()
    }
}

async fn counted(driver: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = Ledger::new("default".parse().expect("a name"));
    ledger.set(Some(&quotas("backlogBytes: 1MiB")));
    let used = || ledger.readings()[Metered::BacklogBytes as usize].used;
    let queue = open(driver, directory.path(), &ledger).await;
    // Nobody waits for it, so that it takes no room.
    queue.publish("orders", message()).await.expect("a publish");
    assert_eq!(used(), 0);
    let options = SubscribeOptions::default;
    let consumer = queue.subscribe("orders", "shop", options()).await;
    let consumer = consumer.expect("a consumer");
    for _ in 0..10 {
        queue.publish("orders", message()).await.expect("room");
    }
    let full = used();
    assert!(full > 1_000 << 10 && full <= LIMIT, "{full}");
    let answers = queue
        .publish_many("orders", vec![message(), message()])
        .await;
    for answer in answers {
        let error = answer.expect_err("no room");
        assert_eq!(error.kind(), Kind::Exhausted);
        assert!(
            error
                .message()
                .contains("`quotas.backlogBytes`, which is 1048576"),
            "{error}"
        );
        assert!(error.retry_after().is_some(), "{error:?}");
    }
    assert_eq!(used(), full);
    let got = consumer.pull(1).await.expect("a message");
    let receipts = got.into_iter().map(|received| received.receipt);
    for answer in consumer.ack(receipts.collect()).await {
        answer.expect("an answer");
    }
    assert_eq!(used(), full / 10 * 9);
    queue.publish("orders", message()).await.expect("room");
    drop(consumer);
    queue.close().await.expect("it closes");
    assert_eq!(used(), 0, "what is not open is not held");
    if queue.features().durable {
        reopened(driver, directory.path(), (&ledger, full)).await;
    }
}

/// Ten events, as they are stored, which is less than was drawn for them.
async fn reopened(driver: &str, directory: &Path, (ledger, drawn): (&Arc<Ledger>, u64)) {
    let used = || ledger.readings()[Metered::BacklogBytes as usize].used;
    let queue = open(driver, directory, ledger).await;
    assert!(used() > 1_000 << 10 && used() <= drawn, "{}", used());
    let purged = queue.purge("orders", Some("shop"), false).await;
    assert_eq!(purged.expect("a purge"), 10);
    assert_eq!(used(), 0);
    queue.close().await.expect("it closes");
}
