//! Topics of a binding: what is created in one is delivered from it.

use super::item;
use crate::open::{component, site};
use conformance::bindings::{Ear, Reading, ask};
use servers::Server;
use std::{collections::BTreeSet, net::SocketAddr, path::Path, sync::Arc};
use wythe_blocks::{Kind, Result, bindings::Driver};

/// A group that begins with what there is.
fn settings() -> String {
    item("initialOffset", "oldest") + &item("heartbeatInterval", "200ms")
}

async fn binding(address: SocketAddr, more: &str) -> Result<Arc<dyn Driver>> {
    let metadata = format!("[{{ name: brokers, value: \"{address}\" }}{more}]");
    let component = component("bindings", "kafka", &metadata);
    let registry = wythe_drivers::registry();
    registry
        .bindings
        .open(&component, site(Path::new(".")))
        .await
}

async fn create(driver: &dyn Driver, data: &str, metadata: &[(&str, &str)]) -> Result<()> {
    let created = ask(driver, "create", data.as_bytes(), metadata).await;
    created.map(drop)
}

/// The texts and attempts of what was heard, once it is so many.
async fn until(ear: &Ear, count: usize) -> Vec<(String, u32)> {
    ear.until(count).await;
    ear.texts()
}

fn pairs(pairs: &[(&str, u32)]) -> Vec<(String, u32)> {
    let pairs = pairs.iter();
    pairs
        .map(|(text, attempt)| ((*text).to_owned(), *attempt))
        .collect()
}

pub(super) async fn taken(server: Server) {
    let more = settings() + &item("topics", "tasks") + &item("publishTopic", "tasks");
    let driver = binding(server.address(), &more).await.expect("it opens");
    let metadata = [("partitionKey", "seven"), ("colour", "blue")];
    create(&*driver, "a", &metadata)
        .await
        .expect("it is created");
    let ear = Ear::patient(3);
    let reading = Reading::start(driver.clone(), &ear);
    let expected = pairs(&[("a", 1), ("a", 2), ("a", 3)]);
    assert_eq!(until(&ear, 3).await, expected);
    let heard = ear.heard();
    for pair in [
        ("__topic", "tasks"),
        ("__offset", "0"),
        ("__key", "seven"),
        ("colour", "blue"),
    ] {
        let pair = (pair.0.to_owned(), pair.1.to_owned());
        assert!(heard[0].metadata.contains(&pair), "{:?}", heard[0]);
    }
    create(&*driver, "b", &[]).await.expect("it is created");
    until(&ear, 4).await;
    // Told to stop, it notes how often the one that is open was delivered.
    reading.end().await;
    driver.close().await.expect("it closes");
    let driver = binding(server.address(), &more).await.expect("it opens");
    let next = Ear::patient(1);
    let reading = Reading::start(driver.clone(), &next);
    assert_eq!(until(&next, 1).await, pairs(&[("b", 2)]));
    reading.end().await;
    driver.close().await.expect("it closes");
    // What was taken does not come to the next one.
    let driver = binding(server.address(), &more).await.expect("it opens");
    let last = Ear::patient(1);
    let reading = Reading::start(driver.clone(), &last);
    create(&*driver, "c", &[]).await.expect("it is created");
    assert_eq!(until(&last, 1).await, pairs(&[("c", 1)]));
    reading.end().await;
}

pub(super) async fn survives(server: Server) {
    let more = settings() + &item("topics", "tasks") + &item("publishTopic", "tasks");
    let driver = binding(server.address(), &more).await.expect("it opens");
    let ear = Ear::patient(1);
    let reading = Reading::start(driver.clone(), &ear);
    create(&*driver, "a", &[]).await.expect("it is created");
    until(&ear, 1).await;
    tokio::task::block_in_place(|| {
        server.kill();
        server.restart();
    });
    while let Err(error) = create(&*driver, "b", &[]).await {
        super::check(&error);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let texts = async {
        loop {
            let heard: BTreeSet<_> = ear.texts().into_iter().map(|(text, _)| text).collect();
            if heard.len() == 2 {
                return heard;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let heard = tokio::time::timeout(std::time::Duration::from_secs(60), texts).await;
    let heard = heard.expect("what was created after the restart");
    assert_eq!(heard, BTreeSet::from(["a".to_owned(), "b".to_owned()]));
    reading.end().await;
}

/// One binding reads several topics as a group, others write to one each.
pub(super) async fn several(server: Server) {
    let more = settings() + &item("topics", "one,two") + &item("consumerGroup", "readers");
    let reader = binding(server.address(), &more).await.expect("it opens");
    assert!(reader.features().operations.is_empty() && reader.features().input);
    let error = create(&*reader, "x", &[]).await.expect_err("no topic");
    assert_eq!(error.kind(), Kind::Unsupported);
    let ear = Ear::patient(1);
    let reading = Reading::start(reader.clone(), &ear);
    for topic in ["one", "two"] {
        let more = item("publishTopic", topic) + &item("maxMessageBytes", "1KiB");
        let writer = binding(server.address(), &more).await.expect("it opens");
        assert!(!writer.features().input && !writer.features().redelivers);
        create(&*writer, topic, &[]).await.expect("it is created");
        let error = create(&*writer, &"x".repeat(1_000), &[]).await;
        let error = error.expect_err("it is too large");
        assert_eq!(error.kind(), Kind::Invalid);
        assert!(error.message().contains("maxMessageBytes"), "{error}");
    }
    let heard: BTreeSet<_> = until(&ear, 2).await.into_iter().collect();
    assert_eq!(
        heard,
        pairs(&[("one", 1), ("two", 1)]).into_iter().collect()
    );
    let shown = reader.describe().expect("a line");
    assert!(shown.contains("as the group `readers`"), "{shown}");
    reading.end().await;
}
