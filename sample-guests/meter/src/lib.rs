//! Does one thing many times in one call and says how long it took: what the benchmarks ask of a guest.
//!
//! | path | what it does `n` times (default 1) | answer |
//! |---|---|---|
//! | `/` | nothing | nothing |
//! | `/get?key=` | `state.get` | nanoseconds in all |
//! | `/put?key=&bytes=` | `state.put` | nanoseconds in all |
//! | `/publish?topic=&bytes=` | `pubsub.publish` | nanoseconds in all |
//! | `/invoke?app=` | calls the app at `/` | nanoseconds of each, a line each |
//!
//! `component=` names another component than `statestore` or `pubsub`.
use std::time::Instant;
use wythe_sdk::http::{self, Query};
use wythe_sdk::invocation::{self, Caller};
use wythe_sdk::pubsub::{Delivery, Event, Subscriber, Subscription, Topic, Verdict};
use wythe_sdk::state::Store;
use wythe_sdk::{Error, Result};

struct Meter;

impl http::Handler for Meter {
    fn handle(request: http::Request) -> Result<http::Response> {
        measure(request.path(), &request.query()).map(http::Response::text)
    }
}

impl invocation::Handler for Meter {
    fn handle(_caller: Caller, request: invocation::Request) -> Result<invocation::Response> {
        if request.path == "/" {
            return Ok(invocation::Response::new(200));
        }
        let path = request.path.split('?').next().unwrap_or_default();
        let answer = measure(path, &request.query())?;
        Ok(invocation::Response::new(200).with_body("text/plain", answer))
    }
}

/// Takes every event at once; which topics is for a resource to say.
impl Subscriber for Meter {
    fn subscriptions() -> Vec<Subscription> {
        Vec::new()
    }

    fn on_event(_delivery: Delivery) -> Verdict {
        Verdict::Ack
    }
}

fn measure(path: &str, query: &Query) -> Result<String> {
    let times = query.number("n").unwrap_or(1);
    match path {
        "/" => Ok(String::new()),
        "/get" => get(query, times),
        "/put" => put(query, times),
        "/publish" => publish(query, times),
        "/invoke" => invoke(query, times),
        other => Err(Error::not_found(format!(
            "nothing is measured at `{other}`"
        ))),
    }
}

fn get(query: &Query, times: u32) -> Result<String> {
    let store = store(query)?;
    let key = query.get("key").unwrap_or("meter");
    in_all(times, || store.get(key).map(drop))
}

fn put(query: &Query, times: u32) -> Result<String> {
    let store = store(query)?;
    let key = query.get("key").unwrap_or("meter");
    let value = payload(query);
    in_all(times, || store.put(key, &value).map(drop))
}

fn publish(query: &Query, times: u32) -> Result<String> {
    let topic = Topic::open(
        query.get("component").unwrap_or("pubsub"),
        query.get("topic").unwrap_or("meter"),
    )?;
    let event = Event::new("meter.event", "application/octet-stream", payload(query));
    in_all(times, || topic.publish(&event).map(drop))
}

fn invoke(query: &Query, times: u32) -> Result<String> {
    let app = query.get("app").unwrap_or("meter");
    let mut lines = String::new();
    for _ in 0..times {
        let took = in_all(1, || invocation::get(app, "/")?.success().map(drop))?;
        lines += &took;
        lines.push('\n');
    }
    Ok(lines)
}

fn store(query: &Query) -> Result<Store> {
    Store::open(query.get("component").unwrap_or("statestore"))
}

fn payload(query: &Query) -> Vec<u8> {
    vec![b'x'; query.number("bytes").unwrap_or(64)]
}

fn in_all(times: u32, mut run: impl FnMut() -> Result<()>) -> Result<String> {
    let start = Instant::now();
    for _ in 0..times {
        run()?;
    }
    Ok(start.elapsed().as_nanos().to_string())
}

wythe_sdk::serve!(Meter);
wythe_sdk::invocable!(Meter);
wythe_sdk::subscribe!(Meter);
