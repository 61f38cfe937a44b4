//! Bytes and keys in the state stores of a tenant: the count is exact, whatever is written, deleted or over.

use super::{caller, open, run, settings};
use crate::{
    list,
    open::{component, site},
};
use conformance::{quotas, random::Random};
use futures::future::join_all;
use libtest_mimic::Trial;
use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};
use wythe_blocks::{
    Error, Kind, Result, Site, Tenant,
    quota::Ledger,
    state::{Condition, Delete, Driver, Operation, Put, PutOptions},
};
use wythe_manifest::Metered;

/// The name of a case, and what it does with a driver.
type Case = (&'static str, fn(String));

const STEPS: usize = 1_500;
const SEED: u64 = 11;

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for subject in list::of("state").filter(|one| one.is_counted()) {
        let cases: [Case; 3] = [
            ("the_count_is_exact", |driver| run(exact(driver))),
            ("what_is_over_is_refused_and_not_written", |driver| {
                run(over(driver));
            }),
            ("a_restart_counts_them", |driver| run(restart(driver))),
        ];
        for (case, test) in cases {
            let driver = subject.name();
            let name = format!("quotas::state.{driver}::{case}");
            trials.push(Trial::test(name, move || {
                test(driver);
                Ok(())
            }));
        }
    }
    trials
}

fn used(ledger: &Ledger) -> (u64, u64) {
    let used = |quota: Metered| ledger.readings()[quota as usize].used;
    (used(Metered::StateBytes), used(Metered::StateKeys))
}

fn ledger(text: &str) -> Arc<Ledger> {
    let ledger = Ledger::new("default".parse().expect("a name"));
    ledger.set(Some(&quotas(text)));
    ledger
}

async fn open_driver(name: &str, directory: &Path, ledger: &Arc<Ledger>) -> Arc<dyn Driver> {
    let site = Site {
        ledger: Some(ledger.clone()),
        ..site(directory)
    };
    let component = component("state", name, "");
    let opened = wythe_drivers::registry().state.open(&component, site).await;
    opened.expect("it opens")
}

fn put(key: &str, length: usize) -> Put {
    Put::new(key, vec![b'1'; length])
}

fn delete(key: &str) -> Delete {
    Delete {
        key: key.into(),
        condition: Condition::Always,
    }
}

/// The entries that there should be.
struct Model {
    random: Random,
    /// Bytes of value and content type by key, where they count.
    lengths: BTreeMap<String, u64>,
    /// Those that are over soon, at any time.
    short: BTreeMap<String, u64>,
}

impl Model {
    /// Keys of apps, of an actor, and of the host, whose rows do not count.
    fn key(&mut self) -> String {
        let spaces = [
            "cart||",
            "||actors||entry||account||a||",
            "||actors||meta||account||",
            "||workflow||instance||",
        ];
        let space = spaces[self.random.below(4) as usize];
        format!("{space}{}", self.random.below(12))
    }

    /// A put; most are small, and some do not fit into a page of any engine.
    fn put(&mut self, key: &str) -> Put {
        let sizes = [0, 1, 100, 8_192, 30_000];
        let size = sizes[self.random.below(5) as usize];
        let content_type = (self.random.below(3) == 0).then(|| "text/plain".to_owned());
        let ttl = match self.random.below(6) {
            0 => Some(Duration::from_secs(3_600)),
            1 => Some(Duration::from_millis(1)),
            _ => None,
        };
        let fence = (self.random.below(4) == 0).then_some(7);
        let options = PutOptions {
            ttl,
            content_type,
            fence,
            ..PutOptions::default()
        };
        Put {
            options,
            ..put(key, size)
        }
    }

    fn note(&mut self, put: &Put) {
        self.forget(&put.key);
        let key = put.key.to_string();
        if key.starts_with("||") && !key.starts_with("||actors||entry") {
            return;
        }
        let content_type = put.options.content_type.as_ref().map_or(0, String::len);
        let length = (put.value.len() + content_type) as u64;
        let is_short = put.options.ttl.is_some_and(|ttl| ttl.as_secs() == 0);
        match is_short {
            true => self.short.insert(key, length),
            false => self.lengths.insert(key, length),
        };
    }

    fn forget(&mut self, key: &str) {
        self.lengths.remove(key);
        self.short.remove(key);
    }

    async fn step(&mut self, driver: &dyn Driver) {
        let key = self.key();
        match self.random.below(8) {
            0..=2 => {
                let put = self.put(&key);
                driver.put(put.clone()).await.expect("a put");
                self.note(&put);
            }
            3 => {
                driver.delete(delete(&key)).await.expect("a delete");
                self.forget(&key);
            }
            4 => {
                let puts: Vec<_> = (0..4).map(|_| self.key()).collect();
                let puts: Vec<_> = puts.iter().map(|key| self.put(key)).collect();
                for answer in driver.put_many(puts.clone()).await {
                    answer.expect("a put");
                }
                puts.iter().for_each(|put| self.note(put));
            }
            5 | 6 => self.transact(driver).await,
            _ => self.fail(driver, &key).await,
        }
    }

    async fn transact(&mut self, driver: &dyn Driver) {
        let mut operations = Vec::new();
        for _ in 0..=self.random.below(5) {
            let key = self.key();
            operations.push(match self.random.below(3) {
                0 => Operation::Delete(delete(&key)),
                _ => Operation::Put(self.put(&key)),
            });
        }
        let done = driver.transact(operations.clone()).await;
        done.expect("a transaction");
        for operation in &operations {
            match operation {
                Operation::Put(put) => self.note(put),
                Operation::Delete(delete) => self.forget(&delete.key),
            }
        }
    }

    /// Writes that lose their condition.
    async fn fail(&mut self, driver: &dyn Driver, key: &str) {
        let mut put = put(key, 50);
        put.options.condition = Condition::Matches("0".into());
        let operations = vec![
            Operation::Put(self.put("cart||other")),
            Operation::Put(put.clone()),
        ];
        assert!(driver.put(put).await.is_err());
        assert!(driver.transact(operations).await.is_err());
    }

    fn of(map: &BTreeMap<String, u64>) -> (u64, u64) {
        let bytes = map.iter().map(|(key, length)| key.len() as u64 + length);
        (bytes.sum(), map.len() as u64)
    }

    /// Checks that what is used lies between what is there for sure and what may be over by now.
    fn check(&self, ledger: &Ledger) {
        let (least, short, used) = (Self::of(&self.lengths), Self::of(&self.short), used(ledger));
        assert!(
            used.0 >= least.0 && used.0 <= least.0 + short.0,
            "{used:?}, {least:?}, {short:?}"
        );
        assert!(
            used.1 >= least.1 && used.1 <= least.1 + short.1,
            "{used:?}, {least:?}, {short:?}"
        );
    }

    /// Waits for the end of what is over.
    async fn settle(&mut self, ledger: &Ledger) {
        self.short.clear();
        for _ in 0..30_000 {
            if used(ledger) == Self::of(&self.lengths) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!(
            "{:?} are used; expected {:?}",
            used(ledger),
            Self::of(&self.lengths)
        );
    }
}

async fn exact(name: String) {
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = ledger("stateBytes: 1GiB");
    let mut model = Model {
        random: Random::new(SEED),
        lengths: BTreeMap::new(),
        short: BTreeMap::new(),
    };
    let mut driver = open_driver(&name, directory.path(), &ledger).await;
    for step in 1..=STEPS {
        model.step(&*driver).await;
        model.check(&ledger);
        if step % 500 == 0 {
            model.settle(&ledger).await;
            let number = driver.increment(&"cart||number".into(), 90).await;
            let digits = number.expect("a sum").to_string().len() as u64;
            model.lengths.insert("cart||number".into(), digits);
            assert_eq!(used(&ledger), Model::of(&model.lengths));
        }
        if step % 500 == 0 && driver.features().durable {
            driver.close().await.expect("it closes");
            assert_eq!(used(&ledger), (0, 0), "what is not open is not held");
            driver = open_driver(&name, directory.path(), &ledger).await;
            assert_eq!(used(&ledger), Model::of(&model.lengths));
        }
    }
    driver.close().await.expect("it closes");
    assert_eq!(used(&ledger), (0, 0));
}

fn is_refused(error: &Error, quota: &str) {
    assert_eq!(error.kind(), Kind::Exhausted, "{error}");
    assert!(error.message().contains(quota), "{error}");
    assert!(error.retry_after().is_some(), "{error:?}");
}

async fn over(name: String) {
    const KIB: usize = 1 << 10;
    let directory = tempfile::tempdir().expect("a directory");
    let ledger = ledger("stateBytes: 1MiB, stateKeys: 20");
    let driver = open_driver(&name, directory.path(), &ledger).await;
    // Many at once: each has 100 KiB, with its key.
    let write = |number: usize| {
        let (driver, key) = (&driver, format!("{number:04}"));
        async move { driver.put(put(&key, 100 * KIB - 4)).await }
    };
    let answers = join_all((0..50).map(write)).await;
    let failed = answers.iter().filter_map(|answer| answer.as_ref().err());
    failed.for_each(|error| is_refused(error, "`quotas.stateBytes`, which is 1048576"));
    let written = answers.iter().filter(|answer| answer.is_ok()).count();
    assert!((1..=10).contains(&written), "{written}");
    assert_eq!(
        used(&ledger),
        ((written * 100 * KIB) as u64, written as u64)
    );
    let mut number = 100;
    while driver
        .put(put(&format!("{number:04}"), 100 * KIB - 4))
        .await
        .is_ok()
    {
        number += 1;
    }
    assert_eq!(used(&ledger).1, 10);
    let refused = driver.get(&format!("{number:04}").as_str().into()).await;
    assert_eq!(refused.expect("an answer"), None);
    edges(&*driver, &ledger).await;
    // All that is there takes as many keys as there may be.
    for number in 200..210 {
        driver
            .put(put(&format!("{number}"), 0))
            .await
            .expect("a key");
    }
    let full = driver
        .put(put("more", 0))
        .await
        .expect_err("no key is left");
    is_refused(&full, "`quotas.stateKeys`, which is 20");
    driver.close().await.expect("it closes");
}

/// Ten entries of 100 KiB fill the quota but for 24 KiB.
async fn edges(driver: &dyn Driver, ledger: &Ledger) {
    const KIB: usize = 1 << 10;
    let before = used(ledger);
    let listed = driver.list("", None, 1).await.expect("a page");
    let first = listed.entries.first().expect("an entry").0.clone();
    let grown = driver.put(put(&first, 125 * KIB)).await;
    is_refused(&grown.expect_err("it is more"), "`quotas.stateBytes`");
    driver
        .put(put(&first, 100 * KIB - 4))
        .await
        .expect("as much");
    // A transaction counts as a whole: what it deletes makes room for what it puts.
    let swap = |length| {
        vec![
            Operation::Put(put("swap", length)),
            Operation::Delete(delete(&first)),
        ]
    };
    let refused = driver.transact(swap(125 * KIB)).await;
    is_refused(&refused.expect_err("it is more"), "`quotas.stateBytes`");
    assert_eq!(used(ledger), before);
    driver.transact(swap(100 * KIB - 4)).await.expect("as much");
    assert_eq!(used(ledger), before);
    // Fewer than there are: what shrinks goes on, and nothing grows.
    let narrow = quotas("stateBytes: 1MiB, stateKeys: 2");
    ledger.set(Some(&narrow));
    driver.put(put("swap", KIB)).await.expect("it is less");
    let many = driver.put_many(vec![put("swap", 1), put("new", 0)]).await;
    assert!(many[0].is_ok() && many[1].is_err(), "{many:?}");
    ledger.set(Some(&quotas("stateBytes: 1MiB, stateKeys: 20")));
    driver.put(put("swap", 100 * KIB - 4)).await.expect("room");
}

/// A tenant's store, before and after a restart.
async fn restart(name: String) {
    let directory = tempfile::tempdir().expect("a directory");
    let registry = wythe_drivers::registry();
    let one = component("state", &name, "");
    let settings = || settings(directory.path(), "stateKeys: 3");
    let opened = open(&registry, settings(), one.clone()).await;
    let (host, tenant) = opened.expect("it opens");
    let write = async |tenant: &Tenant, key: &str| -> Result<()> {
        let caller = caller("app");
        let store = tenant.state.open(&caller, "subject")?;
        store.put(&caller, put(key, 10)).await.map(drop)
    };
    for key in ["a", "b", "c", "a"] {
        write(&tenant, key).await.expect("room");
    }
    let refused = write(&tenant, "d").await.expect_err("no room");
    is_refused(&refused, "`quotas.stateKeys`, which is 3; delete some");
    let bytes = 3 * ("app||a".len() as u64 + 10);
    assert_eq!(used(&tenant.ledger), (bytes, 3));
    let is_durable = {
        let caller = caller("app");
        let store = tenant.state.open(&caller, "subject").expect("a store");
        store.features().durable
    };
    assert!(host.close(Duration::from_secs(60)).await);
    assert_eq!(used(&tenant.ledger), (0, 0));
    let opened = open(&registry, settings(), one).await;
    let (host, tenant) = opened.expect("it opens");
    if is_durable {
        assert_eq!(used(&tenant.ledger), (bytes, 3));
        assert!(write(&tenant, "d").await.is_err());
    }
    assert!(host.close(Duration::from_secs(60)).await);
}
