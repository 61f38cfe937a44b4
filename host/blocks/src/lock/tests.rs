//! Waiting, and what becomes of those who stop waiting, over a driver that answers when the test lets it.

use super::*;
use crate::{Key, Ready, Registry, Settings, Shared, Tenant, Trace};
use parking_lot::Mutex;
use std::{
    collections::HashMap,
    path::Path,
    sync::{atomic::AtomicU64, atomic::Ordering::Relaxed},
    time::{Instant, SystemTime},
};
use tokio::{sync::Semaphore, task::JoinHandle};
use wythe_manifest::{Grants, parse_resources};

const LONG: Duration = Duration::from_secs(60);

/// Knows no time: a grant ends by its release alone, and nobody is told when.
struct Slow {
    /// One permit for each answer to `acquire`.
    answers: Semaphore,
    asked: AtomicU64,
    held: Mutex<(HashMap<String, Grant>, u64)>,
}

impl Slow {
    fn held(&self) -> parking_lot::MutexGuard<'_, (HashMap<String, Grant>, u64)> {
        self.held.lock()
    }

    fn keys(&self) -> Vec<String> {
        self.held().0.keys().cloned().collect()
    }
}

#[async_trait]
impl Driver for Slow {
    fn features(&self) -> Features {
        Features { durable: false }
    }

    async fn acquire(&self, key: &Key, owner: &str, _: Duration) -> Result<Acquired> {
        self.asked.fetch_add(1, Relaxed);
        self.answers.acquire().await.unwrap().forget();
        let (held, last) = &mut *self.held();
        if held.contains_key(key.whole()) {
            return Ok(Acquired::Held { expires: None });
        }
        *last += 1;
        let grant = Grant {
            token: *last,
            expires: SystemTime::now() + LONG,
            owner: owner.to_owned(),
        };
        held.insert(key.whole().to_owned(), grant.clone());
        Ok(Acquired::Granted(grant))
    }

    async fn renew(&self, key: &Key, _: u64, _: Duration) -> Result<SystemTime> {
        Err(Error::unsupported(format!(
            "`{}` stays as it is, says lock||cart||.example",
            key.shown()
        )))
    }

    async fn release(&self, key: &Key, token: u64) -> Result<()> {
        let held = &mut self.held().0;
        match held.get(key.whole()) {
            Some(grant) if grant.token == token => held.remove(key.whole()),
            _ => return Err(Error::conflict(format!("`{}` is over", key.shown()))),
        };
        Ok(())
    }

    async fn holder(&self, key: &Key) -> Result<Option<Grant>> {
        Ok(self.held().0.get(key.whole()).cloned())
    }
}

struct Fixture {
    tenant: Arc<Tenant>,
    driver: Arc<Slow>,
}

async fn fixture(answers: usize, metadata: &str) -> Fixture {
    let driver = Arc::new(Slow {
        answers: Semaphore::new(answers),
        asked: AtomicU64::new(0),
        held: Mutex::default(),
    });
    let mut registry = Registry::default();
    let opened = driver.clone();
    registry.lock.add_raw("slow", move |_, _| {
        let driver: Arc<dyn Driver> = opened.clone();
        async move { Ok(Ready::new(|| async { Ok(driver) })) }
    });
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: locks }}\n\
         spec: {{ type: lock.slow, version: v1, metadata: [{metadata}] }}\n"
    );
    let (resources, problems) = parse_resources(&text, Path::new("locks.yaml"));
    assert!(problems.is_empty(), "{problems}");
    let settings = Settings::new("default".parse().unwrap(), "nowhere");
    let tenant = Tenant::new(settings, &Shared::default());
    tenant.open(&registry, &resources.components).await.unwrap();
    Fixture { tenant, driver }
}

fn operator(deadline: Duration) -> Call {
    let (tenant, app) = ("default".parse().unwrap(), "cart".parse().unwrap());
    Call::operator(tenant, app, Instant::now() + deadline)
}

impl Fixture {
    async fn acquire(&self, name: &str, wait: Duration) -> Result<Option<Lease>> {
        let lock = &self.tenant.lock;
        lock.acquire(&operator(LONG), "locks", name, LONG, wait)
            .await
    }

    async fn take(&self, name: &str) -> Lease {
        self.acquire(name, Duration::ZERO).await.unwrap().unwrap()
    }

    /// A task that waits for the lock and returns its token.
    #[expect(clippy::disallowed_methods, reason = "the test waits for it")]
    fn waiter(&self, deadline: Duration) -> JoinHandle<Option<u64>> {
        let (tenant, caller) = (self.tenant.clone(), operator(deadline));
        tokio::spawn(async move {
            let acquired = tenant.lock.acquire(&caller, "locks", "a", LONG, LONG).await;
            acquired.unwrap().map(|lease| lease.token())
        })
    }

    fn queues(&self) -> Arc<crate::Component<Configured>> {
        let lock = &self.tenant.lock;
        let slot = lock.components.find(&operator(LONG), "locks").unwrap();
        slot.component()
    }

    async fn asked(&self, times: u64) {
        until(|| self.driver.asked.load(Relaxed) >= times).await;
    }
}

/// Waits at most ten seconds for what happens a moment later.
async fn until(holds: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen within ten seconds");
}

const PLENTY: usize = 1_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiters_are_served_in_the_order_of_their_coming() {
    let fixture = fixture(PLENTY, "").await;
    let first = fixture.take("a").await;
    let mut waiters = Vec::new();
    for count in 1..=6 {
        waiters.push(fixture.waiter(LONG));
        let component = fixture.queues();
        until(|| component.driver().queues.waiters("lock||cart||a") == count).await;
        // One that has a waiter has also asked for its turn, a moment later.
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    first.release(&operator(LONG)).await.unwrap();
    for (key, waiter) in waiters.into_iter().enumerate() {
        let token = waiter.await.unwrap().unwrap();
        assert_eq!(token, first.token() + 1 + key as u64);
        let lock = &fixture.tenant.lock;
        let lease = lock.resume(&operator(LONG), "locks", "a", token).await;
        lease.unwrap().release(&operator(LONG)).await.unwrap();
    }
    assert!(fixture.queues().driver().queues.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_wait_overtakes_nobody() {
    let fixture = fixture(1, "").await;
    let first = fixture.take("a").await;
    let waiter = fixture.waiter(LONG);
    fixture.asked(2).await;
    first.release(&operator(LONG)).await.unwrap();
    // The lock is free, and the driver has not answered the waiter yet.
    assert!(
        fixture
            .acquire("a", Duration::ZERO)
            .await
            .unwrap()
            .is_none()
    );
    fixture.driver.answers.add_permits(1);
    assert_eq!(waiter.await.unwrap(), Some(first.token() + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiter_that_is_dropped_leaves_no_trace() {
    let fixture = fixture(PLENTY, "").await;
    let first = fixture.take("a").await;
    let waiters: Vec<_> = (0..5).map(|_| fixture.waiter(LONG)).collect();
    let component = fixture.queues();
    until(|| component.driver().queues.waiters("lock||cart||a") == 5).await;
    waiters.iter().for_each(JoinHandle::abort);
    until(|| component.driver().queues.is_empty()).await;
    first.release(&operator(LONG)).await.unwrap();
    // What the first of them asked last may still be on its way, and is given back.
    let second = fixture.acquire("a", LONG).await.unwrap().unwrap();
    assert!(second.token() > first.token());
    assert_eq!(fixture.driver.keys(), ["lock||cart||a"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_comes_after_the_deadline_is_given_back() {
    let fixture = fixture(0, "").await;
    let caller = operator(Duration::from_millis(50));
    let lock = &fixture.tenant.lock;
    let late = lock.acquire(&caller, "locks", "a", LONG, Duration::ZERO);
    let error = late.await.err().unwrap();
    assert_eq!(error.kind(), Kind::Timeout);
    assert_eq!(
        error.message(),
        "`acquire` of `a` did not answer in time; a grant that comes late is given back"
    );
    assert!(fixture.driver.keys().is_empty());
    fixture.driver.answers.add_permits(1);
    until(|| fixture.driver.held().1 == 1).await;
    until(|| fixture.driver.keys().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_to_a_waiter_that_was_dropped_goes_to_the_next() {
    let fixture = fixture(0, "").await;
    let first = fixture.waiter(LONG);
    fixture.asked(1).await;
    let second = fixture.waiter(LONG);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    fixture.asked(2).await;
    fixture.driver.answers.add_permits(PLENTY);
    assert!(second.await.unwrap().is_some());
    assert!(fixture.queues().driver().queues.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wait_ends_with_none_when_the_lock_stays_taken() {
    let fixture = fixture(PLENTY, "").await;
    let first = fixture.take("a").await;
    let wait = Duration::from_millis(60);
    let (begin, second) = (Instant::now(), fixture.acquire("a", wait).await.unwrap());
    assert!(second.is_none() && begin.elapsed() >= wait);
    // A wait of any length ends at the caller's deadline.
    assert_eq!(fixture.waiter(wait).await.unwrap(), None);
    let lock = &fixture.tenant.lock;
    let freed = lock.free(&operator(LONG), "locks", "a").await.unwrap();
    assert_eq!(freed.map(|grant| grant.token), Some(first.token()));
    assert_eq!(
        lock.free(&operator(LONG), "locks", "a").await.unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_in_the_keyspace_that_the_component_says() {
    let cases = [
        ("", "lock||cart||a"),
        ("{ name: keyPrefix, value: name }", "lock||locks||a"),
        (
            "{ name: keyPrefix, value: namespace }",
            "lock||default.cart||a",
        ),
        ("{ name: keyPrefix, value: none }", "lock||a"),
        ("{ name: keyPrefix, value: shop }", "lock||shop||a"),
    ];
    for (metadata, key) in cases {
        let fixture = fixture(PLENTY, metadata).await;
        let lease = fixture.take("a").await;
        assert_eq!(fixture.driver.keys(), [key]);
        lease.release(&operator(LONG)).await.unwrap();
        let error = lease.release(&operator(LONG)).await.unwrap_err();
        assert_eq!(error.message(), "`a` is over");
    }
}

/// The words of a driver are not changed where they happen to be like a keyspace.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_of_a_driver_stay() {
    let fixture = fixture(PLENTY, "").await;
    let mut lease = fixture.take("a").await;
    let error = lease.renew(&operator(LONG), LONG).await.unwrap_err();
    let said = "`a` stays as it is, says lock||cart||.example";
    assert_eq!(error.message(), said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_is_named() {
    let fixture = fixture(PLENTY, "").await;
    let lock = &fixture.tenant.lock;
    let long = "x".repeat(257);
    let names = [
        ("", "the name of a lock has 0 bytes; expected 1 to 256"),
        (&long, "the name of a lock has 257 bytes; expected 1 to 256"),
        (
            "a\0b",
            "the name of a lock has a NUL character; expected text without NUL",
        ),
        (
            "a||b",
            "the name `a||b` has `||`, which separates an app's name from its locks; use another separator",
        ),
    ];
    for (name, text) in names {
        let error = fixture.acquire(name, Duration::ZERO).await.err().unwrap();
        assert_eq!((error.kind(), error.message()), (Kind::Invalid, text));
    }
    for (ttl, shown) in [(0, "0"), (86_400_001, "86400001")] {
        let (caller, ttl) = (operator(LONG), Duration::from_millis(ttl));
        let answer = lock.acquire(&caller, "locks", "a", ttl, LONG).await;
        let text = format!("a ttl of {shown} ms; expected 1 ms to 24 h");
        assert_eq!(answer.err().unwrap().message(), text);
    }
    let error = lock.resume(&operator(LONG), "locks", "a", 7).await;
    assert_eq!(
        error.err().unwrap().message(),
        "the grant of `a` with token 7 is over; acquire it again"
    );
    let (tenant, app) = ("default".parse().unwrap(), "cart".parse().unwrap());
    let grants = Arc::new(Grants::default());
    let caller = Call::app(tenant, app, grants, Trace::start(), Instant::now() + LONG);
    let error = lock.holder(&caller, "locks", "a").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    let text = "app `cart` is not granted lock component `locks`; add it to `grants: { lock: [locks] }` at ";
    assert!(error.message().starts_with(text), "{error}");
}

#[tokio::test]
async fn a_wake_up_before_the_wait_is_not_lost() {
    let queues = Queues::default();
    let waiter = queues.join("a");
    let _turn = waiter.turn().await;
    queues.freed("a");
    queues.freed("b");
    let waiting = waiter.freed_or(Instant::now() + LONG);
    let woken = tokio::time::timeout(Duration::from_secs(20), waiting).await;
    assert!(woken.is_ok());
}
