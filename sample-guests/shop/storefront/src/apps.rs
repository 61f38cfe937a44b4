//! The questions of the storefront to the other apps.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use wythe_sdk::http::{Query, encode};
use wythe_sdk::invocation::{self, Request, Response};
use wythe_sdk::{Error, Result};

#[derive(Clone, Deserialize)]
pub struct Product {
    pub id: String,
    pub name: String,
    pub description: String,
    /// The price in cents.
    pub price: u32,
    /// An SVG document.
    pub picture: String,
}

/// A product in the cart.
pub struct Chosen {
    product: Product,
    quantity: u32,
}

#[derive(Deserialize)]
pub struct Order {
    pub id: String,
    pub tracking: String,
    user: String,
    pub email: String,
    pub address: String,
    pub lines: Vec<Line>,
    /// The part of the card's number that may be shown.
    pub card: String,
    /// The part of the purchase that is under way; none once the order is placed.
    pub step: Option<String>,
}

#[derive(Deserialize)]
pub struct Line {
    name: String,
    quantity: u32,
    price: u32,
}

impl Chosen {
    /// Name, quantity and price of one.
    pub fn line(&self) -> (&str, u32, u32) {
        (&self.product.name, self.quantity, self.product.price)
    }
}

impl Line {
    /// Name, quantity and price of one.
    pub fn line(&self) -> (&str, u32, u32) {
        (&self.name, self.quantity, self.price)
    }
}

/// The reason why the checkout took no order: a message for each field that is wrong.
#[derive(Default, Deserialize)]
pub struct Refusal {
    pub fields: BTreeMap<String, String>,
}

pub fn products(search: &str) -> Result<Vec<Product>> {
    invocation::get("catalog", &format!("/products?search={}", encode(search)))?
        .success()?
        .json()
}

pub fn product(id: &str) -> Result<Product> {
    invocation::get("catalog", &format!("/products/{}", encode(id)))?
        .success()?
        .json()
}

pub fn cart(user: &str) -> Result<Vec<Chosen>> {
    #[derive(Deserialize)]
    struct Item {
        product: String,
        quantity: u32,
    }
    #[derive(Deserialize)]
    struct Contents {
        items: Vec<Item>,
    }

    let contents: Contents = invocation::get("cart", &format!("/cart/{user}"))?
        .success()?
        .json()?;
    let products = products("")?;
    let chosen = |item: Item| {
        let product = products
            .iter()
            .find(|product| product.id == item.product)?
            .clone();
        Some(Chosen {
            product,
            quantity: item.quantity,
        })
    };
    Ok(contents.items.into_iter().filter_map(chosen).collect())
}

/// Adds only what the catalog knows: the cart itself does not look.
pub fn add(user: &str, id: &str, quantity: u32) -> Result<()> {
    let product = product(id)?;
    let item = json!({ "product": product.id, "quantity": quantity });
    invocation::post_json("cart", &format!("/cart/{user}"), &item)?
        .success()
        .map(drop)
}

pub fn empty(user: &str) -> Result<()> {
    let request = Request::new("DELETE", &format!("/cart/{user}"));
    invocation::invoke("cart", &request)?.success().map(drop)
}

pub fn place(user: &str, form: &Query) -> Result<Result<Order, Refusal>> {
    let field = |name| form.get(name).unwrap_or_default();
    let wanted = json!({
        "user": user,
        "email": field("email").trim(),
        "address": field("address"),
        "card": field("card"),
        "order": form.get("order").filter(|id| !id.is_empty()),
    });
    let response = invocation::post_json("checkout", "/orders", &wanted)?;
    settled(response)
}

fn settled(response: Response) -> Result<Result<Order, Refusal>> {
    if response.status == 422 {
        return Ok(Err(response.json()?));
    }
    Ok(Ok(response.success()?.json()?))
}

/// An order of somebody else is as good as none.
pub fn order(user: &str, id: &str) -> Result<Order> {
    let response = invocation::get("checkout", &format!("/orders/{}", encode(id)))?;
    let order = settled(response)?.map_err(|refusal| {
        let faults: Vec<_> = refusal.fields.into_values().collect();
        Error::conflict(format!("The order was not placed: {}.", faults.join(", ")))
    })?;
    if order.user == user {
        Ok(order)
    } else {
        Err(Error::not_found(format!("there is no order `{id}`")))
    }
}

/// The receipt, for the order's own buyer.
pub fn receipt(user: &str, id: &str) -> Result<String> {
    let order = order(user, id)?;
    let path = format!("/orders/{}/receipt", encode(&order.id));
    let response = invocation::get("checkout", &path)?.success()?;
    response.text().map(str::to_owned)
}
