//! `wythe:blocks/state` for guests.

use crate::{
    bindings::app::wythe::blocks::{
        state::{self as wit, Host, HostStore},
        types::Error as WitError,
    },
    ctx::Ctx,
    wit::{Answer, check_items, time, timestamp},
};
use std::time::Duration;
use wasmtime::{Result, component::Resource};
use wythe_blocks::state::{self, Store};

impl Host for Ctx {}

impl HostStore for Ctx {
    async fn open(&mut self, name: String) -> Answer<Resource<Store>> {
        let store = self.identity.tenant.state.open(&self.caller, &name)?;
        Ok(self.handle(store)?)
    }

    async fn features(&mut self, store: Resource<Store>) -> Result<wit::Features> {
        Ok(self.table.get(&store)?.features().into())
    }

    async fn get(&mut self, store: Resource<Store>, key: String) -> Answer<Option<wit::Entry>> {
        let entry = self.table.get(&store)?.get(&self.caller, &key).await?;
        Ok(entry.map(Into::into))
    }

    async fn get_many(
        &mut self,
        store: Resource<Store>,
        keys: Vec<String>,
    ) -> Result<Vec<std::result::Result<Option<wit::Entry>, WitError>>> {
        check_items("`get-many`", keys.len())?;
        let answers = self.table.get(&store)?.get_many(&self.caller, &keys).await;
        let convert = |answer: wythe_blocks::Result<Option<state::Entry>>| {
            answer
                .map(|entry| entry.map(Into::into))
                .map_err(Into::into)
        };
        Ok(answers.into_iter().map(convert).collect())
    }

    async fn put(
        &mut self,
        store: Resource<Store>,
        key: String,
        value: Vec<u8>,
        options: Option<wit::PutOptions>,
    ) -> Answer<String> {
        let put = wit::Put {
            key,
            value,
            options,
        }
        .into();
        Ok(self.table.get(&store)?.put(&self.caller, put).await?)
    }

    async fn put_many(
        &mut self,
        store: Resource<Store>,
        items: Vec<wit::Put>,
    ) -> Result<Vec<std::result::Result<String, WitError>>> {
        check_items("`put-many`", items.len())?;
        let puts = items.into_iter().map(Into::into).collect();
        let answers = self.table.get(&store)?.put_many(&self.caller, puts).await;
        Ok(answers
            .into_iter()
            .map(|answer| answer.map_err(Into::into))
            .collect())
    }

    async fn delete(
        &mut self,
        store: Resource<Store>,
        key: String,
        condition: wit::Condition,
    ) -> Answer<()> {
        let delete = wit::Delete { key, condition }.into();
        let store = self.table.get(&store)?;
        Ok(store.delete(&self.caller, delete).await?)
    }

    async fn transact(
        &mut self,
        store: Resource<Store>,
        operations: Vec<wit::Operation>,
    ) -> Answer<Vec<Option<String>>> {
        let operations = operations.into_iter().map(Into::into).collect();
        let store = self.table.get(&store)?;
        Ok(store.transact(&self.caller, operations).await?)
    }

    async fn list(
        &mut self,
        store: Resource<Store>,
        prefix: String,
        cursor: Option<String>,
        limit: Option<u32>,
    ) -> Answer<wit::Page> {
        let store = self.table.get(&store)?;
        let page = store.list(&self.caller, &prefix, cursor.as_deref(), limit);
        Ok(page.await?.into())
    }

    async fn increment(&mut self, store: Resource<Store>, key: String, delta: i64) -> Answer<i64> {
        let store = self.table.get(&store)?;
        Ok(store.increment(&self.caller, &key, delta).await?)
    }

    async fn drop(&mut self, store: Resource<Store>) -> Result<()> {
        self.table.delete(store)?;
        Ok(())
    }
}

impl From<state::Features> for wit::Features {
    fn from(f: state::Features) -> Self {
        wit::Features {
            transactions: f.transactions,
            ttl: f.ttl,
            list: f.list,
            increment: f.increment,
            fence: f.fence,
            durable: f.durable,
            linearizable: f.linearizable,
            max_value_bytes: f.max_value_bytes,
            max_operations: f.max_operations,
        }
    }
}

impl From<wit::Features> for state::Features {
    fn from(f: wit::Features) -> Self {
        state::Features {
            transactions: f.transactions,
            ttl: f.ttl,
            list: f.list,
            increment: f.increment,
            fence: f.fence,
            durable: f.durable,
            linearizable: f.linearizable,
            // The interface of plugins has no question for it.
            counted: false,
            max_value_bytes: f.max_value_bytes,
            max_operations: f.max_operations,
        }
    }
}

impl From<state::Entry> for wit::Entry {
    fn from(entry: state::Entry) -> Self {
        wit::Entry {
            value: entry.value.into(),
            etag: entry.etag,
            content_type: entry.content_type,
            expires: entry.expires.map(timestamp),
        }
    }
}

impl From<wit::Entry> for state::Entry {
    fn from(entry: wit::Entry) -> Self {
        state::Entry {
            value: entry.value.into(),
            etag: entry.etag,
            content_type: entry.content_type,
            expires: entry.expires.and_then(time),
        }
    }
}

impl From<wit::Condition> for state::Condition {
    fn from(condition: wit::Condition) -> Self {
        match condition {
            wit::Condition::Always => state::Condition::Always,
            wit::Condition::Absent => state::Condition::Absent,
            wit::Condition::Matches(etag) => state::Condition::Matches(etag),
        }
    }
}

impl From<state::Condition> for wit::Condition {
    fn from(condition: state::Condition) -> Self {
        match condition {
            state::Condition::Always => wit::Condition::Always,
            state::Condition::Absent => wit::Condition::Absent,
            state::Condition::Matches(etag) => wit::Condition::Matches(etag),
        }
    }
}

impl From<wit::PutOptions> for state::PutOptions {
    fn from(options: wit::PutOptions) -> Self {
        state::PutOptions {
            condition: options.condition.into(),
            ttl: options.ttl.map(Duration::from_millis),
            content_type: options.content_type,
            fence: options.fence,
        }
    }
}

impl From<state::PutOptions> for wit::PutOptions {
    fn from(options: state::PutOptions) -> Self {
        wit::PutOptions {
            condition: options.condition.into(),
            ttl: options.ttl.map(super::milliseconds),
            content_type: options.content_type,
            fence: options.fence,
        }
    }
}

impl From<wit::Put> for state::Put {
    fn from(put: wit::Put) -> Self {
        state::Put {
            key: put.key.into(),
            value: put.value.into(),
            options: put.options.map(Into::into).unwrap_or_default(),
        }
    }
}

impl From<state::Put> for wit::Put {
    fn from(put: state::Put) -> Self {
        wit::Put {
            key: put.key.into_whole(),
            value: put.value.into(),
            options: Some(put.options.into()),
        }
    }
}

impl From<wit::Delete> for state::Delete {
    fn from(delete: wit::Delete) -> Self {
        state::Delete {
            key: delete.key.into(),
            condition: delete.condition.into(),
        }
    }
}

impl From<wit::Operation> for state::Operation {
    fn from(operation: wit::Operation) -> Self {
        match operation {
            wit::Operation::Put(put) => state::Operation::Put(put.into()),
            wit::Operation::Delete(delete) => state::Operation::Delete(delete.into()),
        }
    }
}

impl From<state::Operation> for wit::Operation {
    fn from(operation: state::Operation) -> Self {
        match operation {
            state::Operation::Put(put) => wit::Operation::Put(put.into()),
            state::Operation::Delete(delete) => wit::Operation::Delete(wit::Delete {
                key: delete.key.into_whole(),
                condition: delete.condition.into(),
            }),
        }
    }
}

impl From<state::Page> for wit::Page {
    fn from(page: state::Page) -> Self {
        let entries = page.entries.into_iter();
        wit::Page {
            entries: entries.map(|(key, entry)| (key, entry.into())).collect(),
            next: page.next,
        }
    }
}

impl From<wit::Page> for state::Page {
    fn from(page: wit::Page) -> Self {
        let entries = page.entries.into_iter();
        state::Page {
            entries: entries.map(|(key, entry)| (key, entry.into())).collect(),
            next: page.next,
        }
    }
}
