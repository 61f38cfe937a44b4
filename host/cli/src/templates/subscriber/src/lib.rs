//! Takes orders over HTTP, publishes each as an event, and counts what was sold when the event arrives.
use serde::{Deserialize, Serialize};
use wythe_sdk::pubsub::{Delivery, Subscriber, Subscription, Topic, Verdict};
use wythe_sdk::{Result, http, state::Store};

struct App;

#[derive(Deserialize, Serialize)]
struct Order {
    item: String,
    quantity: i64,
}

impl http::Handler for App {
    /// `POST /orders` takes an order; `GET /sold/ITEM` tells how many were sold.
    fn handle(mut request: http::Request) -> Result<http::Response> {
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (request.method(), segments.as_slice()) {
            ("POST", ["orders"]) => {
                let order: Order = request.json()?;
                let id = Topic::open("pubsub", "orders")?.publish_json("order.placed", &order)?;
                Ok(http::Response::text(format!("order {id}\n")))
            }
            ("GET", ["sold", item]) => {
                let sold = Store::open("statestore")?.increment(&format!("sold/{item}"), 0)?;
                Ok(http::Response::text(format!("{sold}\n")))
            }
            _ => Err(wythe_sdk::Error::not_found("POST /orders or GET /sold/ITEM")),
        }
    }
}

impl Subscriber for App {
    fn subscriptions() -> Vec<Subscription> {
        vec![Subscription::to("pubsub", "orders")]
    }

    /// An event comes again until it is acknowledged, so an event may be seen twice.
    fn on_event(delivery: Delivery) -> Verdict {
        match delivery.json::<Order>().and_then(|order| sell(&order)) {
            Ok(()) => Verdict::Ack,
            Err(error) if error.is_temporary() => Verdict::Retry(None),
            Err(error) => {
                wythe_sdk::error!("dropped: {error}");
                Verdict::Drop
            }
        }
    }
}

fn sell(order: &Order) -> Result<()> {
    let key = format!("sold/{}", order.item);
    let sold = Store::open("statestore")?.increment(&key, order.quantity)?;
    wythe_sdk::info!("sold {} {}, {sold} in all", order.quantity, order.item);
    Ok(())
}

wythe_sdk::serve!(App);
wythe_sdk::subscribe!(App);
