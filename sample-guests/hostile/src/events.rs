//! Events that claim to be what they are not, and an ear that tells of each event what the host says of it.
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wythe_sdk::Result;
use wythe_sdk::http::Request;
use wythe_sdk::pubsub::{
    Delivery, Event, PublishOptions, Subscriber, Subscription, Topic, Verdict,
};
use wythe_sdk::state::Store;

use super::{Hostile, number, rules, text};

/// Publishes the body under its content type; the query says where, and for how long.
pub fn publish(request: &mut Request) -> Result<String> {
    let query = request.query();
    let content_type = request.header("content-type").unwrap_or_default();
    let mut event = Event::new(text(&query, "type"), content_type, []);
    event.data = request.bytes()?;
    let mut options = PublishOptions::new();
    options.raw = query.get("raw").is_some();
    options.ttl = query.number("ttl");
    if query.get("delay").is_some() {
        options = options.delay(Duration::from_millis(number(&query, "delay", 0)));
    }
    if let Some(key) = query.get("key") {
        event = event.with_ordering_key(key);
    }
    let topic = Topic::open("pubsub", text(&query, "topic"));
    let published = topic.and_then(|topic| topic.publish_with(&event, &options));
    Ok(match published {
        Ok(id) => format!("published {id}"),
        Err(error) => format!("refused: {error}"),
    })
}

/// A line for each event, in the order in which they were heard.
pub fn heard() -> Result<String> {
    let store = Store::open("statestore")?;
    let lines = store.list("heard/").map(|entry| {
        let line = entry?.1.value;
        Ok(String::from_utf8_lossy(&line).into_owned())
    });
    Ok(lines.collect::<Result<Vec<_>>>()?.join("\n"))
}

impl Subscriber for Hostile {
    fn subscriptions() -> Vec<Subscription> {
        rules::subscriptions()
    }

    /// The topic says what becomes of it.
    fn on_event(delivery: Delivery) -> Verdict {
        if delivery.topic == rules::TOPIC {
            return Verdict::Ack;
        }
        match keep(&delivery) {
            Err(error) => error.into(),
            Ok(()) if delivery.topic.starts_with("bury") => {
                Verdict::DeadLetter("the amount is negative".to_owned())
            }
            Ok(()) if delivery.topic == "later" => Verdict::Retry(Some(u64::MAX)),
            Ok(()) => Verdict::Ack,
        }
    }
}

fn keep(delivery: &Delivery) -> Result<()> {
    let event = &delivery.event;
    let hour = Duration::from_secs(3_600);
    let age = SystemTime::now().duration_since(delivery.published());
    let age = age.map_or(
        "in the future",
        |age| if age < hour { "new" } else { "old" },
    );
    let line = format!(
        "{} source `{}` id {} {age} kind `{}` attempt {} {:?} data {}",
        delivery.topic,
        delivery.source,
        event.id.is_some(),
        event.kind,
        delivery.attempt,
        event.extensions,
        String::from_utf8_lossy(&event.data)
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let key = format!("heard/{:030}", now.unwrap_or_default().as_nanos());
    Store::open("statestore")?.put(&key, line)?;
    Ok(())
}

wythe_sdk::subscribe!(Hostile);
