//! Queues over a network that fails and a server that restarts: nothing is lost, and what is refused comes again.

use super::settings;
use crate::{
    faults::{events::events, run},
    open::{component, site},
};
use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use servers::{Azurite, Proxy, Server, Service};
use std::{
    collections::{HashMap, HashSet},
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use wythe_blocks::{
    Error, Kind, Result, Trace,
    bindings::{Delivery, Driver, Outcome, Request, Sink},
};

pub(super) const TESTS: [(&str, fn()); 4] = [
    ("a_queue_delivers_until_it_is_acknowledged", || {
        run(refused())
    }),
    ("a_slow_app_gets_a_message_once", || run(held())),
    ("a_queue_that_is_missing_says_so", || run(missing())),
    ("messages_survive_restarts_and_a_network_that_fails", || {
        run(restarts())
    }),
];

const QUEUE: &str =
    ", { name: queueName, value: the-queue }, { name: pollingInterval, value: 100ms }";

async fn queue(address: SocketAddr, directory: &Path, more: &str) -> Result<Arc<dyn Driver>> {
    let metadata = settings(address, Azurite::KEY, &format!("{QUEUE}{more}"));
    let registry = wythe_drivers::registry();
    let component = component("bindings", "azure.storagequeues", &metadata);
    registry.bindings.open(&component, site(directory)).await
}

async fn send(driver: &dyn Driver, data: &[u8], metadata: &[(&str, &str)]) -> Result<Outcome> {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let metadata: Vec<_> = metadata.iter().map(own).collect();
    let request = Request {
        operation: "create",
        data: &Bytes::copy_from_slice(data),
        metadata: &metadata,
        max_bytes: 1 << 20,
        trace: Trace::start(),
        account: None,
    };
    driver.invoke(request).await
}

fn started() -> Server {
    Server::start(Azurite(Service::Queue)).expect("a server")
}

/// An app that counts what it gets, and stops once it has had enough.
struct App {
    got: Mutex<HashMap<Vec<u8>, u32>>,
    /// Attempts that it refuses.
    refused: u32,
    /// Time for which it works on each.
    work: Duration,
    enough: usize,
    done: CancellationToken,
}

impl App {
    fn new(enough: usize) -> Self {
        App {
            got: Mutex::default(),
            refused: 0,
            work: Duration::ZERO,
            enough,
            done: CancellationToken::new(),
        }
    }
}

#[async_trait]
impl Sink for App {
    fn max_bytes(&self) -> u64 {
        1 << 20
    }

    async fn deliver(&self, delivery: Delivery) -> Result<Bytes> {
        tokio::time::sleep(self.work).await;
        let told = delivery
            .metadata
            .iter()
            .find(|(name, _)| name == "dequeueCount");
        let told = told.map(|(_, count)| count.as_str());
        assert_eq!(told, Some(&*delivery.attempt.to_string()));
        if delivery.attempt <= self.refused {
            return Err(Error::unavailable("not yet"));
        }
        let mut got = self.got.lock();
        *got.entry(delivery.data.to_vec()).or_default() += 1;
        if got.len() >= self.enough {
            self.done.cancel();
        }
        Ok(Bytes::new())
    }
}

async fn refused() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: encodeBase64, value: true }, { name: decodeBase64, value: true }";
    let driver = queue(server.address(), directory.path(), more).await;
    let driver = driver.expect("it opens");
    let data: [&[u8]; 2] = [b"<first> & last\r\n", b"\x00\xff"];
    for data in data {
        send(&*driver, data, &[]).await.expect("it is sent");
    }
    let app = Arc::new(App {
        refused: 1,
        ..App::new(2)
    });
    let read = driver.read(app.clone(), app.done.clone()).await;
    read.expect("it ends as it is told");
    let got: HashSet<_> = app.got.lock().keys().cloned().collect();
    assert_eq!(got, HashSet::from(data.map(<[u8]>::to_vec)));
    // Nothing is left of what was acknowledged.
    let rest = Arc::new(App::new(1));
    send(&*driver, b"after", &[]).await.expect("it is sent");
    let read = driver.read(rest.clone(), rest.done.clone()).await;
    read.expect("it ends as it is told");
    assert!(rest.got.lock().contains_key(&b"after"[..]));
    for (data, metadata) in [
        (&b""[..], ("a", "b")),
        (&[b'x'; 60_000][..], ("a", "b")),
        (&b"x"[..], ("ttlInSeconds", "0")),
        (&b"x"[..], ("initialVisibilityDelay", "soon")),
        (&b"x"[..], ("initialVisibilityDelay", "1h")),
    ] {
        let error = send(&*driver, data, &[metadata]).await;
        assert_eq!(error.expect_err("no message").kind(), Kind::Invalid);
    }
    plain(&server, directory.path()).await;
}

/// Text goes as it is, other bytes do not.
async fn plain(server: &Server, directory: &Path) {
    let driver = queue(server.address(), directory, "").await;
    let driver = driver.expect("it opens");
    let text = "<a>&amp;\r\n\t\u{1f600}";
    let times = [("ttlInSeconds", "60"), ("initialVisibilityDelay", "1s")];
    let sent = send(&*driver, text.as_bytes(), &times).await;
    sent.expect("it is sent");
    let app = Arc::new(App::new(1));
    let read = driver.read(app.clone(), app.done.clone()).await;
    read.expect("it ends as it is told");
    assert!(app.got.lock().contains_key(text.as_bytes()));
    for data in [&b"\xff"[..], b"a\0b", "\u{ffff}".as_bytes()] {
        let error = send(&*driver, data, &[]).await.expect_err("no text");
        assert_eq!(error.kind(), Kind::Invalid, "{error}");
        assert!(error.message().contains("`encodeBase64`"), "{error}");
    }
}

/// A host says again and again that it still has a message.
async fn held() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let more = ", { name: visibilityTimeout, value: 1s }";
    let driver = queue(server.address(), directory.path(), more).await;
    let driver = driver.expect("it opens");
    send(&*driver, b"one", &[]).await.expect("it is sent");
    let slow = Arc::new(App {
        work: Duration::from_secs(3),
        ..App::new(1)
    });
    let other = Arc::new(App {
        work: slow.work,
        done: slow.done.clone(),
        ..App::new(1)
    });
    let stop = slow.done.clone();
    let (one, two) = tokio::join!(
        driver.read(slow.clone(), stop.clone()),
        driver.read(other.clone(), stop),
    );
    one.and(two).expect("they end as they are told");
    let got = |app: &App| app.got.lock().values().sum::<u32>();
    assert_eq!(got(&slow) + got(&other), 1);
}

async fn missing() {
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let unmanaged = ", { name: disableEntityManagement, value: true }";
    let error = queue(server.address(), directory.path(), unmanaged).await;
    let error = error.err().expect("no queue");
    assert_eq!(error.kind(), Kind::Unavailable);
    let expected = "there is no queue `the-queue`: make it, or check `queueName`";
    assert!(error.message().contains(expected), "{error}");
    let made = queue(server.address(), directory.path(), "").await;
    made.expect("it opens");
    let found = queue(server.address(), directory.path(), unmanaged).await;
    let found = found.expect("it is there");
    let described = found.describe().expect("a description");
    let expected = format!(
        "queue `the-queue` of account `wythe` at {}",
        server.address()
    );
    assert_eq!(described, expected);
    let wrong = settings(server.address(), "d3Jvbmc=", QUEUE);
    let component = component("bindings", "azure.storagequeues", &wrong);
    let registry = wythe_drivers::registry();
    let opened = registry.bindings.open(&component, site(directory.path()));
    let error = opened.await.err().expect("a wrong key");
    assert_eq!(error.kind(), Kind::Denied, "{error}");
}

/// Sends until the message is known to be there: what may be there already is sent again.
async fn send_all(driver: Arc<dyn Driver>, count: usize, progress: Arc<Mutex<usize>>) {
    for number in 0..count {
        while send(&*driver, number.to_string().as_bytes(), &[])
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        *progress.lock() = number;
    }
}

/// Restarts the server and breaks the way to it, as the senders get on.
fn disturb(server: &Server, proxy: &Proxy, count: usize, progress: &Mutex<usize>) {
    for part in 1..=5 {
        while *progress.lock() < count * part / 6 {
            std::thread::sleep(Duration::from_millis(1));
        }
        match part {
            2 => proxy.drop_connections(),
            4 => {
                proxy.cut();
                std::thread::sleep(Duration::from_millis(500));
                proxy.restore();
            }
            _ => server.restart(),
        }
    }
}

async fn restarts() {
    // The server takes a hundred or so in a second.
    let count = events() / 20;
    let server = started();
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let more = ", { name: timeout, value: 5s }, { name: visibilityTimeout, value: 3s }";
    let driver = queue(proxy.address(), directory.path(), more).await;
    let driver = driver.expect("it opens");
    let progress = Arc::new(Mutex::new(0));
    let sender = tokio::spawn(send_all(driver.clone(), count, progress.clone()));
    let disturber = tokio::task::spawn_blocking(move || {
        disturb(&server, &proxy, count, &progress);
        (server, proxy)
    });
    let app = Arc::new(App::new(count));
    let readers = (0..4).map(|_| driver.read(app.clone(), app.done.clone()));
    for read in futures::future::join_all(readers).await {
        read.expect("it ends as it is told");
    }
    sender.await.expect("all are sent");
    let _running = disturber.await.expect("it was disturbed");
    let got = app.got.lock();
    let lost = (0..count).filter(|number| !got.contains_key(number.to_string().as_bytes()));
    assert_eq!(lost.count(), 0);
}
