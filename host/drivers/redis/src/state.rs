//! State as Dapr lays it out: a hash for each entry, with `data` and `version`. A write is one script, which is one step
//! of the server.
//!
//! Versions come from a counter of the database, so that none comes back after its entry was deleted. An index of the
//! keys is in step with the entries, for lists in order.

use crate::{
    client::{Call, Client, Lua, Session},
    failure::{Effect, bytes, odd, parts, text},
    settings::Parsed,
};
use async_trait::async_trait;
use bytes::Bytes;
use redis::Value;
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock},
    time::Duration,
};
use wythe_blocks::{
    Error, Key, Result, Site,
    state::{
        Condition, Delete, Driver, Entry, Etag, Features, MAX_ANSWER, Operation, Page, Put, sum,
    },
    time::{NEVER, milliseconds},
};

mod index;
mod rows;

use rows::{Step, entry, entry_of, lost};

/// The names of what the driver keeps beside entries: no key of an app begins so.
const COUNTER: &str = "||wythe||version";
const INDEX: &str = "||wythe||keys";
/// Operations of one script, and bytes of their values, where they need not be one step.
const BATCH: usize = 100;
const BATCH_BYTES: usize = 4 << 20;
const MAX_OPERATIONS: u32 = 1_000;
/// Bytes of a value: four of them are one answer of the server.
const MAX_VALUE: u64 = 16 << 20;

static READ: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("state/read.lua")));
static WRITE: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("state/write.lua")));
static LIST: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("state/list.lua")));
static INCREMENT: LazyLock<Lua> = LazyLock::new(|| Lua::new(include_str!("state/increment.lua")));

pub(super) async fn open(
    client: Arc<Client>,
    parsed: Parsed,
    site: Site,
) -> Result<Arc<dyn Driver>> {
    let session = Session::open(client.clone(), &site.component).await?;
    let indexed = match parsed.has_index {
        true => index::build(&client).await,
        false => index::give_up(&client).await,
    };
    indexed.map_err(|error| client.named(error))?;
    Ok(Arc::new(State {
        session,
        ttl: parsed.ttl,
        has_index: parsed.has_index,
        is_alone: parsed.target.sentinel.is_none(),
    }))
}

struct State {
    session: Session,
    ttl: Option<Duration>,
    has_index: bool,
    /// True where no other server takes its place, with less than it had.
    is_alone: bool,
}

impl State {
    fn flag(&self) -> Bytes {
        Bytes::from_static(if self.has_index { b"1" } else { b"0" })
    }

    /// The script's keys and arguments for steps.
    fn call(&self, mode: &'static str, steps: &[Step<'_>]) -> Call {
        let mut call = Call {
            keys: vec![COUNTER.into(), INDEX.into()],
            arguments: vec![mode.into(), self.flag()],
        };
        let mut numbers = HashMap::new();
        for step in steps {
            let number = *numbers.entry(step.key().whole()).or_insert_with(|| {
                call.keys.push(step.key().whole().to_owned().into());
                call.keys.len()
            });
            call.arguments.extend(self.arguments(step, number));
        }
        call
    }

    fn arguments(&self, step: &Step<'_>, number: usize) -> [Bytes; 8] {
        let none = Bytes::new;
        let (condition, etag) = match step.condition() {
            Condition::Always => ("", none()),
            Condition::Absent => ("absent", none()),
            Condition::Matches(etag) => ("matches", etag.clone().into()),
        };
        let (condition, number) = (condition.into(), number.to_string().into());
        let Step::Put(put) = step else {
            let kind = "delete".into();
            return [
                kind,
                number,
                condition,
                etag,
                none(),
                none(),
                none(),
                none(),
            ];
        };
        let options = &put.options;
        let ttl = lifetime(options.ttl.or(self.ttl));
        let content = options.content_type.clone().unwrap_or_default();
        // Numbers of a fixed length are in order as texts: numbers of the server have 53 bits.
        let fence = options
            .fence
            .map_or(none(), |fence| format!("{fence:020}").into());
        [
            "put".into(),
            number,
            condition,
            etag,
            put.value.clone(),
            ttl,
            content.into(),
            fence,
        ]
    }

    /// Does all of the steps, or none.
    async fn all(&self, steps: &[Step<'_>]) -> Result<Vec<Option<Etag>>> {
        let Some(first) = steps.first() else {
            return Ok(Vec::new());
        };
        let about = match steps.len() {
            1 => about(first.key()),
            count => format!("a transaction of {count} operations"),
        };
        let call = self.call("all", steps);
        let answer = self.write(&about, &call).await?;
        let parts = parts(answer)?;
        if let Some(Value::Int(number)) = parts.first() {
            let number = usize::try_from(*number)
                .ok()
                .and_then(|at| at.checked_sub(1));
            let step = number.and_then(|at| steps.get(at)).ok_or_else(odd)?;
            return Err(lost(step, parts));
        }
        if parts.len() != steps.len() {
            return Err(odd());
        }
        let etags = parts.into_iter().map(text);
        let etags = etags.collect::<Result<Vec<_>>>()?;
        let some = |etag: String| (!etag.is_empty()).then_some(etag);
        Ok(etags.into_iter().map(some).collect())
    }

    async fn write(&self, about: &str, call: &Call) -> Result<Value> {
        let client = self.session.client().await?;
        client.run(Effect::Write, about, &WRITE, call).await
    }

    /// Does each of the puts for itself.
    async fn each(&self, puts: &[Put]) -> Vec<Result<Etag>> {
        let steps: Vec<_> = puts.iter().map(Step::Put).collect();
        let about = format!("a batch of {} entries", puts.len());
        let call = self.call("each", &steps);
        let answer = self.write(&about, &call).await;
        let answer = answer
            .and_then(parts)
            .and_then(|parts| match parts.len() == puts.len() {
                true => Ok(parts),
                false => Err(odd()),
            });
        match answer {
            Ok(parts) => {
                let answers = parts.into_iter().zip(&steps);
                answers
                    .map(|(part, step)| match part {
                        Value::Array(parts) => Err(lost(step, parts)),
                        part => text(part),
                    })
                    .collect()
            }
            Err(error) => puts.iter().map(|_| Err(error.duplicate())).collect(),
        }
    }

    async fn read(&self, keys: &[Key], about: &str) -> Result<Vec<Result<Option<Entry>>>> {
        let call = Call {
            keys: keys
                .iter()
                .map(|key| key.whole().to_owned().into())
                .collect(),
            arguments: vec![MAX_ANSWER.to_string().into()],
        };
        let answer = self
            .session
            .client()
            .await?
            .run(Effect::Read, about, &READ, &call)
            .await?;
        let parts = parts(answer)?;
        if parts.len() != keys.len() {
            return Err(odd());
        }
        let read = parts.into_iter().zip(keys);
        Ok(read.map(|(part, key)| entry_of(part, key)).collect())
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

fn about(key: &Key) -> String {
    format!("`{}`", key.shown())
}

/// Milliseconds of a time to live, one at least, as the scripts take them; nothing where there is no end.
fn lifetime(ttl: Option<Duration>) -> Bytes {
    let ttl = ttl.filter(|ttl| *ttl < NEVER);
    ttl.map_or(Bytes::new(), |ttl| {
        milliseconds(ttl).max(1).to_string().into()
    })
}

#[async_trait]
impl Driver for State {
    fn features(&self) -> Features {
        Features {
            transactions: true,
            ttl: true,
            list: self.has_index,
            increment: true,
            fence: true,
            durable: self.session.facts.is_durable(),
            linearizable: self.is_alone,
            counted: false,
            max_value_bytes: MAX_VALUE,
            max_operations: MAX_OPERATIONS,
        }
    }

    async fn get(&self, key: &Key) -> Result<Option<Entry>> {
        let keys = std::slice::from_ref(key);
        let mut answers = self.read(keys, &about(key)).await?;
        answers.pop().ok_or_else(odd)?
    }

    async fn get_many(&self, keys: Vec<Key>) -> Vec<Result<Option<Entry>>> {
        if keys.is_empty() {
            return Vec::new();
        }
        let about = format!("a batch of {} keys", keys.len());
        match self.read(&keys, &about).await {
            Ok(answers) => answers,
            Err(error) => keys.iter().map(|_| Err(error.duplicate())).collect(),
        }
    }

    async fn put(&self, put: Put) -> Result<Etag> {
        check_size(&put)?;
        let etags = self.all(&[Step::Put(&put)]).await?;
        etags.into_iter().next().flatten().ok_or_else(odd)
    }

    async fn put_many(&self, puts: Vec<Put>) -> Vec<Result<Etag>> {
        let (mut answers, mut rest) = (Vec::with_capacity(puts.len()), &puts[..]);
        while !rest.is_empty() {
            let mut bytes = 0;
            if let Err(error) = check_size(&rest[0]) {
                answers.push(Err(error));
                rest = &rest[1..];
                continue;
            }
            let fits = rest.iter().take(BATCH).take_while(|put| {
                bytes += put.value.len();
                bytes <= BATCH_BYTES
            });
            let (batch, after) = rest.split_at(fits.count().max(1));
            answers.extend(self.each(batch).await);
            rest = after;
        }
        answers
    }

    async fn delete(&self, delete: Delete) -> Result<()> {
        self.all(&[Step::Delete(&delete)]).await.map(drop)
    }

    async fn transact(&self, operations: Vec<Operation>) -> Result<Vec<Option<Etag>>> {
        if operations.len() > MAX_OPERATIONS as usize {
            return Err(Error::invalid(format!(
                "a transaction of {} operations; at most {MAX_OPERATIONS} are allowed",
                operations.len()
            )));
        }
        let steps: Vec<_> = operations.iter().map(Step::from).collect();
        for step in &steps {
            if let Step::Put(put) = step {
                check_size(put)?;
            }
        }
        self.all(&steps).await
    }

    async fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page> {
        if !self.has_index {
            return Err(Error::unsupported(
                "the component has no list: `keyIndex` is false",
            ));
        }
        index::list(self.session.client().await?, prefix, cursor, limit).await
    }

    async fn increment(&self, key: &Key, delta: i64) -> Result<i64> {
        let call = Call {
            keys: vec![COUNTER.into(), INDEX.into(), key.whole().to_owned().into()],
            arguments: vec![self.flag(), delta.to_string().into(), lifetime(self.ttl)],
        };
        let about = about(key);
        let client = self.session.client().await?;
        let answer = client.run(Effect::Write, &about, &INCREMENT, &call).await?;
        match answer {
            Value::Array(parts) => {
                let data = bytes(parts.into_iter().next().ok_or_else(odd)?)?;
                sum(key.shown(), Some(&data), delta)?;
                // White space, which is no part of a number to the server.
                Err(Error::invalid(format!(
                    "the value of `{}` is no decimal integer of 64 bits",
                    key.shown()
                )))
            }
            answer => text(answer)?.parse().map_err(|_| odd()),
        }
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
