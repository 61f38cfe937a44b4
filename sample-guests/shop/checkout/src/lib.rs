//! Turns a cart into an order: kept in state, told to all who want to know, and the cart is empty again.
mod order;

use order::{Form, Item, Order, Product};
use serde::Deserialize;
use wythe_sdk::invocation::{self, Caller, Handler, Request, Response};
use wythe_sdk::pubsub::{Event, Topic};
use wythe_sdk::state::{PutOptions, Store};
use wythe_sdk::{Error, Kind, Result};

struct Checkout;

impl Handler for Checkout {
    fn handle(_caller: Caller, request: Request) -> Result<Response> {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("POST", ["orders"]) => place(request.json()?),
            ("GET", ["orders", id]) => {
                let order = stored(&Store::open("statestore")?, id)?;
                Response::from_json(
                    &order.ok_or_else(|| Error::not_found(format!("there is no order `{id}`")))?,
                )
            }
            (method, _) => Err(Error::not_found(format!(
                "the checkout has no {method} {}",
                request.path
            ))),
        }
    }
}

fn place(form: Form) -> Result<Response> {
    let mut faults = form.faults();
    if !faults.is_empty() {
        return order::refused(&faults);
    }
    let id = form.order.clone().unwrap_or_else(order::random_id);
    let store = Store::open("statestore")?;
    // A form that is sent twice is one order. Its event has the same id both times, so telling it again is safe,
    // and needed where the first attempt ended between keeping and telling.
    let order = match stored(&store, &id)? {
        Some(order) => order,
        None => {
            let (cart, products) = cart_and_products(&form.user)?;
            match Order::new(id, form, &cart, &products) {
                Ok(order) => keep(&store, order)?,
                Err(fault) => {
                    faults.insert("cart", fault);
                    return order::refused(&faults);
                }
            }
        }
    };
    publish(&order)?;
    empty_cart(&order);
    Response::from_json(&order).map(|response| response.with_status(201))
}

fn empty_cart(order: &Order) {
    let request = Request::new("DELETE", &format!("/cart/{}", order.user));
    if let Err(error) = invocation::invoke("cart", &request).and_then(Response::success) {
        // The order stands; a cart that is still full is the lesser evil.
        wythe_sdk::warn!("the cart of order {} is not emptied: {error}", order.id);
    }
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

/// What is kept is the first order with this id, also when two requests race.
fn keep(store: &Store, order: Order) -> Result<Order> {
    let key = format!("order/{}", order.id);
    match store.put_json_with(&key, &order, PutOptions::new().if_absent()) {
        Err(error) if error.kind() == Kind::Conflict => {
            Ok(stored(store, &order.id)?.unwrap_or(order))
        }
        result => result.map(|_| order),
    }
}

fn stored(store: &Store, id: &str) -> Result<Option<Order>> {
    store.get_json(&format!("order/{id}"))
}

fn publish(order: &Order) -> Result<()> {
    let event = Event::json("shop.order.placed", order)?
        .with_id(&order.id)
        .with_subject(&order.id);
    Topic::open("pubsub", "checkout")?
        .publish(&event)
        .map(|_| ())
}

wythe_sdk::invocable!(Checkout);
