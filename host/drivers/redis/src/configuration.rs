//! Configuration as Dapr lays it out: a text for each item, `value||version`. Metadata, for which that has no room, is in
//! a hash beside them.

use crate::{
    client::{Call, Client, Lua, Session},
    failure::{Effect, odd, parts, strange, text},
};
use async_trait::async_trait;
use bytes::Bytes;
use redis::Value;
use std::sync::{Arc, LazyLock};
use wythe_blocks::{
    Error, Result, Site,
    configuration::{Driver, Features, Item, NewItem},
};

const METADATA: &str = "||wythe||metadata";
const COUNTER: &str = "||wythe||change";
/// Keys of the database, items, and bytes of all of them: a look at the version reads them all.
const MAX_KEYS: usize = 100_000;
const MAX_ITEMS: usize = 10_000;
const MAX_BYTES: usize = 16 << 20;

static READ: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("configuration/read.lua")));
static WRITE: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("configuration/write.lua")));

pub(super) async fn open(client: Arc<Client>, site: Site) -> Result<Arc<dyn Driver>> {
    let session = Session::open(client, &site.component).await?;
    Ok(Arc::new(Configuration { session }))
}

struct Configuration {
    session: Session,
}

type Metadata = Vec<(String, String)>;

impl Configuration {
    async fn read(&self, mode: &'static str, keys: &[String]) -> Result<Value> {
        let budgets = [MAX_KEYS, MAX_ITEMS, MAX_BYTES];
        let budgets = budgets.map(|budget| Bytes::from(budget.to_string()));
        let mut call = Call {
            keys: vec![METADATA.into(), COUNTER.into()],
            arguments: vec![mode.into()],
        };
        call.arguments.extend(budgets);
        call.arguments.extend(keys.iter().cloned().map(Bytes::from));
        let client = self.session.client().await?;
        let answer = client.run(Effect::Read, "the items", &READ, &call);
        match answer.await? {
            Value::Int(_) => Err(Error::exhausted(format!(
                "the database has more than {MAX_KEYS} keys, {MAX_ITEMS} items or {MAX_BYTES} bytes of them: give the configuration a database of its own"
            ))),
            answer => Ok(answer),
        }
    }

    async fn write(&self, act: &'static str, mut arguments: Vec<Bytes>) -> Result<()> {
        arguments.insert(0, act.into());
        let call = Call {
            keys: vec![METADATA.into(), COUNTER.into()],
            arguments,
        };
        let client = self.session.client().await?;
        let answer = client
            .run(Effect::Write, "the items", &WRITE, &call)
            .await?;
        let key = text(answer)?;
        match key.is_empty() {
            true => Ok(()),
            false => Err(strange(&format!("`{key}`"))),
        }
    }
}

/// An item of the script; none where somebody else wrote one that is no UTF-8.
fn item(value: Value) -> Result<Option<Item>> {
    let parts = <[Value; 4]>::try_from(parts(value)?);
    let [key, value, version, metadata] = parts.map_err(|_| odd())?;
    let (Ok(key), Ok(value), Ok(version)) = (text(key), text(value), text(version)) else {
        return Ok(None);
    };
    let metadata = serde_json::from_str::<Metadata>(&text(metadata)?).unwrap_or_default();
    Ok(Some(Item {
        key,
        value,
        version,
        metadata,
    }))
}

#[async_trait]
impl Driver for Configuration {
    fn features(&self) -> Features {
        Features {
            durable: self.session.facts.is_durable(),
            writable: true,
        }
    }

    async fn get(&self, keys: &[String]) -> Result<Vec<Item>> {
        let mut keys = keys.to_vec();
        keys.sort();
        keys.dedup();
        let mode = if keys.is_empty() { "all" } else { "some" };
        let items = parts(self.read(mode, &keys).await?)?;
        let items = items.into_iter().map(item);
        items.filter_map(Result::transpose).collect()
    }

    async fn version(&self) -> Result<String> {
        text(self.read("digest", &[]).await?)
    }

    async fn set(&self, items: Vec<NewItem>) -> Result<()> {
        let mut arguments = Vec::with_capacity(items.len() * 3);
        for item in items {
            let metadata = match item.metadata.is_empty() {
                true => String::new(),
                false => serde_json::to_string(&item.metadata).map_err(|_| odd())?,
            };
            arguments.extend([item.key.into(), item.value.into(), metadata.into()]);
        }
        self.write("set", arguments).await
    }

    async fn delete(&self, keys: Vec<String>) -> Result<()> {
        let keys = keys.into_iter().map(Bytes::from);
        self.write("delete", keys.collect()).await
    }

    fn describe(&self) -> Option<String> {
        self.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.session.health().await
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        Ok(())
    }
}
