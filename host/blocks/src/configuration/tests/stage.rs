//! A store in a map, an app that writes down what it hears, and the block between them.

use crate::{
    App, Call, Callee, Component, Error, Exports, Kind, Metrics, Profile, Result, Tasks, Trace,
    configuration::{
        Change, Configuration, Configured, Driver, Features, Item, NewItem, OPERATIONS,
        Subscription,
    },
};
use async_trait::async_trait;
use parking_lot::Mutex;
use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};
use wythe_manifest::{Grants, Name, Pattern};

/// A time longer than a test lasts, by either clock.
const LONG: Duration = Duration::from_secs(1_000_000);

pub struct Stage {
    pub block: Configuration,
    pub store: Arc<Store>,
    pub app: Arc<Listener>,
    pub tasks: Tasks,
}

pub fn texts(keys: &[&str]) -> Vec<String> {
    keys.iter().map(|key| (*key).to_owned()).collect()
}

fn tenant() -> Name {
    "default".parse().unwrap()
}

fn grants(app: &str) -> Arc<Grants> {
    let mut grants = Grants::default();
    if app != "stranger" {
        for name in ["settings", "other"] {
            let name = Pattern::Only(name.parse().unwrap());
            grants.configuration.push(name);
        }
    }
    Arc::new(grants)
}

pub fn app(id: &str) -> Call {
    let deadline = Instant::now() + LONG;
    Call::app(
        tenant(),
        id.parse().unwrap(),
        grants(id),
        Trace::start(),
        deadline,
    )
}

/// Another app that is granted the same.
pub fn granted(id: &str) -> Call {
    app(id)
}

pub fn operator() -> Call {
    Call::operator(tenant(), "operator".parse().unwrap(), Instant::now() + LONG)
}

/// `items` is as `a=1 b=2`.
pub fn stage(items: &str) -> Stage {
    let tasks = Tasks::default();
    let block = Configuration::new(tasks.clone());
    let store = Arc::new(Store::default());
    for item in items.split(' ') {
        let (key, value) = item.split_once('=').unwrap();
        store.put(key, value);
    }
    let text = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: settings }\nspec: { type: configuration.test, version: v1 }\n";
    let (resources, problems) = wythe_manifest::parse_resources(text, "a.yaml".as_ref());
    assert!(problems.is_empty(), "{problems}");
    let configured = Arc::new(Configured {
        driver: store.clone(),
    });
    let component = Component::new(
        &"t".parse().unwrap(),
        "configuration",
        OPERATIONS,
        &resources.components[0],
        configured,
    );
    block.components.insert(&Metrics::default(), component);
    let app = Arc::new(Listener {
        heard: Mutex::default(),
        fails: AtomicU32::new(0),
        kind: Mutex::new(Kind::Internal),
        ignores_changes: AtomicBool::new(false),
    });
    Stage {
        block,
        store,
        app,
        tasks,
    }
}

impl Stage {
    /// Attaches the subscriptions, each with its keys.
    pub async fn attach(&self, subscriptions: &[&[&str]]) -> Result<(), Vec<Error>> {
        let subscription = |keys: &&[&str]| Subscription {
            component: "settings".into(),
            keys: texts(keys),
        };
        let subscriptions = subscriptions.iter().map(subscription);
        self.attach_to(subscriptions.collect()).await
    }

    pub async fn attach_to(&self, subscriptions: Vec<Subscription>) -> Result<(), Vec<Error>> {
        let profile = Profile {
            grants: grants("app"),
            ..Profile::new(tenant(), "app".parse().unwrap())
        };
        let app = App::new(profile, self.app.clone());
        self.block.attach(&app, subscriptions).await
    }

    /// Gives everything that is due now its time, which is less than any pause.
    pub async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    pub async fn pass(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        self.settle().await;
    }
}

#[derive(Default)]
pub struct Store {
    /// The items, each with the version of its last change.
    items: Mutex<BTreeMap<String, (String, u64)>>,
    version: tokio::sync::watch::Sender<u64>,
    fails: AtomicBool,
    is_read_only: AtomicBool,
}

impl Store {
    pub fn put(&self, key: &str, value: &str) {
        let mut items = self.items.lock();
        if items.get(key).is_none_or(|(old, _)| old != value) {
            self.version.send_modify(|version| *version += 1);
            let version = *self.version.borrow();
            items.insert(key.to_owned(), (value.to_owned(), version));
        }
    }

    pub fn remove(&self, key: &str) {
        if self.items.lock().remove(key).is_some() {
            self.version.send_modify(|version| *version += 1);
        }
    }

    pub fn fail(&self, fails: bool) {
        self.fails.store(fails, SeqCst);
    }

    pub fn refuse_writes(&self) {
        self.is_read_only.store(true, SeqCst);
    }

    fn check(&self) -> Result<()> {
        match self.fails.load(SeqCst) {
            true => Err(Error::unavailable("away, as the test wants it")),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Driver for Store {
    fn features(&self) -> Features {
        Features {
            durable: false,
            writable: !self.is_read_only.load(SeqCst),
        }
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        self.check()?;
        let is_strict = keys.is_sorted_by(|a, b| a < b);
        assert!(is_strict, "the block asks in order, and for each key once");
        let items = self.items.lock();
        let asked = items
            .iter()
            .filter(|(key, _)| keys.is_empty() || keys.contains(key));
        let item = |(key, (value, version)): (&String, &(String, u64))| Item {
            key: key.clone(),
            value: value.clone(),
            version: version.to_string(),
            metadata: Vec::new(),
        };
        Ok(asked.map(item).collect())
    }

    async fn version(&self) -> Result<String> {
        self.check()?;
        Ok(self.version.borrow().to_string())
    }

    async fn wait(&self, version: &str) -> Result<()> {
        self.check()?;
        let mut versions = self.version.subscribe();
        let changed = versions.wait_for(|now| now.to_string() != version);
        changed
            .await
            .map(drop)
            .map_err(|_| Error::unavailable("over"))
    }

    async fn set(&self, items: Vec<NewItem>) -> Result<()> {
        items
            .iter()
            .for_each(|item| self.put(&item.key, &item.value));
        Ok(())
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        keys.iter().for_each(|key| self.remove(key));
        Ok(())
    }
}

pub struct Listener {
    heard: Mutex<Vec<String>>,
    /// The number of calls that still fail.
    fails: AtomicU32,
    /// The kind of these failures.
    kind: Mutex<Kind>,
    ignores_changes: AtomicBool,
}

impl Listener {
    /// Takes what was said since the last time, as `a=1 -b` for a new item and a removed one. What different
    /// subscriptions hear comes in any order, so it is sorted by length.
    pub fn heard(&self) -> Vec<String> {
        let mut heard = std::mem::take(&mut *self.heard.lock());
        heard.sort_by_key(String::len);
        heard
    }

    pub fn fail(&self, times: u32) {
        self.fails.store(times, SeqCst);
    }

    /// Has no room for so many calls.
    pub fn refuse(&self, times: u32) {
        *self.kind.lock() = Kind::Exhausted;
        self.fail(times);
    }

    pub fn ignore_changes(&self) {
        self.ignores_changes.store(true, SeqCst);
    }
}

#[async_trait]
impl Callee for Listener {
    fn exports(&self) -> Exports {
        Exports {
            configuration_listener: !self.ignores_changes.load(SeqCst),
            ..Exports::default()
        }
    }

    async fn on_change(&self, _: Call, change: Change) -> Result<()> {
        let items = change
            .items
            .iter()
            .map(|i| format!("{}={}", i.key, i.value));
        let removed = change.removed.iter().map(|key| format!("-{key}"));
        let text: Vec<_> = items.chain(removed).collect();
        self.heard.lock().push(text.join(" "));
        let less = |times: u32| times.checked_sub(1);
        match self.fails.fetch_update(SeqCst, SeqCst, less) {
            Ok(_) => Err(Error::new(
                *self.kind.lock(),
                "failed, as the test wants it",
            )),
            Err(_) => Ok(()),
        }
    }
}
