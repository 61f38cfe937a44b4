//! The queue of a binding: what is created is delivered.

use super::{binding, create};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use servers::Server;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Error, Kind, Result,
    bindings::{Delivery, Driver, Sink},
};

/// An app that takes what it is given from the attempt on that it wants.
struct Ear {
    from: u32,
    heard: Mutex<Vec<(String, u32)>>,
}

#[async_trait]
impl Sink for Ear {
    fn max_bytes(&self) -> u64 {
        1 << 20
    }

    async fn deliver(&self, delivery: Delivery) -> Result<Bytes> {
        let text = String::from_utf8_lossy(&delivery.data).into_owned();
        self.heard.lock().push((text, delivery.attempt));
        match delivery.attempt >= self.from {
            true => Ok(Bytes::new()),
            false => Err(Error::internal("refused, as the test wants it")),
        }
    }
}

impl Ear {
    fn new(from: u32) -> Arc<Self> {
        let heard = Mutex::default();
        Arc::new(Ear { from, heard })
    }

    /// The deliveries that it heard, once they are so many.
    async fn until(&self, count: usize) -> Vec<(String, u32)> {
        let enough = async {
            while self.heard.lock().len() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(60), enough).await;
        let heard = self.heard.lock().clone();
        assert!(in_time.is_ok(), "{heard:?}");
        heard
    }
}

/// Reads until the test says so.
struct Reading {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Reading {
    fn start(driver: &Arc<dyn Driver>, ear: &Arc<Ear>) -> Self {
        let (stop, driver, ear) = (CancellationToken::new(), driver.clone(), ear.clone());
        let until = stop.clone();
        let task = tokio::spawn(async move { driver.read(ear, until).await });
        Reading { stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        let ended = self.task.await.expect("it does not panic");
        ended.unwrap_or_else(|error| panic!("it ends well: {}", error.chain()));
    }
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
    let ear = Ear::new(3);
    let reading = Reading::start(&driver, &ear);
    let expected = pairs(&[("a", 1), ("a", 2), ("a", 3)]);
    assert_eq!(ear.until(3).await, expected);
    create(&*driver, "b", &[]).await.expect("it is created");
    ear.until(4).await;
    // Told to stop, it gives back what waits for its second attempt.
    reading.end().await;
    let next = Ear::new(1);
    let reading = Reading::start(&driver, &next);
    assert_eq!(next.until(1).await, pairs(&[("b", 2)]));
    reading.end().await;
    let last = Ear::new(1);
    let reading = Reading::start(&driver, &last);
    tokio::time::sleep(Duration::from_millis(300)).await;
    reading.end().await;
    assert_eq!(*last.heard.lock(), []);
}

pub(super) async fn survives(server: Server) {
    let more = ", { name: queueName, value: tasks }, { name: durable, value: true }, { name: reconnectWaitInSeconds, value: 0 }";
    let driver = binding(server.address(), more).await.expect("it opens");
    let ear = Ear::new(1);
    let reading = Reading::start(&driver, &ear);
    create(&*driver, "a", &[]).await.expect("it is created");
    ear.until(1).await;
    for (name, count) in [("b", 2), ("c", 3)] {
        tokio::task::block_in_place(|| {
            server.kill();
            server.restart();
        });
        while let Err(error) = create(&*driver, name, &[]).await {
            super::super::check(&error);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        ear.until(count).await;
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
    let wrong = create(&*driver, "x", &[("priority", "many")]).await;
    assert_eq!(wrong.err().map(|error| error.kind()), Some(Kind::Invalid));
    let ear = Ear::new(1);
    let reading = Reading::start(&driver, &ear);
    let expected = pairs(&[("high", 1), ("middle", 1), ("low", 1)]);
    assert_eq!(ear.until(3).await, expected);
    reading.end().await;
}

pub(super) async fn exclusive(server: Server) {
    let more = ", { name: queueName, value: tasks }, { name: exclusive, value: true }";
    let driver = binding(server.address(), more).await.expect("it opens");
    create(&*driver, "a", &[]).await.expect("it is created");
    let ear = Ear::new(1);
    let reading = Reading::start(&driver, &ear);
    ear.until(1).await;
    let other = format!("{more}, {{ name: clientName, value: other }}");
    let refused = binding(server.address(), &other).await;
    let error = refused.err().expect("an error");
    assert_eq!(error.kind(), Kind::Conflict);
    let expected = "belongs to another connection alone (RESOURCE_LOCKED)";
    assert!(error.message().contains(expected), "{error}");
    reading.end().await;
}
