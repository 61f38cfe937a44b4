//! Turns a cart into an order, and does the parts of a purchase: goods taken under locks, the card charged, the parcel
//! sent, all of it kept and told to all who want to know; then the cart is empty again.
mod order;
mod parts;
mod receipt;
mod stock;

use std::time::Duration;

use order::{Faults, Form, Item, Order, Outcome, Product};
use parts::{charge, keep, publish, refund, release, reserve, ship};
use serde::Deserialize;
use serde_json::json;
use wythe_sdk::invocation::{self, Caller, Handler, Request, Response};
use wythe_sdk::state::Store;
use wythe_sdk::workflow::{self, Instance};
use wythe_sdk::{Error, Kind, Result};

/// The time that the buyer's request waits for the purchase. One that takes longer goes on, and its page shows how far
/// it is.
const PATIENCE: Duration = Duration::from_secs(10);

struct Checkout;

impl Handler for Checkout {
    fn handle(_caller: Caller, request: Request) -> Result<Response> {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["orders"]) => place(request.json()?),
            ("GET", ["orders", id]) => look(id),
            ("GET", ["orders", id, "receipt"]) => {
                let text = receipt::read(&Store::open("statestore")?, id)?;
                Ok(Response::new(200).with_body("text/plain; charset=utf-8", text))
            }
            (method, _) => Err(Error::not_found(format!(
                "the checkout has no {method} {}",
                request.path
            ))),
        }
    }
}

/// The purchase has the order's id, so that a form that is sent twice is one purchase.
fn place(form: Form) -> Result<Response> {
    let faults = form.faults();
    if !faults.is_empty() {
        return order::refused(&faults);
    }
    let id = form.order.clone().unwrap_or_else(order::random_id);
    if parts::kept(&id)?.is_none() && workflow::get(&id)?.is_none() {
        match order_of(id.clone(), form)? {
            Ok(order) => begin(&order)?,
            Err(faults) => return order::refused(&faults),
        }
    }
    workflow::wait_end(&id, PATIENCE)?;
    let answer = look(&id)?;
    let status = if answer.status == 200 {
        201
    } else {
        answer.status
    };
    Ok(answer.with_status(status))
}

/// The order as it is asked for, with a card that may be charged. The inner error is what is wrong with form or cart.
fn order_of(id: String, form: Form) -> Result<Result<Order, Faults>> {
    let (cart, products) = cart_and_products(&form.user)?;
    let card = form.card.clone();
    let order = match Order::new(id, form, &cart, &products) {
        Ok(order) => order,
        Err(fault) => return Ok(Err(order::fault("cart", fault))),
    };
    authorize(order, &card)
}

/// The card's number goes no further than this: what follows is written down.
fn authorize(order: Order, card: &str) -> Result<Result<Order, Faults>> {
    #[derive(Deserialize)]
    struct Authorized {
        authorization: String,
        card: String,
    }

    let body = json!({ "order": order.id, "amount": order.total, "card": card });
    match invocation::post_json("payment", "/authorizations", &body)?.success() {
        Ok(response) => {
            let Authorized {
                authorization,
                card,
            } = response.json()?;
            Ok(Ok(Order {
                authorization,
                card,
                ..order
            }))
        }
        Err(error) if error.kind() == Kind::Invalid => {
            Ok(Err(order::fault("card", error.message())))
        }
        Err(error) => Err(error),
    }
}

fn begin(order: &Order) -> Result<()> {
    match workflow::start("purchase", Some(&order.id), order) {
        // The same form at the same moment.
        Err(error) if error.kind() == Kind::Conflict => Ok(()),
        result => result.map(drop),
    }
}

/// Status 200 for an order that is placed, 202 for one that is not yet, 422 for one that was refused.
fn look(id: &str) -> Result<Response> {
    if let Some(order) = parts::kept(id)? {
        return Response::from_json(&order);
    }
    let instance = workflow::get(id)?;
    let instance = instance.ok_or_else(|| Error::not_found(format!("there is no order `{id}`")))?;
    match instance.output()? {
        Some(Outcome::Placed(order)) => Response::from_json(&order),
        Some(Outcome::Refused { field, message }) => order::refused(&order::fault(&field, message)),
        None => unsettled(&instance),
    }
}

fn unsettled(instance: &Instance) -> Result<Response> {
    if let Some(reason) = &instance.reason {
        wythe_sdk::error!("order {} is {}: {reason}", instance.id, instance.status);
        return Err(Error::unavailable("the order could not be placed"));
    }
    let order = instance.input.as_deref().unwrap_or_default();
    let step = instance.custom_status.as_deref().unwrap_or_default();
    order::unsettled(serde_json::from_slice(order)?, step)
}

fn cart_and_products(user: &str) -> Result<(Vec<Item>, Vec<Product>)> {
    #[derive(Deserialize)]
    struct Contents {
        items: Vec<Item>,
    }

    let calls = [
        (
            "cart".to_owned(),
            Request::new("GET", &format!("/cart/{user}")),
        ),
        ("catalog".to_owned(), Request::new("GET", "/products")),
    ];
    let mut answers = invocation::invoke_many(&calls).into_iter();
    let mut answer = || {
        answers
            .next()
            .unwrap_or_else(|| Err(Error::internal("a call has no result")))?
            .success()
    };
    let contents: Contents = answer()?.json()?;
    let products = answer()?.json()?;
    Ok((contents.items, products))
}

wythe_sdk::invocable!(Checkout);
wythe_sdk::activities!(reserve, charge, ship, keep, publish, refund, release);
