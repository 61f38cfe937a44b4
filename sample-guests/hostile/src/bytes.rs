//! Attacks on what the host holds: bytes that stay with it, and numbers that no clock can hold.
use std::time::Duration;

use wythe_sdk::http::Query;
use wythe_sdk::pubsub::{Event, PublishOptions, Topic};
use wythe_sdk::state::{PutOptions, Store};
use wythe_sdk::wasip2::http::types::Fields;
use wythe_sdk::{Error, Result};

use crate::{number, text};

const NEVER: Duration = Duration::from_millis(u64::MAX);

pub fn attack(path: &str, query: &Query) -> Result<String> {
    let count = number(query, "count", 1);
    let bytes = usize::try_from(number(query, "bytes", 1)).unwrap_or(usize::MAX);
    match path {
        "/fields" => Ok(fields(count, bytes)),
        "/forever" => forever(),
        "/get-many" => get_many(count, bytes),
        "/publish-until-refused" => publish_until_refused(text(query, "topic"), count, bytes),
        "/put-until-refused" => put_until_refused(count, bytes),
        _ => Err(Error::not_found(format!("there is no attack {path}"))),
    }
}

/// Attacks until it is refused, and says how far the attack came and what ended it.
fn until_refused(count: u64, mut attack: impl FnMut(u64) -> Result<()>) -> String {
    for number in 0..count {
        if let Err(error) = attack(number) {
            return format!("{number}, then: {error}");
        }
    }
    format!("{count}, and no end")
}

/// Fields that stay with the host.
fn fields(count: u64, bytes: usize) -> String {
    let value = vec![b'x'; bytes];
    for number in 0..count {
        let fields = Fields::new();
        if let Err(error) = fields.append("x-much", &value) {
            return format!("{number}, then: {error}");
        }
        std::mem::forget(fields);
    }
    format!("{count} fields")
}

/// Puts entries, then asks for all of them at once.
fn get_many(count: u64, bytes: usize) -> Result<String> {
    let store = Store::open("statestore")?;
    let keys: Vec<String> = (0..count).map(|number| format!("many{number}")).collect();
    for key in &keys {
        store.put(key, vec![b'x'; bytes])?;
    }
    let answers = store.get_many(&keys);
    let good = answers.iter().filter(|answer| answer.is_ok()).count();
    let refused = answers.into_iter().find_map(Result::err);
    Ok(match refused {
        Some(error) => format!("{good}, then: {error}"),
        None => format!("all {good}"),
    })
}

fn put_until_refused(count: u64, bytes: usize) -> Result<String> {
    let store = Store::open("statestore")?;
    Ok(until_refused(count, |number| {
        store
            .put(&format!("until{number}"), vec![b'x'; bytes])
            .map(drop)
    }))
}

/// Events that wait for a time which is far.
fn publish_until_refused(topic: &str, count: u64, bytes: usize) -> Result<String> {
    let topic = Topic::open("pubsub", topic)?;
    let event = Event::new("hostile.much", "text/plain", vec![b'x'; bytes]);
    let options = PublishOptions::new().delay(Duration::from_secs(3_600));
    Ok(until_refused(count, |_| {
        topic.publish_with(&event, &options).map(drop)
    }))
}

/// Every number that becomes a time, as large as it can be; each line is what became of one.
fn forever() -> Result<String> {
    let (store, topic) = (Store::open("statestore")?, Topic::open("pubsub", "open")?);
    let event = Event::new("hostile.forever", "text/plain", "x");
    let publish = |options: PublishOptions| topic.publish_with(&event, &options).map(drop);
    let entry = store.put_with("a", "b", PutOptions::new().ttl(NEVER));
    let lines = [
        ("ttl of an event", publish(PublishOptions::new().ttl(NEVER))),
        (
            "delay of an event",
            publish(PublishOptions::new().delay(NEVER)),
        ),
        ("ttl of an entry", entry.map(drop)),
    ];
    let told = lines.map(|(name, done)| match done {
        Ok(()) => format!("{name}: well"),
        Err(error) => format!("{name}: refused: {error}"),
    });
    Ok(told.join("\n"))
}
