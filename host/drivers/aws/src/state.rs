//! State in a table of DynamoDB, as Dapr lays it out: an item for each entry, with `value` and `etag`. Reads are consistent,
//! and a write is one request with its condition. An item whose time is over is removed before another takes its place.

mod item;
mod plan;

use crate::{
    client::{Operation as Asked, Session, Shared, shared},
    fault::Fault,
    settings::{Service, Target, config, wrong},
};
use async_trait::async_trait;
use item::{Item, Names, conflict};
use plan::{Write, plan};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::time::sleep;
use wythe_blocks::{
    Backoff, Error, Key, Result, Site, Wrong,
    state::{Delete, Driver, Entry, Etag, Features, Operation, Put},
    time::now,
};
use wythe_client::Effect;

const SERVICE: Service = Service::named("dynamodb");
/// Bytes of a value: an item has 400 KB with its key and names.
const MAX_VALUE: u64 = 384 << 10;
const MAX_OPERATIONS: u32 = 100;
/// Tries of a write that others overtake, and pauses between them.
const TRIES: usize = 10;
const PAUSE: Backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));

config! {
    struct Config {
        /// The table.
        table: String,
        /// The attribute with the end of an entry, by which the service removes it; default none, and then there is no ttl.
        ttl_attribute_name: Option<String>,
        /// The attribute that is the table's partition key; default `key`.
        partition_key: Option<String>,
    }
}

/// A config that was found good.
pub(crate) struct Parsed {
    target: Target,
    names: Names,
}

pub(crate) fn parse(mut config: Config) -> Result<Parsed, Wrong> {
    let table = config.table.trim().to_owned();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !(3..=255).contains(&table.len()) || !table.chars().all(is_plain) {
        let why = "expected the name of a table, of 3 to 255 letters, digits, `-`, `_` and `.`";
        return Err(wrong("table", why));
    }
    let key = config
        .partition_key
        .take()
        .unwrap_or_else(|| "key".to_owned());
    let taken = [
        "value",
        "etag",
        "wythe_expires",
        "wythe_fence",
        "wythe_content_type",
    ];
    if key.is_empty() || key.len() > 255 || taken.contains(&key.as_str()) {
        return Err(wrong(
            "partitionKey",
            "expected the name of an attribute that is not of an entry",
        ));
    }
    let ttl = config
        .ttl_attribute_name
        .take()
        .filter(|name| !name.is_empty());
    if let Some(name) = &ttl
        && (name.len() > 255 || *name == key || taken.contains(&name.as_str()))
    {
        return Err(wrong(
            "ttlAttributeName",
            "expected the name of an attribute of its own",
        ));
    }
    Ok(Parsed {
        target: Target::parse(config.service(), SERVICE)?,
        names: Names { table, key, ttl },
    })
}

pub(crate) fn warnings(parsed: &Parsed) -> Vec<Wrong> {
    parsed.target.warnings()
}

pub(crate) async fn open(clients: Shared, parsed: Parsed, site: Site) -> Result<Arc<dyn Driver>> {
    let client = shared(&clients, &parsed.target, &site);
    let table = Table {
        session: Session::new(client.clone(), format!("table `{}`", parsed.names.table)),
        names: parsed.names,
    };
    table.look().await.map_err(|error| client.named(error))?;
    Ok(Arc::new(table))
}

struct Table {
    session: Session,
    names: Names,
}

fn about(key: &Key) -> String {
    format!("`{}`", key.shown())
}

impl Table {
    async fn ask(&self, name: &str, effect: Effect, body: &Value) -> Result<Result<Value, Fault>> {
        let asked = Asked {
            service: SERVICE.name,
            prefix: "DynamoDB_20120810",
            version: "1.0",
            name,
            effect,
            extra: Duration::ZERO,
        };
        Ok(self.session.client()?.json(asked, body).await)
    }

    fn failed(&self, fault: Fault, effect: Effect, about: &str) -> Error {
        match fault.code() {
            "ResourceNotFoundException" => Error::unavailable(format!(
                "there is no table `{}`: make it, or check `table`, `region` and `endpoint`",
                self.names.table
            )),
            "ItemCollectionSizeLimitExceededException" => {
                Error::exhausted(format!("the table has no room for {about}"))
            }
            _ => fault.error(effect, about),
        }
    }

    /// Asks for the table, whose only key must be the one that is named. A key that may not is good enough.
    async fn look(&self) -> Result<()> {
        let body = json!({ "TableName": self.names.table });
        let answer = match self.ask("DescribeTable", Effect::Read, &body).await? {
            Err(fault) if fault.is_about_rights() => return Ok(()),
            Err(fault) => return Err(self.failed(fault, Effect::Read, "the table")),
            Ok(answer) => answer,
        };
        let schema = answer
            .get("Table")
            .and_then(|table| table.get("KeySchema")?.as_array());
        let odd = || Fault::Odd("no table".to_owned()).of_read("the table");
        let schema = schema.ok_or_else(odd)?;
        let is_own =
            |one: &Value| one.get("AttributeName").and_then(Value::as_str) == Some(&self.names.key);
        match schema.len() == 1 && schema.iter().all(is_own) {
            true => Ok(()),
            false => Err(Error::invalid(format!(
                "the table `{}` has other keys than `{}` alone: check `partitionKey`, and that it has no sort key",
                self.names.table, self.names.key
            ))),
        }
    }

    /// The item of a key, be its time over or not.
    async fn item(&self, key: &Key) -> Result<Option<Item>> {
        let body = json!({
            "TableName": self.names.table,
            "Key": self.names.key(key.whole()),
            "ConsistentRead": true,
        });
        let about = about(key);
        let answer = self.ask("GetItem", Effect::Read, &body).await?;
        let answer = answer.map_err(|fault| self.failed(fault, Effect::Read, &about))?;
        let item = answer
            .get("Item")
            .filter(|item| item.as_object().is_some_and(|all| !all.is_empty()));
        let item = item.map(|item| self.names.read(item, now())).transpose();
        item.map_err(|why| Fault::Odd(why).of_read(&about))
    }

    /// Does all of the writes, or none. What fails their conditions is looked at: a conflict, an entry whose time is over, or
    /// somebody else who was faster.
    async fn commit(&self, writes: &[Write<'_>], about: &str) -> Result<()> {
        let (mut pause, mut last) = (PAUSE, None);
        for _ in 0..TRIES {
            let fault = match self.send(writes).await? {
                Ok(_) => return Ok(()),
                Err(fault) => fault,
            };
            match fault.code() {
                "ConditionalCheckFailedException" | "TransactionCanceledException" => {
                    for write in writes {
                        self.settle(write).await?;
                    }
                }
                "TransactionConflictException" | "TransactionInProgressException" => {}
                _ => return Err(self.failed(fault, Effect::Write, about)),
            }
            last = Some(fault.of_write(about).chain());
            sleep(pause.fail_apart()).await;
        }
        let error = Error::unavailable(format!(
            "{about} was refused at each of {TRIES} tries: others write the same, or the table is too busy"
        ));
        Err(error.with_source(last.unwrap_or_default()))
    }

    async fn send(&self, writes: &[Write<'_>]) -> Result<Result<Value, Fault>> {
        if let [write] = writes {
            let (name, body) = self.names.write(write, now());
            return self.ask(&format!("{name}Item"), Effect::Write, &body).await;
        }
        let items = writes.iter().map(|write| {
            let (name, body) = self.names.write(write, now());
            json!({ name: body })
        });
        let body = json!({ "TransactItems": items.collect::<Vec<_>>() });
        self.ask("TransactWriteItems", Effect::Write, &body).await
    }

    /// Finds out why a write did not fit, and removes an entry whose time is over.
    async fn settle(&self, write: &Write<'_>) -> Result<()> {
        let item = self.item(write.key).await?;
        if let Some(dead) = item.as_ref().filter(|item| item.is_dead) {
            let body = self.names.reap(write.key.whole(), dead);
            // Whoever was faster has removed it, or put another one in its place.
            return match self.ask("DeleteItem", Effect::Write, &body).await? {
                Err(fault) if fault.code() != "ConditionalCheckFailedException" => {
                    Err(self.failed(fault, Effect::Read, &about(write.key)))
                }
                _ => Ok(()),
            };
        }
        conflict(write, item.as_ref()).map_or(Ok(()), Err)
    }
}

fn check_size(put: &Put) -> Result<()> {
    match put.value.len() as u64 <= MAX_VALUE {
        true => Ok(()),
        false => Err(Error::invalid(format!(
            "the value of `{}` has {} bytes; at most {MAX_VALUE} are allowed",
            put.key.shown(),
            put.value.len()
        ))),
    }
}

#[async_trait]
impl Driver for Table {
    fn features(&self) -> Features {
        Features {
            transactions: true,
            ttl: self.names.ttl.is_some(),
            list: false,
            increment: false,
            fence: true,
            durable: true,
            linearizable: false,
            counted: false,
            max_value_bytes: MAX_VALUE,
            max_operations: MAX_OPERATIONS,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let item = self.item(key).await?;
        Ok(item.filter(|item| !item.is_dead).map(|item| item.entry))
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        let etags = self.transact(vec![Operation::Put(put)]).await?;
        let odd = || Error::internal("a put without an etag");
        etags.into_iter().next().flatten().ok_or_else(odd)
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        self.transact(vec![Operation::Delete(delete)])
            .await
            .map(drop)
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        if operations.len() > MAX_OPERATIONS as usize {
            return Err(Error::invalid(format!(
                "a transaction of {} operations; at most {MAX_OPERATIONS} are allowed",
                operations.len()
            )));
        }
        for operation in &operations {
            if let Operation::Put(put) = operation {
                check_size(put)?;
            }
        }
        let about = match &operations[..] {
            [] => return Ok(Vec::new()),
            [one] => about(one.key()),
            several => format!("a transaction of {} operations", several.len()),
        };
        let (writes, etags) = plan(&operations)?;
        self.commit(&writes, &about).await?;
        Ok(etags)
    }

    fn describe(&self) -> Option<String> {
        self.session.describe()
    }

    async fn health(&self) -> Result<()> {
        self.look().await
    }

    async fn close(&self) -> Result<()> {
        self.session.close();
        Ok(())
    }
}
