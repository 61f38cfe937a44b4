//! Key-value state with optimistic concurrency: open a `Store`, then read, write, list and count.
use std::collections::VecDeque;
use std::time::Duration;

use serde::{Serialize, de::DeserializeOwned};

use crate::contract::app::wythe::blocks::state;
use crate::{Error, Kind, Result};

#[doc(inline)]
pub use state::{Condition, Delete, Entry, Features, Operation, Page, Put, PutOptions};

/// The number of times that `update_json` tries before it gives the conflict to its caller.
const ATTEMPTS: usize = 20;

/// A configured state component that the manifest grants to this app.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use std::time::Duration;
/// use wythe_sdk::state::{PutOptions, Store};
///
/// let store = Store::open("statestore")?;
/// store.put_json("order/17", &["tea", "milk"])?;
/// let items: Option<Vec<String>> = store.get_json("order/17")?;
///
/// let once = PutOptions::new().if_absent().ttl(Duration::from_secs(60));
/// store.put_with("seen/17", "1", once)?;
///
/// for entry in store.list("order/") {
///     let (key, entry) = entry?;
///     println!("{key} {}", entry.etag);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Store {
    handle: state::Store,
}

impl Store {
    pub fn open(component: &str) -> Result<Self> {
        Ok(Self {
            handle: state::Store::open(component)?,
        })
    }

    pub fn features(&self) -> Features {
        self.handle.features()
    }

    pub fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.handle.get(key)?)
    }

    pub fn get_json<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.get(key)?.map(|entry| entry.json()).transpose()
    }

    /// One result per key, in order. At most 1,000 keys. Once the values have 16 MiB, the rest is `exhausted`: ask for it
    /// in another call.
    pub fn get_many<K: AsRef<str>>(&self, keys: &[K]) -> Vec<Result<Option<Entry>>> {
        let keys: Vec<_> = keys.iter().map(|key| key.as_ref().to_owned()).collect();
        self.handle
            .get_many(&keys)
            .into_iter()
            .map(|entry| Ok(entry?))
            .collect()
    }

    /// Writes over what was there and returns the new etag.
    pub fn put(&self, key: &str, value: impl AsRef<[u8]>) -> Result<String> {
        Ok(self.handle.put(key, value.as_ref(), None)?)
    }

    /// A condition that does not hold is an error of kind `conflict`.
    pub fn put_with(
        &self,
        key: &str,
        value: impl AsRef<[u8]>,
        options: PutOptions,
    ) -> Result<String> {
        Ok(self.handle.put(key, value.as_ref(), Some(&options))?)
    }

    pub fn put_json<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<String> {
        self.put_json_with(key, value, PutOptions::new())
    }

    pub fn put_json_with<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        options: PutOptions,
    ) -> Result<String> {
        self.put_with(key, serde_json::to_vec(value)?, options.or_json())
    }

    /// One result per item, in order; items do not depend on each other.
    pub fn put_many(&self, items: &[Put]) -> Vec<Result<String>> {
        self.handle
            .put_many(items)
            .into_iter()
            .map(|etag| Ok(etag?))
            .collect()
    }

    /// Deletes an entry; deleting what is absent is fine.
    pub fn delete(&self, key: &str) -> Result<()> {
        Ok(self.handle.delete(key, &Condition::Always)?)
    }

    /// Deletes the entry only if it still has this etag.
    pub fn delete_if(&self, key: &str, etag: &str) -> Result<()> {
        Ok(self
            .handle
            .delete(key, &Condition::Matches(etag.to_owned()))?)
    }

    /// Does all of the operations in order, or none. The result has an etag for each put.
    pub fn transact(&self, transaction: Transaction) -> Result<Vec<Option<String>>> {
        Ok(self.handle.transact(&transaction.operations)?)
    }

    /// Every entry whose key starts with `prefix`, in key order, fetched page by page.
    pub fn list(&self, prefix: &str) -> Entries<'_> {
        let (page, state) = (VecDeque::new(), Listing::From(None));
        Entries {
            store: self,
            prefix: prefix.to_owned(),
            page,
            state,
        }
    }

    /// One page of `list`: at most `limit` entries (1 to 1,000) from where the cursor of the last page points.
    pub fn list_page(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        Ok(self.handle.list(prefix, cursor, Some(limit))?)
    }

    /// Adds to a decimal integer (absent counts as 0) and returns the sum.
    pub fn increment(&self, key: &str, delta: i64) -> Result<i64> {
        Ok(self.handle.increment(key, delta)?)
    }

    /// Reads, changes and writes back, again if somebody else wrote in between. Returns what was written.
    ///
    /// ```no_run
    /// # fn main() -> wythe_sdk::Result<()> {
    /// # let store = wythe_sdk::state::Store::open("statestore")?;
    /// let visitors: Vec<String> = store.update_json("visitors", |known: Option<Vec<String>>| {
    ///     let mut known = known.unwrap_or_default();
    ///     known.push("ada".to_owned());
    ///     known
    /// })?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn update_json<T>(&self, key: &str, change: impl FnMut(Option<T>) -> T) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        self.update_json_with(key, PutOptions::new(), change)
    }

    /// Does what `update_json` does, with these options but their condition, which is the etag that was read.
    pub fn update_json_with<T>(
        &self,
        key: &str,
        options: PutOptions,
        mut change: impl FnMut(Option<T>) -> T,
    ) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let mut attempts = 0;
        loop {
            let old = self.get(key)?;
            let options = match &old {
                Some(entry) => options.clone().if_match(&entry.etag),
                None => options.clone().if_absent(),
            };
            let new = change(old.map(|entry| entry.json()).transpose()?);
            attempts += 1;
            match self.put_json_with(key, &new, options) {
                Ok(_) => return Ok(new),
                Err(error) if error.kind() == Kind::Conflict && attempts < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Entry {
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        Ok(serde_json::from_slice(&self.value)?)
    }

    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.value).map_err(|_| Error::invalid("the value is not UTF-8"))
    }
}

impl PutOptions {
    /// Last write wins, no expiry.
    pub fn new() -> Self {
        Self {
            condition: Condition::Always,
            ttl: None,
            content_type: None,
            fence: None,
        }
    }

    /// First write wins: only if there is no entry.
    pub fn if_absent(mut self) -> Self {
        self.condition = Condition::Absent;
        self
    }

    /// Writes only if the entry still has this etag.
    pub fn if_match(mut self, etag: &str) -> Self {
        self.condition = Condition::Matches(etag.to_owned());
        self
    }

    /// The entry is gone after this long.
    pub fn ttl(mut self, duration: Duration) -> Self {
        self.ttl = Some(crate::milliseconds(duration));
        self
    }

    pub fn content_type(mut self, media_type: &str) -> Self {
        self.content_type = Some(media_type.to_owned());
        self
    }

    /// The token of a lock's lease: `conflict` if a higher one has written this key.
    pub fn fence(mut self, token: u64) -> Self {
        self.fence = Some(token);
        self
    }

    fn or_json(mut self) -> Self {
        self.content_type
            .get_or_insert_with(|| "application/json".to_owned());
        self
    }
}

impl Default for PutOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes that happen together or not at all.
///
/// ```no_run
/// # fn main() -> wythe_sdk::Result<()> {
/// use wythe_sdk::state::{Store, Transaction};
///
/// let store = Store::open("statestore")?;
/// store.transact(Transaction::new().put("account/a", "90").put("account/b", "10").delete("hold/7"))?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    operations: Vec<Operation>,
}

impl Transaction {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn put(self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.put_with(key, value, PutOptions::new())
    }

    pub fn put_with(mut self, key: &str, value: impl AsRef<[u8]>, options: PutOptions) -> Self {
        let value = value.as_ref().to_vec();
        self.operations.push(Operation::Put(Put {
            key: key.to_owned(),
            value,
            options: Some(options),
        }));
        self
    }

    pub fn put_json<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Result<Self> {
        Ok(self.put_with(key, serde_json::to_vec(value)?, PutOptions::new().or_json()))
    }

    pub fn delete(self, key: &str) -> Self {
        self.delete_with(key, Condition::Always)
    }

    pub fn delete_if(self, key: &str, etag: &str) -> Self {
        self.delete_with(key, Condition::Matches(etag.to_owned()))
    }

    fn delete_with(mut self, key: &str, condition: Condition) -> Self {
        self.operations.push(Operation::Delete(Delete {
            key: key.to_owned(),
            condition,
        }));
        self
    }
}

/// The iterator that `Store::list` returns. Ends after the first error.
#[derive(Debug)]
pub struct Entries<'a> {
    store: &'a Store,
    prefix: String,
    page: VecDeque<(String, Entry)>,
    state: Listing,
}

#[derive(Debug)]
enum Listing {
    From(Option<String>),
    Done,
}

impl Iterator for Entries<'_> {
    type Item = Result<(String, Entry)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(entry) = self.page.pop_front() {
                return Some(Ok(entry));
            }
            // A page may be empty though it is not the last.
            let Listing::From(cursor) = std::mem::replace(&mut self.state, Listing::Done) else {
                return None;
            };
            match self
                .store
                .handle
                .list(&self.prefix, cursor.as_deref(), None)
            {
                Ok(page) => {
                    self.page = page.entries.into();
                    if page.next.is_some() {
                        self.state = Listing::From(page.next);
                    }
                }
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}
