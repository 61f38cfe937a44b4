//! A purchase, from the shelf to the news of it, as a workflow: each step is written down, so that it goes on where it
//! was after a crash. What cannot be shipped is paid back and put back, by code like any other.
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use wythe_sdk::workflow::{Context, Retry};
use wythe_sdk::{Error, Kind, Result};

/// The fields of an order that are found out here; the rest goes along as it came.
#[derive(Serialize, Deserialize)]
struct Order {
    tracking: String,
    charge: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Placed(Order),
    /// A refusal: what the buyer has to change, and why.
    Refused {
        field: String,
        message: String,
    },
}

fn purchase(ctx: &Context, mut order: Order) -> Result<Outcome> {
    let ctx = ctx.with_retry(Retry::times(20).after(Duration::from_millis(100)));
    if let Err(why) = step::<()>(&ctx, "reserve", &order) {
        return end("cart", why);
    }
    match step(&ctx, "charge", &order) {
        Ok(charge) => order.charge = charge,
        Err(why) => {
            undo(&ctx, &order, &["release"])?;
            return end("card", why);
        }
    }
    match step(&ctx, "ship", &order) {
        Ok(tracking) => order.tracking = tracking,
        Err(why) => {
            undo(&ctx, &order, &["refund", "release"])?;
            return end("address", why);
        }
    }
    step::<()>(&ctx, "keep", &order)?;
    step::<()>(&ctx, "publish", &order)?;
    ctx.set_status("done");
    Ok(Outcome::Placed(order))
}

/// Has the checkout do one part of it.
fn step<T: serde::de::DeserializeOwned>(ctx: &Context, name: &str, order: &Order) -> Result<T> {
    ctx.set_status(name);
    ctx.call(&format!("checkout/{name}"), order)
}

/// Does the parts that undo a purchase, those of the latest first.
fn undo(ctx: &Context, order: &Order, steps: &[&str]) -> Result<()> {
    steps.iter().try_for_each(|name| step(ctx, name, order))
}

/// The end by an error: what somebody refused is the buyer's to change; anything else is a failure of the shop.
fn end(field: &str, why: Error) -> Result<Outcome> {
    match why.kind() {
        Kind::Conflict | Kind::Invalid => Ok(Outcome::Refused {
            field: field.to_owned(),
            message: why.message().to_owned(),
        }),
        _ => Err(why),
    }
}

wythe_sdk::workflows!(purchase);
