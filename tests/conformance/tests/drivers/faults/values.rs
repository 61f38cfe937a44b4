//! State under trouble: what was acknowledged is there, and the driver comes back by itself.

use super::{Kinds, Test, await_refusal, check, run, trouble};
use crate::{backends::MEMCACHED, open::site};
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
    state::{Condition, Driver, Put},
};

pub(super) const TESTS: &[(&str, Test)] = &[
    ("state_loses_nothing_and_comes_back", |kind, server| {
        run(writers(kind, server))
    }),
    ("a_write_that_is_cut_short_is_unknown", |kind, server| {
        run(cut_short(kind, server))
    }),
];

/// Those of a server that forgets all when it restarts.
pub(super) const OF_CACHES: &[(&str, Test)] = &[
    ("state_that_was_forgotten_is_absent", |kind, server| {
        run(writers(kind, server))
    }),
    TESTS[1],
];

pub(super) const OF_REDIS: &[(&str, Test)] = &[
    ("components_share_a_connection", |kind, server| {
        run(shared(kind, server))
    }),
    ("sentinels_are_asked_for_the_server", |kind, server| {
        run(sentinels(kind, server))
    }),
    (
        "a_server_that_is_less_durable_is_not_used",
        |kind, server| run(less_durable(kind, server)),
    ),
];

const WRITERS: usize = 8;

/// The numbers that a key was given: the last one that was acknowledged, and the last one that was tried.
struct Written {
    key: String,
    acknowledged: u64,
    tried: u64,
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

/// Finds what was acknowledged, or what was tried after it; nothing where the server forgets.
async fn verify(driver: &dyn Driver, written: Written, forgets: bool) {
    assert!(
        written.acknowledged > 20,
        "{} is too little",
        written.acknowledged
    );
    let entry = loop {
        match driver.get(&(&written.key).into()).await {
            Ok(None) if forgets => return,
            Ok(entry) => break entry.expect("an entry"),
            Err(error) => check(&error),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    let found: u64 = String::from_utf8_lossy(&entry.value)
        .parse()
        .expect("a number");
    assert!(
        (written.acknowledged..=written.tried).contains(&found),
        "`{}` is {found}, of {} acknowledged and {} tried",
        written.key,
        written.acknowledged,
        written.tried
    );
}

/// Writes and reads an entry that nobody has written before, once the server is back.
async fn write_again(driver: &dyn Driver) {
    while let Err(error) = driver.put(Put::new("again", "1")).await {
        check(&error);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let entry = loop {
        match driver.get(&"again".into()).await {
            Ok(entry) => break entry.expect("an entry"),
            Err(error) => check(&error),
        }
    };
    assert_eq!(entry.value, "1");
}

async fn writers(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let server = Arc::new(server);
    let proxy = Arc::new(Proxy::start(server.address()).expect("a proxy"));
    let more = ", { name: requestTimeout, value: 1s }";
    let driver = kind.state(proxy.address(), directory.path(), more).await;
    let driver = driver.expect("it opens");
    let forgets = std::ptr::eq(kind.backend, &MEMCACHED);
    let is_durable = (kind.lacks)().is_none() && !forgets;
    assert_eq!(driver.features().durable, is_durable);
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
    if forgets {
        // All of it is gone by now but for what was written since, and it takes more.
        write_again(&*driver).await;
    }
    is_over.store(true, SeqCst);
    for writer in writers {
        verify(&*driver, writer.await.expect("a writer ends well"), forgets).await;
    }
}

/// A read that is cut short has changed nothing; of a write nobody knows.
async fn cut_short(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let more = ", { name: requestTimeout, value: 300ms }";
    let driver = kind.state(proxy.address(), directory.path(), more).await;
    let driver = driver.expect("it opens");
    proxy.silence();
    // The first write of an entry needs no look at it, whatever the driver.
    let mut first = Put::new("a", "1");
    first.options.condition = Condition::Absent;
    let error = driver.put(first).await.expect_err("silence");
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
async fn less_durable(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let driver = kind.state(proxy.address(), directory.path(), "").await;
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
    await_refusal(&*driver, "does not sync each write").await;
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
async fn shared(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let proxy = Proxy::start(server.address()).expect("a proxy");
    let registry = wythe_drivers::registry();
    let opened = async |tenant: &str| {
        let mut site = site(directory.path());
        site.tenant = tenant.parse().expect("a name");
        let (state, lock) = (
            kind.subject("state", proxy.address(), ""),
            kind.subject("lock", proxy.address(), ""),
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

async fn sentinels(kind: &'static Kinds, server: Server) {
    let directory = tempfile::tempdir().expect("a directory");
    let address = server.address();
    let sentinel = Server::start(Sentinel { server: address }).expect("a sentinel");
    let named = |name: &str| {
        format!(
            ", {{ name: failover, value: true }}, {{ name: sentinelMasterName, value: {name} }}, {{ name: ttlInSeconds, value: 100 }}"
        )
    };
    let driver = kind
        .state(sentinel.address(), directory.path(), &named("main"))
        .await;
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
    let other = kind
        .state(sentinel.address(), directory.path(), &named("other"))
        .await;
    let error = other.err().expect("an error");
    let expected = "the sentinels know no server `other`: check `sentinelMasterName`";
    assert!(error.message().contains(expected), "{error}");
}
