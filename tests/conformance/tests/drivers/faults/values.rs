//! State under trouble: what was acknowledged is there, and the driver comes back by itself.

use super::{Test, check, run, state, subject, trouble};
use crate::open::site;
use servers::{Proxy, Sentinel, Server};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};
use wythe_blocks::{
    Kind,
    state::{Driver, Put},
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("state_loses_nothing_and_comes_back", |server| {
        run(writers(server));
    }),
    ("a_write_that_is_cut_short_is_unknown", |server| {
        run(cut_short(server));
    }),
    ("components_share_a_connection", |server| {
        run(shared(server))
    }),
    ("sentinels_are_asked_for_the_server", |server| {
        run(sentinels(server));
    }),
    ("a_server_that_is_less_durable_is_not_used", |server| {
        run(less_durable(server));
    }),
];

const WRITERS: usize = 8;

/// The numbers that a key was given: the last one that was acknowledged, and the last one that was tried.
struct Written {
    key: String,
    acknowledged: u64,
    tried: u64,
}

impl Written {
    /// Checks that the last number that was acknowledged is there, or one that came later.
    async fn check(&self, driver: &dyn Driver) {
        let entry = loop {
            match driver.get(&(&self.key).into()).await {
                Ok(entry) => break entry.expect("an entry"),
                Err(error) => check(&error),
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        let found: u64 = String::from_utf8_lossy(&entry.value)
            .parse()
            .expect("a number");
        assert!(
            (self.acknowledged..=self.tried).contains(&found),
            "`{}` is {found}, of {} acknowledged and {} tried",
            self.key,
            self.acknowledged,
            self.tried
        );
    }
}

async fn write(driver: Arc<dyn Driver>, key: String, is_over: Arc<AtomicBool>) -> Written {
    let mut written = Written {
        key,
        acknowledged: 0,
        tried: 0,
    };
    while !is_over.load(SeqCst) {
        written.tried += 1;
        let put = Put::new(&written.key, written.tried.to_string());
        match driver.put(put).await {
            Ok(_) => written.acknowledged = written.tried,
            Err(error) => {
                check(&error);
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
    written
}

async fn writers(server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Arc::new(server);
    let proxy = Arc::new(Proxy::start(server.address()).expect("a proxy"));
    let more = ", { name: readTimeout, value: 1s }";
    let driver = state(proxy.address(), directory.path(), more).await;
    let driver = driver.expect("it opens");
    assert!(driver.features().durable, "the server syncs each write");
    let is_over = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            tokio::spawn(write(
                driver.clone(),
                format!("key-{number}"),
                is_over.clone(),
            ))
        })
        .collect();
    trouble(&server, &proxy).await;
    is_over.store(true, SeqCst);
    for writer in writers {
        let written = writer.await.expect("a writer ends well");
        assert!(
            written.acknowledged > 20,
            "{} is too little",
            written.acknowledged
        );
        written.check(&*driver).await;
    }
}

/// A read that is cut short has changed nothing; of a write nobody knows.
async fn cut_short(server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let more = ", { name: readTimeout, value: 300ms }";
    let driver = state(proxy.address(), directory.path(), more).await;
    let driver = driver.expect("it opens");
    proxy.silence();
    let error = driver.put(Put::new("a", "1")).await.expect_err("silence");
    assert_eq!(error.kind(), Kind::UnknownOutcome, "{}", error.chain());
    proxy.restore();
    while driver.health().await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    proxy.silence();
    let error = driver.get(&"a".into()).await.expect_err("silence");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    proxy.restore();
    proxy.cut();
    // Whatever was under way is over by now: who cannot connect has changed nothing.
    while driver.health().await.is_ok() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = driver.put(Put::new("a", "2")).await.expect_err("no way");
    assert_eq!(error.kind(), Kind::Unavailable, "{}", error.chain());
    proxy.restore();
    while driver.health().await.is_err() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    driver.put(Put::new("a", "3")).await.expect("it is back");
}

/// The features rest on the server's settings, which are read again with each connection.
async fn less_durable(server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let driver = state(proxy.address(), directory.path(), "").await;
    let driver = driver.expect("it opens");
    driver.put(Put::new("a", "1")).await.expect("a put");
    let set = |policy: &str| {
        let answer = super::rows::say(
            server.address(),
            &format!("CONFIG SET appendfsync {policy}"),
        );
        assert_eq!(answer, "+OK");
        proxy.drop_connections();
    };
    set("everysec");
    let error = loop {
        match driver.put(Put::new("a", "2")).await {
            Err(error) if error.message().contains("does not sync each write") => break error,
            Err(error) => check(&error),
            Ok(_) => {}
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(error.kind(), Kind::Unavailable);
    assert!(driver.health().await.is_err());
    let described = driver.describe().expect("a description");
    assert!(
        described.ends_with("not durable (appendfsync everysec)"),
        "{described}"
    );
    set("always");
    while driver.put(Put::new("a", "3")).await.is_err() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// State and locks of a tenant over one server are one connection; those of another tenant have their own.
async fn shared(server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let registry = wythe_drivers::registry();
    let opened = async |tenant: &str| {
        let mut site = site(directory.path());
        site.tenant = tenant.parse().expect("a name");
        let (state, lock) = (
            subject("state", proxy.address(), ""),
            subject("lock", proxy.address(), ""),
        );
        let state = registry.state.open(&state, site.clone()).await;
        let lock = registry.lock.open(&lock, site).await;
        (state.expect("it opens"), lock.expect("it opens"))
    };
    let (state, _lock) = opened("one").await;
    assert_eq!(proxy.accepted(), 1);
    let _others = opened("two").await;
    assert_eq!(proxy.accepted(), 2);
    state.put(Put::new("a", "1")).await.expect("a put");
    assert_eq!(proxy.accepted(), 2);
}

async fn sentinels(server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let address = server.address();
    let sentinel = Server::start(Sentinel { server: address }).expect("a sentinel");
    let named = |name: &str| {
        format!(
            ", {{ name: failover, value: true }}, {{ name: sentinelMasterName, value: {name} }}, {{ name: ttlInSeconds, value: 100 }}"
        )
    };
    let driver = state(sentinel.address(), directory.path(), &named("main")).await;
    let driver = driver.expect("it opens");
    assert!(
        !driver.features().linearizable,
        "another one may take its place"
    );
    driver.put(Put::new("a", "1")).await.expect("a put");
    let left = super::rows::say(address, "TTL a");
    assert!(left == ":100" || left == ":99", "{left}");
    let described = driver.describe().expect("a description");
    assert!(
        described.contains("at `main` of the sentinels 127.0.0.1:"),
        "{described}"
    );
    let other = state(sentinel.address(), directory.path(), &named("other")).await;
    let error = other.err().expect("an error");
    let expected = "the sentinels know no server `other`: check `sentinelMasterName`";
    assert!(error.message().contains(expected), "{error}");
}
