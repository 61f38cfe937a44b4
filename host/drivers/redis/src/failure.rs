//! The one place where errors of the client and of the server become those of the host, and answers of another shape than
//! they must have do, too.

use bytes::Bytes;
use redis::{RedisError, Value};
use wythe_blocks::{Error, Result};

/// The nature of a call that may fail on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// It changes nothing.
    Read,
    /// It may have happened though nobody heard of it.
    Write,
}

/// An error of a call that was sent; `about` is what it was about, as the app knows it.
pub(crate) fn of_call(error: RedisError, effect: Effect, about: &str) -> Error {
    let code = code(&error);
    let known = match code.as_str() {
        "" => None,
        "WRONGTYPE" => Some(strange(about)),
        "NOAUTH" | "WRONGPASS" | "NOPERM" => Some(refused(&code)),
        "OOM" => Some(Error::exhausted(format!(
            "the server has no memory left for {about} (OOM): raise its `maxmemory`, or delete rows"
        ))),
        "MISCONF" => Some(Error::unavailable(
            "the server does not write, for it cannot write to its disk (MISCONF): look at its log",
        )),
        "READONLY" => Some(Error::unavailable(
            "the server is a replica now (READONLY): name the one that is written to, or `sentinelMasterName`",
        )),
        "LOADING" | "BUSY" | "TRYAGAIN" | "MASTERDOWN" | "CLUSTERDOWN" | "NOREPLICAS" => Some(
            Error::unavailable(format!("the server is not ready ({code})")),
        ),
        "MOVED" | "ASK" | "CROSSSLOT" => Some(Error::unsupported(
            "the server is a node of a cluster, which this build does not speak to: name a server that is none",
        )),
        _ => Some(Error::internal(format!(
            "the server answered {about} with an error"
        ))),
    };
    let error_of_way = || match effect {
        Effect::Read => Error::unavailable("no answer of the server: the connection broke"),
        Effect::Write => Error::unknown_outcome(format!(
            "the connection to the server broke before its answer: whether {about} was written is not known"
        )),
    };
    known.unwrap_or_else(error_of_way).with_source(error)
}

/// An answer that is late.
pub(crate) fn late(effect: Effect, about: &str) -> Error {
    match effect {
        Effect::Read => Error::unavailable("the server did not answer in time"),
        Effect::Write => Error::unknown_outcome(format!(
            "the server did not answer in time: whether {about} was written is not known"
        )),
    }
}

/// The server refuses who asks.
pub(crate) fn refused(code: &str) -> Error {
    match code {
        "NOAUTH" => Error::denied("the server wants a password (NOAUTH): set `redisPassword`"),
        "NOPERM" => Error::denied(
            "the user may not do that (NOPERM): its ACL must allow the commands and keys that host/drivers/README.md lists",
        ),
        _ => Error::denied(
            "the server refuses the user or the password (WRONGPASS): check `redisUsername` and `redisPassword`",
        ),
    }
}

/// An answer that does not have the shape that it must have.
pub(crate) fn odd() -> Error {
    Error::internal("the server's answer does not have the shape that it must have; is it Redis?")
}

/// The parts of an answer that is a list.
pub(crate) fn parts(value: Value) -> Result<Vec<Value>> {
    match value {
        Value::Array(parts) => Ok(parts),
        _ => Err(odd()),
    }
}

pub(crate) fn bytes(value: Value) -> Result<Bytes> {
    match value {
        Value::BulkString(bytes) => Ok(bytes.into()),
        _ => Err(odd()),
    }
}

pub(crate) fn text(value: Value) -> Result<String> {
    String::from_utf8(bytes(value)?.into()).map_err(|_| odd())
}

/// A row that is no row of the block; `about` is the key, as the app knows it.
pub(crate) fn strange(about: &str) -> Error {
    Error::invalid(format!(
        "{about} is a row of another type in the server: somebody else wrote it; delete it there, or use another database"
    ))
}

/// The code of an error of the server. Servers before 7 wrap the one that a script met.
fn code(error: &RedisError) -> String {
    let code = error.code().unwrap_or_default();
    let text = error.detail().unwrap_or_default();
    let met = ["WRONGTYPE", "OOM", "READONLY", "MISCONF"];
    let met = met
        .into_iter()
        .find(|code| text.contains(&format!(": {code} ")));
    met.filter(|_| code == "ERR").unwrap_or(code).to_owned()
}
