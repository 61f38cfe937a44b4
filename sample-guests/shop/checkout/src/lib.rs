//! Turns a cart into an order: goods taken under locks, the card charged, all of it kept in one step and told to all who
//! want to know; then the cart is empty again.
mod order;
mod receipt;
mod stock;

use order::{Faults, Form, Item, Order, Product};
use serde::Deserialize;
use wythe_sdk::invocation::{self, Caller, Handler, Request, Response};
use wythe_sdk::pubsub::{Event, Topic};
use wythe_sdk::state::{PutOptions, Store, Transaction};
use wythe_sdk::{Error, Kind, Result};

use stock::Reserved;

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

fn place(form: Form) -> Result<Response> {
    let faults = form.faults();
    if !faults.is_empty() {
        return order::refused(&faults);
    }
    let id = form.order.clone().unwrap_or_else(order::random_id);
    let store = Store::open("statestore")?;
    // A form that is sent twice is one order. Its event has the same id both times, so telling it again is safe,
    // and needed where the first attempt ended between keeping and telling.
    let order = match stored(&store, &id)? {
        Some(order) => order,
        None => match buy(&store, id, form)? {
            Ok(order) => order,
            Err(faults) => return order::refused(&faults),
        },
    };
    publish(&order)?;
    empty_cart(&order);
    Response::from_json(&order).map(|response| response.with_status(201))
}

/// Takes the goods, charges the card, and keeps order, stock and receipt in one step, or none of them. The inner error
/// is what is wrong with the form or the cart.
fn buy(store: &Store, id: String, form: Form) -> Result<Result<Order, Faults>> {
    let (cart, products) = cart_and_products(&form.user)?;
    let card = form.card.clone();
    let order = match Order::new(id, form, &cart, &products) {
        Ok(order) => order,
        Err(fault) => return Ok(Err(Faults::from([("cart", fault)]))),
    };
    let reserved = match Reserved::take(store, &order.lines, &products)? {
        Ok(reserved) => reserved,
        Err(fault) => return Ok(Err(Faults::from([("cart", fault)]))),
    };
    let bought = pay(order, &card).and_then(|paid| match paid {
        Ok(order) => keep(store, order, &reserved).map(Ok),
        Err(faults) => Ok(Err(faults)),
    });
    reserved.release();
    bought
}

/// The order with its charge. A card that is refused is the buyer's to mend.
fn pay(order: Order, card: &str) -> Result<Result<Order, Faults>> {
    #[derive(Deserialize)]
    struct Charged {
        charge: String,
        card: String,
    }

    let body = serde_json::json!({ "order": order.id, "card": card, "amount": order.total });
    match invocation::post_json("payment", "/charges", &body)?.success() {
        Ok(response) => {
            let Charged { charge, card } = response.json()?;
            Ok(Ok(Order {
                charge,
                card,
                ..order
            }))
        }
        Err(error) if error.kind() == Kind::Invalid => {
            Ok(Err(Faults::from([("card", error.message().to_owned())])))
        }
        Err(error) => Err(error),
    }
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
fn keep(store: &Store, order: Order, reserved: &Reserved) -> Result<Order> {
    let once = PutOptions::new()
        .if_absent()
        .content_type("application/json");
    let key = format!("order/{}", order.id);
    let transaction = Transaction::new().put_with(&key, serde_json::to_vec(&order)?, once);
    let transaction = receipt::write(reserved.write(transaction), &order)?;
    match store.transact(transaction) {
        Err(error) if error.kind() == Kind::Conflict => stored(store, &order.id)?.ok_or(error),
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
