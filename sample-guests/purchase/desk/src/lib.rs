//! Where purchases are asked for (`POST /purchases/ID` with `{"item": "book", "price": 5}`) and looked at
//! (`GET /purchases/ID`), and the work that they are made of, each part done once however often it is tried. What came of
//! all of them is at `GET /ledger`. With `"hold": "ship"` that part takes three seconds: time to stop the host in its midst.
use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wythe_sdk::pubsub::{Event, Topic};
use wythe_sdk::state::Store;
use wythe_sdk::workflow::{self, Activity};
use wythe_sdk::{Error, Result, http};

#[derive(Clone, Serialize, Deserialize)]
struct Order {
    item: String,
    price: u64,
    #[serde(default)]
    hold: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    charge: String,
    parcel: String,
}

/// Of all purchases together.
#[derive(Default, Serialize, Deserialize)]
struct Ledger {
    reserved: u64,
    paid: u64,
    shipped: u64,
    told: u64,
    /// What each part came to, by its key.
    done: BTreeMap<String, String>,
}

struct Desk;

impl http::Handler for Desk {
    fn handle(mut request: http::Request) -> Result<http::Response> {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        match (request.method(), segments.as_slice()) {
            ("POST", ["purchases", id]) => {
                let order: Order = request.json()?;
                workflow::start("purchase", Some(id), &order)?;
                Ok(http::Response::new(202))
            }
            ("GET", ["purchases", id]) => look(id),
            ("GET", ["ledger"]) => http::Response::json(&ledger()?),
            (method, _) => Err(Error::not_found(format!(
                "nothing at {method} {}",
                request.path()
            ))),
        }
    }
}

#[derive(Serialize)]
struct Seen {
    status: String,
    step: Option<String>,
    reason: Option<String>,
    receipt: Option<Receipt>,
}

fn look(id: &str) -> Result<http::Response> {
    let found = workflow::get(id)?;
    let found = found.ok_or_else(|| Error::not_found(format!("there is no purchase `{id}`")))?;
    http::Response::json(&Seen {
        status: found.status.to_string(),
        step: found.custom_status.clone(),
        reason: found.reason.clone(),
        receipt: found.output()?,
    })
}

fn ledger() -> Result<Ledger> {
    let ledger = Store::open("statestore")?.get_json("ledger")?;
    Ok(ledger.unwrap_or_default())
}

/// An attempt whose answer was lost is tried again, and finds what the first one did.
fn once(
    activity: &Activity,
    order: &Order,
    mut change: impl FnMut(&mut Ledger) -> Result<String>,
) -> Result<String> {
    let mut answer = Ok(String::new());
    let mut is_known = false;
    Store::open("statestore")?.update_json("ledger", |ledger: Option<Ledger>| {
        let mut ledger = ledger.unwrap_or_default();
        let known = ledger.done.get(&activity.key).cloned();
        is_known = known.is_some();
        answer = known.map_or_else(|| change(&mut ledger), Ok);
        if let Ok(answer) = &answer {
            ledger.done.insert(activity.key.clone(), answer.clone());
        }
        ledger
    })?;
    if !is_known && order.hold.as_ref() == Some(&activity.name) {
        std::thread::sleep(Duration::from_secs(3));
    }
    answer
}

fn reserve(activity: &Activity, order: Order) -> Result<()> {
    let reserved = |ledger: &mut Ledger| {
        ledger.reserved += 1;
        Ok(String::new())
    };
    once(activity, &order, reserved).map(drop)
}

fn release(activity: &Activity, order: Order) -> Result<()> {
    let released = |ledger: &mut Ledger| {
        ledger.reserved -= 1;
        Ok(String::new())
    };
    once(activity, &order, released).map(drop)
}

fn charge(activity: &Activity, order: Order) -> Result<String> {
    once(activity, &order, |ledger| {
        if order.price > 1_000 {
            return Err(Error::denied("the card has not that much"));
        }
        ledger.paid += order.price;
        Ok(format!("charge-of-{}", activity.workflow))
    })
}

fn refund(activity: &Activity, (order, _): (Order, String)) -> Result<()> {
    let refunded = |ledger: &mut Ledger| {
        ledger.paid -= order.price;
        Ok(String::new())
    };
    once(activity, &order, refunded).map(drop)
}

fn ship(activity: &Activity, order: Order) -> Result<String> {
    once(activity, &order, |ledger| {
        if order.item == "anvil" {
            return Err(Error::conflict("nobody carries an anvil"));
        }
        ledger.shipped += 1;
        Ok(format!("parcel-of-{}", activity.workflow))
    })
}

/// The event has the same id each time, so that who hears it can tell.
fn publish(activity: &Activity, (order, receipt): (Order, Receipt)) -> Result<()> {
    let event = Event::json("purchased", &receipt)?.with_id(activity.key.as_str());
    Topic::open("pubsub", "purchases")?.publish(&event)?;
    let told = |ledger: &mut Ledger| {
        ledger.told += 1;
        Ok(String::new())
    };
    once(activity, &order, told).map(drop)
}

wythe_sdk::serve!(Desk);
wythe_sdk::activities!(reserve, release, charge, refund, ship, publish);
