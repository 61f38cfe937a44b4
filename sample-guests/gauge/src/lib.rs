//! Makes the cheapest call of one block many times and says how long that took: what the benchmarks ask of a guest.
//!
//! `GET /?call=CALL&n=20000` answers with nanoseconds in all. The calls:
//!
//! | call | what it does `n` times (default 1) |
//! |---|---|
//! | `state` | reads an entry of 64 bytes |
//! | `secrets` | gets the handle of a secret |
//! | `configuration` | reads one item |
//! | `lock` | acquires and releases |
//! | `crypto` | wraps 16 bytes by A256KW |
//! | `bindings` | reads a record of 64 bytes |
//! | `jobs` | asks for a job that there is not |
use std::time::{Duration, Instant};
use wythe_sdk::crypto::{Key, WrapAlgorithm};
use wythe_sdk::http::{self, Request, Response};
use wythe_sdk::jobs::{self, Occurrence, Runner};
use wythe_sdk::lock::Lease;
use wythe_sdk::secrets::Secret;
use wythe_sdk::state::Store;
use wythe_sdk::{Error, Result, bindings, configuration, invocation};

const RECORD: [(&str, &str); 1] = [("key", "gauge")];

struct Gauge;

impl http::Handler for Gauge {
    fn handle(request: Request) -> Result<Response> {
        let query = request.query();
        let call = query.get("call").unwrap_or_default();
        measure(call, query.number("n").unwrap_or(1)).map(Response::text)
    }
}

impl invocation::Handler for Gauge {
    fn handle(_: invocation::Caller, request: invocation::Request) -> Result<invocation::Response> {
        let query = request.query();
        let call = query.get("call").unwrap_or_default();
        let answer = measure(call, query.number("n").unwrap_or(1))?;
        Ok(invocation::Response::new(200).with_body("text/plain", answer))
    }
}

fn measure(call: &str, times: u32) -> Result<String> {
    match call {
        "state" => {
            let store = Store::open("statestore")?;
            store.put("gauge", [b'x'; 64])?;
            in_all(times, || store.get("gauge").map(drop))
        }
        "secrets" => in_all(times, || Secret::get("vault", "a").map(drop)),
        "configuration" => in_all(times, || configuration::get("settings", &["a"]).map(drop)),
        "lock" => in_all(times, lock),
        "crypto" => {
            let key = Key::open("keys", "gauge")?;
            in_all(times, || {
                key.wrap(&[1; 16], WrapAlgorithm::A256Kw).map(drop)
            })
        }
        "bindings" => {
            bindings::invoke("box", "create", [b'x'; 64], &RECORD)?;
            in_all(times, || {
                bindings::invoke("box", "get", "", &RECORD).map(drop)
            })
        }
        "jobs" => in_all(times, || jobs::get("gauge").map(drop)),
        other => Err(Error::not_found(format!("no call `{other}` is measured"))),
    }
}

fn lock() -> Result<()> {
    let lease = Lease::acquire("locks", "gauge", Duration::from_secs(60), Duration::ZERO)?;
    let held = || Error::conflict("somebody else holds the lock");
    lease.ok_or_else(held)?.release()
}

fn in_all(times: u32, mut run: impl FnMut() -> Result<()>) -> Result<String> {
    let start = Instant::now();
    for _ in 0..times {
        run()?;
    }
    Ok(start.elapsed().as_nanos().to_string())
}

/// The runner of jobs: whoever may ask for jobs can be run for one.
impl Runner for Gauge {
    fn run(_: Occurrence) -> Result<()> {
        Ok(())
    }
}

wythe_sdk::serve!(Gauge);
wythe_sdk::invocable!(Gauge);
wythe_sdk::run_jobs!(Gauge);
