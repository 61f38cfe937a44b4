//! Answers with what it was asked, by every way in: HTTP, invocation, events and activities of workflows.
use serde_json::{Value, json};
use wythe_sdk::http::{self, Body, encode};
use wythe_sdk::invocation::{self, Caller};
use wythe_sdk::pubsub::{Delivery, Event, Subscriber, Subscription, Topic, Verdict};
use wythe_sdk::state::Store;
use wythe_sdk::workflow::Activity;
use wythe_sdk::{Error, Result};

struct Echo;

impl http::Handler for Echo {
    fn handle(mut request: http::Request) -> Result<http::Response> {
        let query = request.query();
        let field = |name| query.get(name).unwrap_or_default();
        match request.path() {
            "/stream" => Ok(stream(request)),
            "/chain" => {
                let answer = invocation::get(field("app"), field("path"))?;
                Ok(http::Response::new(answer.status)
                    .with_header(
                        "content-type",
                        answer.header("content-type").unwrap_or("text/plain"),
                    )
                    .with_body(answer.body))
            }
            "/publish" => {
                let ids = publish(
                    field("topic"),
                    query.number("count").unwrap_or(1),
                    query.get("key"),
                    field("data"),
                )?;
                http::Response::json(&ids)
            }
            "/events" => http::Response::json(&events()?),
            "/health" => Ok(http::Response::new(health()?)),
            _ => {
                let body = request.bytes()?;
                let told = told(
                    request.method(),
                    request.target(),
                    request.headers().fields(),
                    &body,
                );
                http::Response::json(&told)
            }
        }
    }
}

/// Answers chunk by chunk: the first goes out before the last has come in.
fn stream(request: http::Request) -> http::Response {
    let media_type = request
        .header("content-type")
        .unwrap_or("application/octet-stream")
        .to_owned();
    let mut body = request.into_body();
    let through = Body::written(move |writer| {
        while let Some(chunk) = body.chunk()? {
            writer.write(chunk)?;
            writer.flush()?;
        }
        Ok(())
    });
    http::Response::new(200)
        .with_header("content-type", media_type)
        .with_body(through)
}

impl invocation::Handler for Echo {
    fn handle(caller: Caller, request: invocation::Request) -> Result<invocation::Response> {
        if request.segments() == ["chain"] {
            let query = request.query();
            return invocation::get(
                query.get("app").unwrap_or_default(),
                query.get("path").unwrap_or_default(),
            );
        }
        let mut told = told(
            &request.method,
            &request.path,
            &request.headers,
            &request.body,
        );
        told["caller"] = json!({ "app": caller.app, "tenant": caller.tenant });
        invocation::Response::from_json(&told)
    }
}

fn told(method: &str, target: &str, headers: &[(String, Vec<u8>)], body: &[u8]) -> Value {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect();
    json!({ "method": method, "target": target, "headers": headers, "body": text(body) })
}

/// Publishes numbered events with the same key; `data` stands beside the number, such as `{"verdict":"retry"}`.
fn publish(topic: &str, count: u32, key: Option<&str>, data: &str) -> Result<Vec<String>> {
    let mut value: Value = if data.is_empty() {
        json!({})
    } else {
        serde_json::from_str(data)?
    };
    let topic = Topic::open("pubsub", topic)?;
    let numbered = |number| {
        value["number"] = json!(number);
        let event = Event::json("echo.event", &value)?;
        Ok(match key {
            Some(key) => event.with_ordering_key(key),
            None => event,
        })
    };
    let events = (1..=count).map(numbered).collect::<Result<Vec<_>>>()?;
    topic.publish_many(&events).into_iter().collect()
}

/// The status for whoever looks whether the app is well: `ill` in the store says no, by more than one byte.
fn health() -> Result<u16> {
    let ill = Store::open("statestore")?.get("ill")?;
    Ok(match ill.is_some_and(|ill| ill.value.len() > 1) {
        true => 503,
        false => 204,
    })
}

/// The events that were delivered, by key.
fn events() -> Result<Vec<Value>> {
    let store = Store::open("statestore")?;
    store.list("event/").map(|entry| entry?.1.json()).collect()
}

impl Subscriber for Echo {
    fn subscriptions() -> Vec<Subscription> {
        vec![Subscription::to("pubsub", "echo").dead_letter_topic("echo-dead")]
    }

    fn on_event(delivery: Delivery) -> Verdict {
        match keep(&delivery) {
            Ok(verdict) => verdict,
            Err(error) => error.into(),
        }
    }
}

/// Keeps an event under its id; a later attempt takes the place of an earlier one.
fn keep(delivery: &Delivery) -> Result<Verdict> {
    let id = delivery
        .id()
        .ok_or_else(|| Error::invalid("the event has no id"))?;
    let data: Value = delivery.json()?;
    let kept = json!({
        "id": id,
        "attempt": delivery.attempt,
        "source": delivery.source,
        "topic": delivery.topic,
        "kind": delivery.event.kind,
        "key": delivery.event.ordering_key,
        "data": data,
    });
    Store::open("statestore")?.put_json(&format!("event/{}", encode(id)), &kept)?;
    Ok(match data["verdict"].as_str() {
        Some("retry") => Verdict::Retry(data["after"].as_u64()),
        Some("drop") => Verdict::Drop,
        Some("dead-letter") => Verdict::DeadLetter("as asked".to_owned()),
        Some("trap") => panic!("trapped, as asked"),
        _ => Verdict::Ack,
    })
}

fn repeat(_: &Activity, text: String) -> Result<String> {
    Ok(text)
}

fn increment(_: &Activity, number: u32) -> Result<u32> {
    Ok(number + 1)
}

wythe_sdk::serve!(Echo);
wythe_sdk::invocable!(Echo);
wythe_sdk::subscribe!(Echo);
wythe_sdk::activities!(repeat, increment);
