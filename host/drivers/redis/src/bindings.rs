//! Texts under keys as an outside system: Dapr's `create`, `delete`, `get` and `increment`.

use crate::{
    client::{Client, Session},
    failure::{Effect, odd},
};
use async_trait::async_trait;
use bytes::Bytes;
use redis::{Cmd, Value};
use std::sync::Arc;
use wythe_blocks::{
    Error, Result, Site,
    bindings::{Driver, Features, Outcome, Request},
    time::NEVER,
};

/// The beginning of keys that other drivers have for themselves in a database.
const OWN: &str = "||wythe||";
/// Bytes of a key.
const MAX_KEY: usize = 1_024;

pub(super) async fn open(client: Arc<Client>, site: Site) -> Result<Arc<dyn Driver>> {
    let session = Session::open(client, &site.component).await?;
    Ok(Arc::new(Binding(session)))
}

struct Binding(Session);

/// The key that the request names, as Dapr has it.
fn key<'a>(request: &Request<'a>) -> Result<&'a str> {
    let pairs = request.metadata.iter();
    let mut keys = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("key"));
    let key = keys.next().map(|(_, key)| key.as_str());
    match key {
        Some(key) if key.starts_with(OWN) => Err(Error::denied(format!(
            "keys that begin with `{OWN}` are the host's own"
        ))),
        Some(key) if !key.is_empty() && key.len() <= MAX_KEY => Ok(key),
        _ => Err(Error::invalid(format!(
            "expected metadata `key`, of 1 to {MAX_KEY} bytes"
        ))),
    }
}

/// Seconds after which the key ends.
fn ttl(request: &Request<'_>) -> Result<Option<u64>> {
    let Some(text) = request.get("ttlInSeconds") else {
        return Ok(None);
    };
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|seconds| (1..=NEVER.as_secs()).contains(seconds));
    let wrong = || Error::invalid("expected metadata `ttlInSeconds` to be a number of seconds");
    seconds.map(Some).ok_or_else(wrong)
}

fn command(name: &str, key: &str) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(key);
    command
}

impl Binding {
    async fn write(&self, key: &str, command: &Cmd) -> Result<Value> {
        let about = format!("`{key}`");
        self.0
            .client()
            .await?
            .ask(Effect::Write, &about, command)
            .await
    }

    async fn create(&self, request: &Request<'_>, key: &str) -> Result<Outcome> {
        let mut set = command("SET", key);
        set.arg(&request.data[..]);
        if let Some(seconds) = ttl(request)? {
            set.arg("EX").arg(seconds);
        }
        self.write(key, &set).await?;
        Ok(Outcome::default())
    }

    /// Reads a text, of which the server says first how long it is; with `delete: true` it is taken away, too.
    async fn get(&self, request: &Request<'_>, key: &str) -> Result<Outcome> {
        let about = format!("`{key}`");
        let client = self.0.client().await?;
        let length = client
            .ask(Effect::Read, &about, &command("STRLEN", key))
            .await?;
        let length = match length {
            Value::Int(length) => u64::try_from(length).map_err(|_| odd())?,
            _ => return Err(odd()),
        };
        if length > request.max_bytes {
            return Err(Error::invalid(format!(
                "{about} has {length} bytes; the component's `maxDataBytes` is {}",
                request.max_bytes
            )));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let _held = request.hold(length)?;
        let takes = request
            .get("delete")
            .is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let (name, effect) = match takes {
            true => ("GETDEL", Effect::Write),
            false => ("GET", Effect::Read),
        };
        match client.ask(effect, &about, &command(name, key)).await? {
            Value::BulkString(data) => Ok(outcome(data.into())),
            Value::Nil => Err(Error::not_found(format!("no {about}"))),
            _ => Err(odd()),
        }
    }

    async fn increment(&self, request: &Request<'_>, key: &str) -> Result<Outcome> {
        let ttl = ttl(request)?;
        let sum = match self.write(key, &command("INCR", key)).await? {
            Value::Int(sum) => sum,
            _ => return Err(odd()),
        };
        if let Some(seconds) = ttl {
            let mut expire = command("EXPIRE", key);
            expire.arg(seconds);
            self.write(key, &expire).await?;
        }
        Ok(outcome(sum.to_string().into()))
    }
}

fn outcome(data: Bytes) -> Outcome {
    Outcome {
        data,
        metadata: Vec::new(),
    }
}

#[async_trait]
impl Driver for Binding {
    fn features(&self) -> Features {
        let operations = ["create", "delete", "get", "increment"];
        Features {
            operations: operations.map(str::to_owned).into(),
            ..Features::default()
        }
    }

    async fn invoke(&self, request: Request<'_>) -> Result<Outcome> {
        let key = key(&request)?;
        match request.operation {
            "create" => self.create(&request, key).await,
            "get" => self.get(&request, key).await,
            "increment" => self.increment(&request, key).await,
            _ => {
                self.write(key, &command("DEL", key)).await?;
                Ok(Outcome::default())
            }
        }
    }

    fn describe(&self) -> Option<String> {
        self.0.describe()
    }

    async fn health(&self) -> Result<()> {
        self.0.health().await
    }

    async fn close(&self) -> Result<()> {
        self.0.close();
        Ok(())
    }
}
