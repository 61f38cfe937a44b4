//! The queue of a binding: what is created is delivered.

use super::binding;
use conformance::bindings::{Ear, Reading, ask};
use servers::Server;
use std::time::Duration;
use wythe_blocks::{
    Kind, Result,
    bindings::{Driver, Outcome},
};

pub(super) async fn create(
    driver: &dyn Driver,
    data: &str,
    metadata: &[(&str, &str)],
) -> Result<Outcome> {
    ask(driver, "create", data.as_bytes(), metadata).await
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
    let more = ", { name: queueName, value: tasks }";
    let driver = binding(server.address(), more).await.expect("it opens");
    create(&*driver, "a", &[]).await.expect("it is created");
    let ear = Ear::patient(3);
    let reading = Reading::start(driver.clone(), &ear);
    let expected = pairs(&[("a", 1), ("a", 2), ("a", 3)]);
    assert_eq!(until(&ear, 3).await, expected);
    create(&*driver, "b", &[]).await.expect("it is created");
    until(&ear, 4).await;
    // Told to stop, it gives back what waits for its second attempt.
    reading.end().await;
    let next = Ear::patient(1);
    let reading = Reading::start(driver.clone(), &next);
    assert_eq!(until(&next, 1).await, pairs(&[("b", 2)]));
    reading.end().await;
    let last = Ear::patient(1);
    let reading = Reading::start(driver.clone(), &last);
    tokio::time::sleep(Duration::from_millis(300)).await;
    reading.end().await;
    assert_eq!(last.texts(), []);
}

pub(super) async fn survives(server: Server) {
    let more = ", { name: queueName, value: tasks }, { name: durable, value: true }, { name: reconnectWaitInSeconds, value: 0 }";
    let driver = binding(server.address(), more).await.expect("it opens");
    let ear = Ear::patient(1);
    let reading = Reading::start(driver.clone(), &ear);
    create(&*driver, "a", &[]).await.expect("it is created");
    until(&ear, 1).await;
    for (name, count) in [("b", 2), ("c", 3)] {
        tokio::task::block_in_place(|| {
            server.kill();
            server.restart();
        });
        while let Err(error) = create(&*driver, name, &[]).await {
            super::super::check(&error);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        until(&ear, count).await;
    }
    reading.end().await;
}

pub(super) async fn first(server: Server) {
    let more = ", { name: queueName, value: tasks }, { name: maxPriority, value: 9 }, { name: prefetchCount, value: 1 }";
    let driver = binding(server.address(), more).await.expect("it opens");
    for (name, priority) in [("low", "1"), ("high", "9"), ("middle", "5")] {
        let created = create(&*driver, name, &[("priority", priority)]).await;
        created.expect("it is created");
    }
    let short = create(&*driver, "gone", &[("ttlInSeconds", "0")]).await;
    short.expect("it is created");
    // Each of these pairs is longer in a frame than its texts are.
    let names: Vec<_> = (0..8_000).map(|number| format!("{number:x}")).collect();
    let long: Vec<_> = names.iter().map(|name| (&**name, "")).collect();
    let wrong = create(&*driver, "x", &long).await;
    assert_eq!(wrong.err().map(|error| error.kind()), Some(Kind::Invalid));
    for pair in [("priority", "many"), ("ttlInSeconds", "4294968")] {
        let wrong = create(&*driver, "x", &[pair]).await;
        assert_eq!(wrong.err().map(|error| error.kind()), Some(Kind::Invalid));
    }
    let ear = Ear::patient(1);
    let reading = Reading::start(driver.clone(), &ear);
    let expected = pairs(&[("high", 1), ("middle", 1), ("low", 1)]);
    assert_eq!(until(&ear, 3).await, expected);
    reading.end().await;
}

pub(super) async fn exclusive(server: Server) {
    let more = ", { name: queueName, value: tasks }, { name: exclusive, value: true }";
    let driver = binding(server.address(), more).await.expect("it opens");
    create(&*driver, "a", &[]).await.expect("it is created");
    let ear = Ear::patient(1);
    let reading = Reading::start(driver.clone(), &ear);
    until(&ear, 1).await;
    let other = format!("{more}, {{ name: clientName, value: other }}");
    let refused = binding(server.address(), &other).await;
    let error = refused.err().expect("an error");
    assert_eq!(error.kind(), Kind::Conflict);
    let expected = "belongs to another connection alone (RESOURCE_LOCKED)";
    assert!(error.message().contains(expected), "{error}");
    reading.end().await;
}
