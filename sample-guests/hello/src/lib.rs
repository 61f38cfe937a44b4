//! Counts its visitors and hears of each of them: HTTP, state and events in one small app.
use wythe_sdk::pubsub::{Delivery, Subscriber, Subscription, Topic, Verdict};
use wythe_sdk::{Result, http, state::Store};

struct App;

impl http::Handler for App {
    fn handle(_request: http::Request) -> Result<http::Response> {
        let visits = Store::open("statestore")?.increment("visits", 1)?;
        Topic::open("pubsub", "visits")?.publish_json("hello.visit", &visits)?;
        Ok(http::Response::text(format!("hello, visitor {visits}\n")))
    }
}

impl Subscriber for App {
    fn subscriptions() -> Vec<Subscription> {
        vec![Subscription::to("pubsub", "visits")]
    }

    fn on_event(event: Delivery) -> Verdict {
        wythe_sdk::info!("visitor {}", String::from_utf8_lossy(&event.event.data));
        Verdict::Ack
    }
}

wythe_sdk::serve!(App);
wythe_sdk::subscribe!(App);
