//! A state driver over Redis that runs in the sandbox: a plain blocking client over a connection that its component grants.
//!
//! Metadata of its component, beside `allowedHosts: tcp://HOST:PORT`:
//!
//! | name | default | meaning |
//! |---|---|---|
//! | `redisHost` | required | the server, `HOST:PORT` |
//! | `redisPassword` | none | its password, by `secretKeyRef` |
//! | `redisDB` | 0 | the number of its database |
//!
//! An entry is a hash of `data`, `version` and `type`. Each write is one script, so that conditions and transactions hold
//! whoever else writes. The native `state.redis` does more, and is faster.
use std::time::{Duration, SystemTime};

use redis::{
    Client, Connection, ConnectionAddr, ErrorKind, IntoConnectionInfo, RedisConnectionInfo,
    RedisError, Script,
};
use wythe_sdk::plugin::state::{
    Condition, Delete, Entry, Features, Operation, Page, Put, PutOptions,
};
use wythe_sdk::plugin::{Metadata, Plugin, StateDriver};
use wythe_sdk::wasip2::random::random::get_random_u64;
use wythe_sdk::{Error, Kind, Result, timestamp};

/// Time to connect, and time of an answer: less than a call may take.
const PATIENCE: Duration = Duration::from_secs(2);
const MAX_VALUE: u64 = 4 << 20;
const MAX_OPERATIONS: u32 = 1_000;
/// Versions begin below, so that they are whole numbers of Lua for ever.
const FIRST: u64 = 1 << 52;

struct Redis {
    client: Client,
    connection: Option<Connection>,
    script: Script,
}

impl Plugin for Redis {
    fn init(_component: &str, metadata: Metadata) -> Result<Self> {
        metadata.only(&["redisDB", "redisHost", "redisPassword"])?;
        let host = metadata.get("redisHost");
        let host = host.ok_or_else(|| {
            Error::invalid("metadata `redisHost` is missing; expected `HOST:PORT`")
        })?;
        let mut plugin = Self {
            client: client(host, &metadata)?,
            connection: None,
            script: Script::new(include_str!("apply.lua")),
        };
        // A server that cannot be had is told at the start.
        plugin.read(|connection| redis::cmd("PING").query::<String>(connection))?;
        Ok(plugin)
    }
}

fn client(host: &str, metadata: &Metadata) -> Result<Client> {
    let wrong = || Error::invalid(format!("metadata `redisHost` is `HOST:PORT`, not `{host}`"));
    let (name, port) = host.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    let mut settings = RedisConnectionInfo::default().set_db(metadata.number("redisDB", 0)?);
    if let Some(password) = metadata.get("redisPassword") {
        settings = settings.set_password(password);
    }
    let address = ConnectionAddr::Tcp(name.trim_matches(['[', ']']).to_owned(), port);
    let info = address
        .into_connection_info()
        .map_err(|error| failed(&error))?;
    Client::open(info.set_redis_settings(settings)).map_err(|error| failed(&error))
}

/// The error of something that changes nothing.
fn failed(error: &RedisError) -> Error {
    match error.kind() {
        ErrorKind::AuthenticationFailed => {
            Error::denied(format!("the server refuses the login: {error}"))
        }
        _ => Error::unavailable(format!("the server cannot be asked: {error}")),
    }
}

/// The end of a question: what went wrong, and whether it had begun.
struct Failure {
    error: RedisError,
    has_begun: bool,
}

impl Failure {
    /// The error of something that changes nothing, or has not begun.
    fn harmless(self) -> Error {
        failed(&self.error)
    }
}

impl Redis {
    /// Asks over the connection, or a new one where there is none. One that broke is not used again.
    fn ask<T>(
        &mut self,
        run: impl FnOnce(&mut Connection) -> Result<T, RedisError>,
    ) -> Result<T, Failure> {
        let begun = |has_begun| move |error| Failure { error, has_begun };
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => connect(&self.client).map_err(begun(false))?,
        };
        let answer = run(&mut connection);
        let is_broken = |error: &RedisError| error.is_unrecoverable_error() || error.is_timeout();
        if !answer.as_ref().is_err_and(is_broken) {
            self.connection = Some(connection);
        }
        answer.map_err(begun(true))
    }

    /// Reads, and once more over a new connection where the old one was gone.
    fn read<T>(&mut self, run: impl Fn(&mut Connection) -> Result<T, RedisError>) -> Result<T> {
        let had_one = self.connection.is_some();
        match self.ask(&run) {
            Err(_) if had_one && self.connection.is_none() => self.ask(&run),
            answer => answer,
        }
        .map_err(Failure::harmless)
    }

    /// Does the operations, all of them or none. A write that was cut short may have come to pass.
    fn apply(&mut self, operations: &[Operation]) -> Result<Vec<Option<String>>> {
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        if operations.len() > MAX_OPERATIONS as usize {
            return Err(Error::invalid(format!(
                "at most {MAX_OPERATIONS} operations at once"
            )));
        }
        let is_large = |operation: &Operation| matches!(operation, Operation::Put(put) if put.value.len() as u64 > MAX_VALUE);
        if operations.iter().any(is_large) {
            return Err(Error::invalid(format!(
                "a value has at most {MAX_VALUE} bytes"
            )));
        }
        let script = self.script.clone();
        let mut call = script.prepare_invoke();
        for operation in operations {
            let (key, words) = words(operation);
            call.key(key);
            for word in words {
                call.arg(word);
            }
        }
        call.arg(get_random_u64() % FIRST + 1);
        self.ask(|connection| call.invoke(connection))
            .map_err(|failure| {
                let Failure { error, has_begun } = &failure;
                match error.code() {
                    Some("CONFLICT") => Error::conflict("the entry is not as it should be"),
                    // The server has answered, and done nothing; or it was not asked.
                    _ if !has_begun || self.connection.is_some() => failure.harmless(),
                    _ => Error::new(
                        Kind::UnknownOutcome,
                        format!("no answer to a write: {error}"),
                    ),
                }
            })
    }

    fn put_one(&mut self, operation: Operation) -> Result<Option<String>> {
        Ok(self.apply(&[operation])?.pop().flatten())
    }
}

fn connect(client: &Client) -> Result<Connection, RedisError> {
    let connection = client.get_connection_with_timeout(PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    Ok(connection)
}

/// The key of an operation, and its words for the script.
fn words(operation: &Operation) -> (&str, [Vec<u8>; 6]) {
    let of = |condition: &Condition| match condition {
        Condition::Always => (b"always".to_vec(), Vec::new()),
        Condition::Absent => (b"absent".to_vec(), Vec::new()),
        Condition::Matches(etag) => (b"matches".to_vec(), etag.clone().into_bytes()),
    };
    match operation {
        Operation::Put(put) => {
            let options = put.options.as_ref();
            let (when, etag) = of(options.map_or(&Condition::Always, |options| &options.condition));
            let kind = options.and_then(|options| options.content_type.clone());
            let ttl = options.and_then(|options| options.ttl);
            let ttl = ttl.map(|ttl| ttl.max(1).to_string()).unwrap_or_default();
            let words = [
                b"put".to_vec(),
                when,
                etag,
                put.value.clone(),
                kind.unwrap_or_default().into_bytes(),
                ttl.into_bytes(),
            ];
            (&put.key, words)
        }
        Operation::Delete(delete) => {
            let (when, etag) = of(&delete.condition);
            let none = Vec::new;
            (
                &delete.key,
                [b"delete".to_vec(), when, etag, none(), none(), none()],
            )
        }
    }
}

/// The fields of an entry and the milliseconds that it has left.
type Found = ((Option<Vec<u8>>, Option<String>, Option<String>), i64);

impl StateDriver for Redis {
    fn describe(&self) -> Features {
        Features {
            transactions: true,
            ttl: true,
            list: false,
            increment: false,
            fence: false,
            durable: false,
            linearizable: true,
            max_value_bytes: MAX_VALUE,
            max_operations: MAX_OPERATIONS,
        }
    }

    fn get(&mut self, key: &str) -> Result<Option<Entry>> {
        let mut both = redis::pipe();
        both.atomic();
        both.cmd("HMGET").arg(key).arg(&["data", "version", "type"]);
        both.cmd("PTTL").arg(key);
        let ((data, version, kind), left): Found =
            self.read(|connection| both.query(connection))?;
        let (Some(value), Some(etag)) = (data, version) else {
            return Ok(None);
        };
        Ok(Some(Entry {
            value,
            etag,
            content_type: kind.filter(|kind| !kind.is_empty()),
            expires: u64::try_from(left)
                .ok()
                .map(|left| timestamp(SystemTime::now()) + left),
        }))
    }

    fn put(&mut self, key: String, value: Vec<u8>, options: PutOptions) -> Result<String> {
        let options = Some(options);
        let etag = self.put_one(Operation::Put(Put {
            key,
            value,
            options,
        }))?;
        etag.ok_or_else(|| Error::internal("the script gave a put no version"))
    }

    fn delete(&mut self, key: &str, condition: Condition) -> Result<()> {
        let key = key.to_owned();
        self.put_one(Operation::Delete(Delete { key, condition }))
            .map(drop)
    }

    fn transact(&mut self, operations: Vec<Operation>) -> Result<Vec<Option<String>>> {
        self.apply(&operations)
    }

    fn list(&mut self, _: &str, _: Option<&str>, _: u32) -> Result<Page> {
        Err(Error::unsupported("keys of this server have no order"))
    }
}

wythe_sdk::state_plugin!(Redis);
