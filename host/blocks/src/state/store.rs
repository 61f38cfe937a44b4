//! An opened component, as an app uses it: keys with the app's prefix, sizes checked, answers believed only as far as they
//! fit what was asked.

use super::{
    Condition, Configured, DEFAULT_PAGE, DELETE, Delete, Driver, Entry, Etag, Features, GET,
    GET_MANY, INCREMENT, LIST, MAX_KEYS, Operation, PUT, PUT_MANY, Page, Put, TRANSACT, driver,
    keys,
};
use crate::{
    Call, Error, Key, Result, Slot,
    component::{self, Use},
    error::Cut,
};
use std::sync::Arc;

/// Bytes of a content type.
const MAX_CONTENT_TYPE: usize = 1 << 10;

/// An opened component: the lookup, the scope check and the keyspace are settled.
#[derive(Clone)]
pub struct Store {
    pub(super) component: Arc<Slot<Configured>>,
    pub(super) prefix: String,
}

impl Store {
    pub fn features(&self) -> Features {
        let component = self.component.component();
        let configured = component.driver();
        let mut features = configured.driver.features();
        features.max_value_bytes = features.max_value_bytes.min(configured.max_value);
        features
    }

    pub async fn get(&self, caller: &Call, key: &str) -> Result<Option<Entry>> {
        let key = self.scoped(key)?;
        let component = self.component.enter(caller).await?;
        let answer = component.call(caller, GET, |d| d.driver.get(&key));
        let answer = answer.await;
        caller.charge(driver::size(&answer))?;
        answer
    }

    /// One result per key, in order.
    pub async fn get_many(&self, caller: &Call, keys: &[String]) -> Vec<Result<Option<Entry>>> {
        if keys.len() > MAX_KEYS {
            let error = Error::invalid(format!(
                "{} keys at once; at most {MAX_KEYS} are allowed",
                keys.len()
            ));
            return keys.iter().map(|_| Err(error.duplicate())).collect();
        }
        let scoped = keys.iter().map(|key| self.scoped(key)).collect();
        let entered = self.component.enter(caller).await;
        let answers = self.batch(&entered, caller, GET_MANY, scoped, |d, keys| {
            d.get_many(keys)
        });
        let charged = |answer: Result<Option<Entry>>| {
            caller.charge(driver::size(&answer))?;
            answer
        };
        answers.await.into_iter().map(charged).collect()
    }

    pub async fn put(&self, caller: &Call, put: Put) -> Result<Etag> {
        caller.charge(put.value.len())?;
        let put = self.scoped_put(put)?;
        self.component
            .enter(caller)
            .await?
            .call(caller, PUT, |d| d.driver.put(put.clone()))
            .await
    }

    /// One result per item, in order; items do not depend on each other.
    pub async fn put_many(&self, caller: &Call, puts: Vec<Put>) -> Vec<Result<Etag>> {
        let charged = |put: Put| {
            caller.charge(put.value.len())?;
            self.scoped_put(put)
        };
        let scoped = puts.into_iter().map(charged).collect();
        let entered = self.component.enter(caller).await;
        self.batch(&entered, caller, PUT_MANY, scoped, |d, puts| {
            d.put_many(puts)
        })
        .await
    }

    pub async fn delete(&self, caller: &Call, delete: Delete) -> Result<()> {
        let delete = self.scoped_delete(delete)?;
        self.component
            .enter(caller)
            .await?
            .call(caller, DELETE, |d| d.driver.delete(delete.clone()))
            .await
    }

    /// Does all of the operations in order, or none; refused where the driver cannot.
    pub async fn transact(
        &self,
        caller: &Call,
        operations: Vec<Operation>,
    ) -> Result<Vec<Option<Etag>>> {
        let features = self.features();
        if !features.transactions {
            return Err(self.unsupported("transactions"));
        }
        if operations.len() > features.max_operations as usize {
            return Err(Error::invalid(format!(
                "a transaction of {} operations; state component `{}` takes at most {}",
                operations.len(),
                self.component.name(),
                features.max_operations
            )));
        }
        caller.charge(operations.iter().map(Operation::size).sum())?;
        let operations: Vec<_> = operations
            .into_iter()
            .map(|operation| self.scoped_operation(operation))
            .collect::<Result<_>>()?;
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        self.component
            .enter(caller)
            .await?
            .call(caller, TRANSACT, |d| d.driver.transact(operations.clone()))
            .await
    }

    /// Entries whose key starts with `prefix`, in key order, without the keyspace's own prefix.
    pub async fn list(
        &self,
        caller: &Call,
        prefix: &str,
        cursor: Option<&str>,
        limit: Option<u32>,
    ) -> Result<Page> {
        if !self.features().list {
            return Err(self.unsupported("list"));
        }
        let limit = limit.unwrap_or(DEFAULT_PAGE);
        if !(1..=MAX_KEYS as u32).contains(&limit) {
            return Err(Error::invalid(format!(
                "a page of {limit}; expected 1 to {MAX_KEYS}"
            )));
        }
        keys::check_prefix(prefix)?;
        let scoped = format!("{}{prefix}", self.prefix);
        let cursor =
            cursor.map(|cursor| keys::check(cursor).map(|()| format!("{}{cursor}", self.prefix)));
        let cursor = cursor.transpose()?;
        let page = self
            .component
            .enter(caller)
            .await?
            .call(caller, LIST, |d| {
                d.driver.list(&scoped, cursor.as_deref(), limit)
            })
            .await
            .map_err(|error| Key::new(&*self.prefix, "").plain(error))
            .and_then(|page| page.checked(cursor.as_deref()))?;
        let sizes = page.entries.iter();
        caller.charge(
            sizes
                .map(|(key, entry)| key.len() + entry.value.len())
                .sum(),
        )?;
        self.unscoped(page, &scoped, limit)
    }

    /// Adds to a decimal integer and returns the sum.
    pub async fn increment(&self, caller: &Call, key: &str, delta: i64) -> Result<i64> {
        let key = self.scoped(key)?;
        self.component
            .enter(caller)
            .await?
            .call(caller, INCREMENT, |d| d.driver.increment(&key, delta))
            .await
    }

    fn scoped(&self, key: &str) -> Result<Key> {
        keys::check(key)?;
        Ok(Key::new(&*self.prefix, key))
    }

    fn scoped_put(&self, put: Put) -> Result<Put> {
        let limit = self.features().max_value_bytes;
        if put.value.len() as u64 > limit {
            return Err(Error::invalid(format!(
                "the value of `{}` has {} bytes; state component `{}` takes at most {limit}",
                Cut(put.key.shown()),
                put.value.len(),
                self.component.name()
            )));
        }
        let content_type = put.options.content_type.as_deref().unwrap_or_default();
        if content_type.len() > MAX_CONTENT_TYPE || content_type.contains('\0') {
            return Err(Error::invalid(format!(
                "the content type of `{}` has {} bytes or a NUL in it; expected at most {MAX_CONTENT_TYPE} bytes and none",
                Cut(put.key.shown()),
                content_type.len()
            )));
        }
        match put.options.ttl {
            Some(ttl) if ttl.is_zero() => {
                return Err(Error::invalid("a ttl of 0; expected at least 1 ms"));
            }
            Some(_) if !self.features().ttl => return Err(self.unsupported("ttl")),
            _ => {}
        }
        if put.options.fence.is_some() && !self.features().fence {
            return Err(self.unsupported("fence"));
        }
        let key = self.scoped(&put.key)?;
        Ok(Put { key, ..put })
    }

    fn scoped_delete(&self, delete: Delete) -> Result<Delete> {
        if delete.condition == Condition::Absent {
            return Err(Error::invalid(
                "delete with the condition `absent`; expected `always` or `matches`",
            ));
        }
        let key = self.scoped(&delete.key)?;
        Ok(Delete { key, ..delete })
    }

    fn scoped_operation(&self, operation: Operation) -> Result<Operation> {
        Ok(match operation {
            Operation::Put(put) => Operation::Put(self.scoped_put(put)?),
            Operation::Delete(delete) => Operation::Delete(self.scoped_delete(delete)?),
        })
    }

    /// Cuts the keyspace's prefix off again. A driver that answers with other keys, or with more than it
    /// was asked for, has lied, and nothing of its answer is used.
    fn unscoped(&self, page: Page, scoped: &str, limit: u32) -> Result<Page> {
        let violation = |what: &str| {
            Error::internal(format!(
                "the driver of state component `{}` answered `list` with {what}",
                self.component.name()
            ))
        };
        if page.entries.len() > limit as usize {
            return Err(violation("more entries than asked for"));
        }
        let mut entries = Vec::with_capacity(page.entries.len());
        let mut last: Option<String> = None;
        for (key, entry) in page.entries {
            if !key.starts_with(scoped) || last.as_ref().is_some_and(|last| *last >= key) {
                return Err(violation(
                    "keys that were not asked for or are out of order",
                ));
            }
            entries.push((key[self.prefix.len()..].to_owned(), entry));
            last = Some(key);
        }
        let next = match page.next {
            Some(next) => match next.strip_prefix(&self.prefix) {
                Some(next) => Some(next.to_owned()),
                None => return Err(violation("a cursor outside of what was asked for")),
            },
            None => None,
        };
        Ok(Page { entries, next })
    }

    /// Asks the driver for the well-formed items and puts the answers where they belong.
    async fn batch<'a, I, T, F>(
        &self,
        entered: &'a Result<Use<Configured>>,
        caller: &Call,
        operation: component::Operation,
        items: Vec<Result<I>>,
        ask: impl Fn(&'a dyn Driver, Vec<I>) -> F,
    ) -> Vec<Result<T>>
    where
        I: Clone,
        F: Future<Output = Vec<Result<T>>>,
    {
        let good: Vec<I> = items
            .iter()
            .filter_map(|item| item.as_ref().ok().cloned())
            .collect();
        let (count, name) = (good.len(), &self.component.name());
        let ask = |d: &'a Configured| {
            let asked = ask(&*d.driver, good.clone());
            async move { positional(asked.await, count, name) }
        };
        let answers = match entered {
            Ok(component) => component.call(caller, operation, ask).await,
            Err(error) => Err(error.duplicate()),
        };
        let mut answers = match answers {
            Ok(answers) => answers.into_iter(),
            Err(error) => {
                let fail = |item: Result<I>| Err(item.err().unwrap_or_else(|| error.duplicate()));
                return items.into_iter().map(fail).collect();
            }
        };
        let place = |item: Result<I>| match item {
            Ok(_) => answers
                .next()
                .unwrap_or_else(|| Err(Error::internal("the driver lost an answer"))),
            Err(error) => Err(error),
        };
        items.into_iter().map(place).collect()
    }

    fn unsupported(&self, ability: &str) -> Error {
        Error::unsupported(format!(
            "state component `{}` has no {ability}; its features say so",
            self.component.name()
        ))
    }
}

/// A batch's answers are by position, so their number is checked before any is believed.
fn positional<T>(
    answers: Vec<T>,
    count: usize,
    component: impl std::fmt::Display,
) -> Result<Vec<T>> {
    if answers.len() == count {
        return Ok(answers);
    }
    Err(Error::internal(format!(
        "the driver of state component `{component}` answered {} of {count} items",
        answers.len()
    )))
}
