//! A durable state driver over any embedded engine: reads go straight to it, writes through the committer.

use crate::{
    durable::{
        committer::{Committer, Engine},
        handle::Handle,
    },
    shared::{
        clock,
        state::{
            apply::{Answer, MAX_OPERATIONS, Write},
            page,
            record::Record,
        },
    },
};
use async_trait::async_trait;
use std::{path::Path, sync::Arc};
use wythe_blocks::{
    Error, Key, Result,
    blocking::blocking,
    state::{Delete, Driver, Entry, Etag, Features, Operation, Page, Put, Stored},
};

/// Bytes of the largest value: larger ones do not fit into the memory of a batch.
const MAX_VALUE: u64 = 64 << 20;

/// Operations that an engine has to bring. Reads see only what is durable.
pub(crate) trait Store: Send + Sync + 'static {
    fn get(&self, key: &str) -> Result<Option<Record>>;
    fn list(&self, prefix: &str, cursor: Option<&str>, page: &mut page::Builder) -> Result<()>;
    /// Commits as [`Engine::commit`] says.
    fn commit(&self, writes: Vec<Write>, now: u64) -> Result<Vec<Result<Answer>>>;
    /// Removes entries whose time was over at `now`, as [`Engine::sweep`] says.
    fn sweep(&self, now: u64) -> Result<bool>;
}

pub(crate) struct Local<S> {
    store: Arc<Handle<S>>,
    /// The count of the store, which it holds as long as it is open.
    stored: Option<Arc<Stored>>,
    committer: Arc<Committer<Write, Answer>>,
}

/// Opens the store again, and proves that it takes writes.
pub(crate) type Again<S> = Box<dyn Fn() -> Result<S> + Send>;

struct Writer<S> {
    store: Arc<Handle<S>>,
    again: Again<S>,
}

impl<S: Store> Engine for Writer<S> {
    type Write = Write;
    type Answer = Answer;

    fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Result<Answer>>> {
        self.store.with(|store| store.commit(writes, clock::now()))
    }

    fn sweep(&mut self) -> Result<bool> {
        self.store.with(|store| store.sweep(clock::now()))
    }

    fn reopen(&mut self) -> Result<()> {
        self.store.reopen(&self.again)
    }
}

impl<S: Store> Local<S> {
    pub(crate) fn new(
        store: S,
        stored: Option<Arc<Stored>>,
        path: &Path,
        again: Again<S>,
    ) -> Result<Self> {
        let name = format!("state store `{}`", path.display());
        let store = Arc::new(Handle::new(name.clone(), store));
        let writer = Writer {
            store: store.clone(),
            again,
        };
        let committer = Arc::new(Committer::start(name, writer)?);
        Ok(Local {
            store,
            stored,
            committer,
        })
    }
}

#[async_trait]
impl<S: Store> Driver for Local<S> {
    fn features(&self) -> Features {
        Features {
            transactions: true,
            ttl: true,
            list: true,
            increment: true,
            fence: true,
            durable: true,
            linearizable: true,
            counted: true,
            max_value_bytes: MAX_VALUE,
            max_operations: MAX_OPERATIONS,
        }
    }

    // Reads block, on purpose: most find their pages cached and take microseconds, where another thread would cost
    // more than the read. One that misses the cache waits for one disk read.
    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let record = self.store.with(|store| store.get(key))?;
        Ok(record
            .filter(|record| !record.version.is_over(clock::now))
            .map(|record| record.entry()))
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        check_size(&put)?;
        match self.committer.submit(Write::Put(put)).await? {
            Answer::Put(etag) => Ok(etag),
            other => Err(mixed_up(&other)),
        }
    }

    async fn put_many(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        let sizes: Vec<_> = puts.iter().map(check_size).collect();
        let fitting: Vec<_> = puts
            .into_iter()
            .zip(&sizes)
            .filter(|(_, size)| size.is_ok())
            .map(|(put, _)| put)
            .collect();
        let mut answers = self.put_fitting(fitting).await.into_iter();
        let missing = || Err(Error::internal("a batch has fewer answers than items"));
        sizes
            .into_iter()
            .map(|size| size.and_then(|()| answers.next().unwrap_or_else(missing)))
            .collect()
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        self.committer.submit(Write::Delete(delete)).await.map(drop)
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        for operation in &operations {
            if let Operation::Put(put) = operation {
                check_size(put)?;
            }
        }
        match self.committer.submit(Write::Transact(operations)).await? {
            Answer::Transacted(etags) => Ok(etags),
            other => Err(mixed_up(&other)),
        }
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        let mut page = page::Builder::new(prefix, limit, clock::now())?;
        self.store
            .with(|store| store.list(prefix, cursor, &mut page))?;
        Ok(page.finish())
    }

    async fn increment(&self, key: &Key, delta: i64) -> Result<i64> {
        match self
            .committer
            .submit(Write::Increment {
                key: key.clone(),
                delta,
            })
            .await?
        {
            Answer::Sum(sum) => Ok(sum),
            other => Err(mixed_up(&other)),
        }
    }

    async fn health(&self) -> Result<()> {
        self.committer.health()
    }

    async fn close(&self) -> Result<()> {
        let (store, committer) = (self.store.clone(), self.committer.clone());
        let stored = self.stored.clone();
        blocking(move || {
            // The writes that were handed over still need the store.
            committer.close();
            store.close();
            if let Some(stored) = stored {
                stored.close();
            }
            Ok(())
        })
        .await
    }
}

impl<S: Store> Local<S> {
    async fn put_fitting(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        let count = puts.len();
        match self.committer.submit(Write::PutMany(puts)).await {
            Ok(Answer::PutMany(etags)) => etags,
            Ok(other) => vec![Err(mixed_up(&other))],
            Err(error) => (0..count).map(|_| Err(error.duplicate())).collect(),
        }
    }
}

fn check_size(put: &Put) -> Result<()> {
    if put.value.len() as u64 <= MAX_VALUE {
        return Ok(());
    }
    let (key, size) = (put.key.shown(), put.value.len());
    Err(Error::invalid(format!(
        "the value of `{key}` has {size} bytes; at most {MAX_VALUE} are allowed"
    )))
}

fn mixed_up(answer: &Answer) -> Error {
    Error::internal(format!("the committer answered another write: {answer:?}"))
}
