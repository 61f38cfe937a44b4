//! The parts of a purchase. Each may be tried again after it was done, and then finds that it was.
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use wythe_sdk::invocation::{self, Request, Response};
use wythe_sdk::pubsub::{Event, Topic};
use wythe_sdk::state::{PutOptions, Store, Transaction};
use wythe_sdk::workflow::Activity;
use wythe_sdk::{Error, Kind, Result};

use crate::order::{Order, Product};
use crate::{receipt, stock};

pub fn reserve(_: &Activity, order: Order) -> Result<()> {
    let products: Vec<Product> = invocation::get("catalog", "/products")?.success()?.json()?;
    let done = stock::reserve(&Store::open("statestore")?, &order, &products);
    done.and_then(pace)
}

pub fn release(_: &Activity, order: Order) -> Result<()> {
    stock::release(&Store::open("statestore")?, &order).and_then(pace)
}

pub fn charge(_: &Activity, order: Order) -> Result<String> {
    let Order {
        id,
        authorization,
        total,
        ..
    } = order;
    let bill = json!({ "order": id, "authorization": authorization, "amount": total });
    post("payment", "/charges", &bill, "charge").and_then(pace)
}

pub fn refund(_: &Activity, order: Order) -> Result<()> {
    let path = format!("/charges/{}/refund", order.id);
    let refunded = post("payment", &path, &Value::Null, "charge");
    refunded.map(drop).and_then(pace)
}

pub fn ship(_: &Activity, order: Order) -> Result<String> {
    let parcel = json!({ "order": order.id, "address": order.address });
    post("shipping", "/parcels", &parcel, "tracking").and_then(pace)
}

/// The order and its receipt, or neither.
pub fn keep(_: &Activity, order: Order) -> Result<()> {
    let once = PutOptions::new()
        .if_absent()
        .content_type("application/json");
    let transaction =
        Transaction::new().put_with(&key(&order.id), serde_json::to_vec(&order)?, once);
    let transaction = receipt::write(transaction, &order)?;
    match Store::open("statestore")?.transact(transaction) {
        Err(error) if error.kind() == Kind::Conflict => Ok(()),
        result => result.map(drop),
    }
    .and_then(pace)
}

/// The event has the same id each time, so that who hears it can tell.
pub fn publish(_: &Activity, order: Order) -> Result<()> {
    let event = Event::json("shop.order.placed", &order)?
        .with_id(&order.id)
        .with_subject(&order.id);
    Topic::open("pubsub", "checkout")?.publish(&event)?;
    empty_cart(&order);
    pace(())
}

/// Reads an order; none where it is not placed, or not yet.
pub fn kept(id: &str) -> Result<Option<Order>> {
    Store::open("statestore")?.get_json(&key(id))
}

fn key(id: &str) -> String {
    format!("order/{id}")
}

/// Posts to another app, and returns what it says in this field.
fn post(app: &str, path: &str, body: &Value, field: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(flatten)]
        fields: serde_json::Map<String, Value>,
    }

    let answer: Answer = invocation::post_json(app, path, body)?.success()?.json()?;
    let text = answer.fields.get(field).and_then(Value::as_str);
    text.map(str::to_owned)
        .ok_or_else(|| Error::internal(format!("`{app}` says no `{field}`")))
}

fn empty_cart(order: &Order) {
    let request = Request::new("DELETE", &format!("/cart/{}", order.user));
    if let Err(error) = invocation::invoke("cart", &request).and_then(Response::success) {
        // The order stands; a cart that is still full is the lesser evil.
        wythe_sdk::warn!("the cart of order {} is not emptied: {error}", order.id);
    }
}

/// Waits, with the variable `PACE`, so many milliseconds more before each part says that it is done: time to watch a
/// purchase, or to stop the host in its midst.
fn pace<T>(done: T) -> Result<T> {
    let pace = std::env::var("PACE")
        .ok()
        .and_then(|pace| pace.parse().ok());
    std::thread::sleep(Duration::from_millis(pace.unwrap_or_default()));
    Ok(done)
}
