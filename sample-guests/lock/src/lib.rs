//! Takes and gives back locks, writes behind a fence, and counts one at a time.
//!
//! `POST /take?name=door&ttl=30000&wait=1000`, `/give?name=door&token=7`, `/write?key=a&token=7&value=b`, `/count?key=n`
use std::time::Duration;

use serde::Serialize;
use wythe_sdk::http::{self, Query};
use wythe_sdk::lock::{Lease, with_lock};
use wythe_sdk::state::{PutOptions, Store};
use wythe_sdk::{Error, Result, timestamp};

const LOCKS: &str = "locks";
const STORE: &str = "statestore";

struct App;

impl http::Handler for App {
    fn handle(request: http::Request) -> Result<http::Response> {
        let query = request.query();
        match (request.method(), request.path()) {
            ("POST", "/take") => take(&query),
            ("POST", "/give") => give(&query),
            ("POST", "/write") => write(&query),
            ("POST", "/count") => count(&query),
            (method, path) => Err(Error::not_found(format!("nothing at {method} {path}"))),
        }
    }
}

#[derive(Serialize)]
struct Taken {
    token: u64,
    /// Milliseconds since 1970.
    expires: u64,
}

fn take(query: &Query) -> Result<http::Response> {
    let time = |name| Duration::from_millis(query.number(name).unwrap_or_default());
    let name = query.get("name").unwrap_or_default();
    // The handle ends with this call; the grant does not.
    match Lease::acquire(LOCKS, name, time("ttl"), time("wait"))? {
        Some(lease) => http::Response::json(&Taken {
            token: lease.token(),
            expires: timestamp(lease.expires()),
        }),
        None => Err(Error::conflict(format!("somebody holds `{name}`"))),
    }
}

fn token(query: &Query) -> Result<u64> {
    let token = query.number("token");
    token.ok_or_else(|| Error::invalid("no `token` in the query; expected a number"))
}

fn give(query: &Query) -> Result<http::Response> {
    let name = query.get("name").unwrap_or_default();
    Lease::resume(LOCKS, name, token(query)?)?.release()?;
    Ok(http::Response::text("given back\n"))
}

/// Writes a key; refused if a later holder has written it.
fn write(query: &Query) -> Result<http::Response> {
    let key = query.get("key").unwrap_or_default();
    let options = PutOptions::new().fence(token(query)?);
    let value = query.get("value").unwrap_or_default();
    Store::open(STORE)?.put_with(key, value, options)?;
    Ok(http::Response::text("written\n"))
}

/// Reads, adds one and writes: safe because of the lock, and because the write is fenced also where the lock is not.
fn count(query: &Query) -> Result<http::Response> {
    let key = query.get("key").unwrap_or_default();
    let (ttl, wait) = (Duration::from_secs(10), Duration::from_secs(20));
    let count = with_lock(LOCKS, key, ttl, wait, |lease| {
        let store = Store::open(STORE)?;
        let count = store.get_json::<u64>(key)?.unwrap_or_default() + 1;
        store.put_json_with(key, &count, PutOptions::new().fence(lease.token()))?;
        Ok(count)
    })?;
    http::Response::json(&count)
}

wythe_sdk::serve!(App);
