//! A purchase from the shelf to the door: reserved, charged, shipped, told. What cannot be shipped is paid back and put
//! back, by code like any other.
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wythe_sdk::workflow::{Context, Retry};
use wythe_sdk::{Error, Result};

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    item: String,
    price: u64,
    /// The part that is to take its time.
    hold: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    charge: String,
    parcel: String,
}

fn purchase(ctx: &Context, order: Order) -> Result<Receipt> {
    let ctx = ctx.with_retry(Retry::times(20).after(Duration::from_millis(50)));
    ctx.set_status("reserving");
    ctx.call::<()>("reserve", &order)?;
    ctx.set_status("charging");
    let charge: String = match ctx.call("charge", &order) {
        Ok(charge) => charge,
        Err(refused) => return undo(&ctx, &order, None, refused),
    };
    ctx.set_status("shipping");
    let parcel = match ctx.call("ship", &order) {
        Ok(parcel) => parcel,
        Err(refused) => return undo(&ctx, &order, Some(charge), refused),
    };
    ctx.set_status("telling");
    let receipt = Receipt { charge, parcel };
    ctx.call::<()>("publish", &(&order, &receipt))?;
    ctx.set_status("done");
    Ok(receipt)
}

/// What was done is undone, the latest first.
fn undo(ctx: &Context, order: &Order, charge: Option<String>, why: Error) -> Result<Receipt> {
    ctx.set_status("undoing");
    if let Some(charge) = charge {
        ctx.call::<()>("refund", &(order, charge))?;
    }
    ctx.call::<()>("release", order)?;
    Err(why)
}

wythe_sdk::workflows!(purchase);
