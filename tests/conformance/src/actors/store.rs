//! The things between a host and what it uses: a store that can be cut off, and a broker that remembers.

use async_trait::async_trait;
use parking_lot::Mutex;
use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};
use wythe_blocks::{
    Error, Key, Result, pubsub,
    pubsub::{Message, SubscribeOptions},
    state::{Delete, Driver, Entry, Etag, Features, Operation, Page, Put},
};

/// A part of the key of an actor's record, which each turn that changes something replaces.
const RECORD: &str = "||meta||";

/// A host's way to the store that several hosts share.
pub struct FaultyStore {
    store: Arc<dyn Driver>,
    pub is_cut: AtomicBool,
    /// The next commit of a turn is done, and its answer lost. The host writes by itself, too, while it begins.
    pub loses_next: AtomicBool,
    pub commits: AtomicU64,
    /// The host's own lists have no end.
    pub is_endless: AtomicBool,
    /// Pages and rows of lists so far.
    pub pages: AtomicU64,
    pub rows: AtomicU64,
}

impl FaultyStore {
    pub(super) fn new(store: Arc<dyn Driver>) -> Arc<Self> {
        Arc::new(FaultyStore {
            store,
            is_cut: AtomicBool::new(false),
            loses_next: AtomicBool::new(false),
            commits: AtomicU64::new(0),
            is_endless: AtomicBool::new(false),
            pages: AtomicU64::new(0),
            rows: AtomicU64::new(0),
        })
    }

    fn check(&self) -> Result<()> {
        match self.is_cut.load(SeqCst) {
            true => Err(Error::unavailable("the line is cut")),
            false => Ok(()),
        }
    }

    /// Loses the answer after a write, if it is to: it may not come any more.
    fn after<T>(&self, answer: Result<T>) -> Result<T> {
        match self.is_cut.load(SeqCst) {
            true => Err(Error::unknown_outcome("the answer is lost")),
            false => answer,
        }
    }
}

#[async_trait]
impl Driver for FaultyStore {
    fn features(&self) -> Features {
        self.store.features()
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        self.check()?;
        let entry = self.store.get(key).await;
        self.check()?;
        entry
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        self.check()?;
        let answer = self.store.put(put).await;
        self.after(answer)
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        self.check()?;
        let answer = self.store.delete(delete).await;
        self.after(answer)
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        self.check()?;
        self.commits.fetch_add(1, SeqCst);
        let of_turn = |operation: &Operation| operation.key().contains(RECORD);
        let is_turn = operations.iter().any(of_turn);
        let answer = self.store.transact(operations).await;
        match is_turn && self.loses_next.swap(false, SeqCst) {
            true => Err(Error::unknown_outcome("the answer is lost")),
            false => self.after(answer),
        }
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        self.check()?;
        let page = match self.is_endless.load(SeqCst) {
            true => Ok(endless(prefix, cursor, limit)),
            false => self.store.list(prefix, cursor, limit).await,
        };
        self.pages.fetch_add(1, SeqCst);
        let rows = page.as_ref().map_or(0, |page| page.entries.len());
        self.rows.fetch_add(rows as u64, SeqCst);
        page
    }
}

/// Returns a page after which there is always one more: times of reminders of nobody, or events that cannot be read. All
/// are in the first shard.
fn endless(prefix: &str, cursor: Option<&str>, limit: u32) -> Page {
    let prefix = match prefix.ends_with('/') {
        true => format!("{prefix}00||"),
        false => prefix.to_owned(),
    };
    let last = cursor.and_then(|cursor| cursor.strip_prefix(&prefix));
    let last = last.and_then(|last| last.split("||").next()?.parse().ok());
    let first: u64 = last.map_or(0, |last: u64| last + 1);
    let entry = |number: u64| {
        let entry = Entry {
            value: "?".into(),
            content_type: None,
            etag: "1".into(),
            expires: None,
        };
        (format!("{prefix}{number:020}||nobody||a||r"), entry)
    };
    let entries: Vec<_> = (first..first + u64::from(limit)).map(entry).collect();
    let next = entries.last().map(|(key, _)| key.clone());
    Page { entries, next }
}

/// A broker that keeps what was published and has no subscribers.
#[derive(Default)]
pub struct Broker {
    pub is_down: AtomicBool,
    published: Mutex<Vec<(String, Message)>>,
}

impl Broker {
    /// Topic, id and data of every event so far.
    pub(super) fn events(&self) -> Vec<(String, String, String)> {
        let published = self.published.lock();
        let event = |(topic, message): &(String, Message)| {
            let envelope: serde_json::Value =
                serde_json::from_slice(&message.data).expect("an envelope is JSON");
            let text = |name: &str| envelope[name].as_str().unwrap_or_default().to_owned();
            (topic.clone(), text("id"), text("data"))
        };
        published.iter().map(event).collect()
    }
}

#[async_trait]
impl pubsub::Driver for Broker {
    fn features(&self) -> pubsub::Features {
        pubsub::Features {
            durable: true,
            ordering: true,
            delay: false,
            dead_letters: false,
            counted: false,
            max_message_bytes: 1 << 20,
        }
    }

    async fn publish(&self, topic: &str, message: Message) -> Result<()> {
        if self.is_down.load(SeqCst) {
            return Err(Error::unknown_outcome("the broker is down"));
        }
        let mut published = self.published.lock();
        published.push((topic.to_owned(), message));
        Ok(())
    }

    async fn subscribe(
        &self,
        _: &str,
        _: &str,
        _: SubscribeOptions,
    ) -> Result<Box<dyn pubsub::Consumer>> {
        Err(Error::unsupported("this broker has no subscribers"))
    }
}
