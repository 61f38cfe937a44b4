//! Reminds of things: `POST /remind?in=2s&text=tea`, and what it has reminded of at `GET /reminders`.
//!
//! When: `in=2s` or `every=1h`, or `cron=0 30 7 * * *` with a `zone`. Also `name`, and `times` for one that repeats. The text
//! may be the body. `PUT` is as `POST`, over a reminder of the same name, and `DELETE /remind?name=tea` ends one.
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use wythe_sdk::http::Query;
use wythe_sdk::jobs::{self, Job, Occurrence, Runner};
use wythe_sdk::wasip2::random::random::get_random_u64;
use wythe_sdk::{Error, Result, http, state::Store};

struct App;

impl http::Handler for App {
    fn handle(mut request: http::Request) -> Result<http::Response> {
        let query = request.query();
        match (request.method(), request.path()) {
            ("POST", "/remind") => {
                let job = job(&query, &mut request)?;
                jobs::schedule(&job)?;
                scheduled(&job)
            }
            ("PUT", "/remind") => {
                let job = job(&query, &mut request)?;
                jobs::schedule_over(&job)?;
                scheduled(&job)
            }
            ("DELETE", "/remind") => {
                jobs::delete(query.get("name").unwrap_or_default())?;
                Ok(http::Response::new(204))
            }
            ("GET", "/remind") => {
                let coming = jobs::list("").map(|status| Ok(status?.job.name));
                http::Response::json(&coming.collect::<Result<Vec<_>>>()?)
            }
            ("GET", "/reminders") => http::Response::json(&reminders()?),
            (method, path) => Err(Error::not_found(format!("nothing at {method} {path}"))),
        }
    }
}

fn job(query: &Query, request: &mut http::Request) -> Result<Job> {
    let name = match query.get("name") {
        Some(name) => name.to_owned(),
        None => format!("remind-{:016x}", get_random_u64()),
    };
    let mut job = match (query.get("in"), query.get("every"), query.get("cron")) {
        (Some(delay), None, None) => Job::once_in(&name, duration(delay)?),
        (None, Some(interval), None) => Job::every(&name, duration(interval)?),
        (None, None, Some(expression)) => Job::cron(&name, expression),
        _ => {
            return Err(Error::invalid(
                "say when, by one of `in`, `every` and `cron`",
            ));
        }
    };
    if let Some(zone) = query.get("zone") {
        job = job.time_zone(zone);
    }
    if let Some(times) = query.number("times") {
        job = job.repeats(times);
    }
    Ok(match query.get("text") {
        Some(text) => job.data(text),
        None => job.data(request.bytes()?),
    })
}

fn scheduled(job: &Job) -> Result<http::Response> {
    let told = json!({ "name": job.name });
    Ok(http::Response::json(&told)?.with_status(201))
}

/// A number and its unit, such as `90s`.
fn duration(text: &str) -> Result<Duration> {
    let wrong = || {
        Error::invalid(format!(
            "`{text}` is no duration such as `500ms`, `90s`, `5m` or `2h`"
        ))
    };
    let digits = text
        .find(|character: char| !character.is_ascii_digit())
        .ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(unit)
        .map(Duration::from_millis)
        .ok_or_else(wrong)
}

/// The reminders in the order of their ids: by name, and of one name by time.
fn reminders() -> Result<Vec<Value>> {
    let store = Store::open("statestore")?;
    store
        .list("reminded/")
        .map(|entry| entry?.1.json())
        .collect()
}

impl Runner for App {
    /// An occurrence may come twice, as after a crash; under its id it is there once.
    fn run(occurrence: Occurrence) -> Result<()> {
        let text = String::from_utf8_lossy(&occurrence.data);
        let reminder = json!({
            "name": occurrence.name,
            "id": occurrence.id,
            "due": occurrence.due,
            "at": now(),
            "attempt": occurrence.attempt,
            "text": text,
        });
        Store::open("statestore")?.put_json(&format!("reminded/{}", occurrence.id), &reminder)?;
        wythe_sdk::info!("remember: {text}");
        Ok(())
    }
}

/// Milliseconds since 1970, as `due` has them.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}

wythe_sdk::serve!(App);
wythe_sdk::run_jobs!(App);
