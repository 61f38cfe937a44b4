//! Attacks through the blocks: what is not granted, what belongs to others, and floods.
use wythe_sdk::Result;
use wythe_sdk::invocation;
use wythe_sdk::pubsub::{Event, Topic};
use wythe_sdk::state::Store;

pub fn get(component: &str, key: &str) -> String {
    let entry = Store::open(component).and_then(|store| store.get(key));
    told(entry.map(|entry| match entry {
        Some(entry) => format!("got {}", String::from_utf8_lossy(&entry.value)),
        None => "got nothing".to_owned(),
    }))
}

pub fn put(component: &str, key: &str, bytes: u64) -> String {
    let value = vec![b'x'; usize::try_from(bytes).unwrap_or(usize::MAX)];
    told(
        Store::open(component)
            .and_then(|store| store.put(key, value))
            .map(|etag| format!("put, etag {etag}")),
    )
}

pub fn publish(component: &str, topic: &str) -> String {
    let id = Topic::open(component, topic)
        .and_then(|topic| topic.publish_json("hostile.event", "hello"));
    told(id.map(|id| format!("published {id}")))
}

/// Claims to be somebody else.
pub fn forge(component: &str, topic: &str) -> String {
    let forged = |topic: Topic| {
        let event = Event::json("shop.order.placed", "hello")?.with_extension("source", "checkout");
        topic.publish(&event)
    };
    told(
        Topic::open(component, topic)
            .and_then(forged)
            .map(|id| format!("published {id}")),
    )
}

pub fn invoke(app: &str, path: &str) -> String {
    let response = invocation::get(app, path);
    told(response.map(|response| {
        format!(
            "{} {}",
            response.status,
            String::from_utf8_lossy(&response.body)
        )
    }))
}

pub fn log_flood(mib: u64) -> String {
    let line = "x".repeat(32 << 10);
    for _ in 0..mib * 32 {
        wythe_sdk::info!("{line}");
    }
    format!("logged {mib} MiB")
}

pub(crate) fn told(result: Result<String>) -> String {
    result.unwrap_or_else(|error| format!("refused: {error}"))
}
