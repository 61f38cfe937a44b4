//! An order, and what is wrong with a form that is none.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use wythe_sdk::Result;
use wythe_sdk::invocation::Response;
use wythe_sdk::wasip2::random::random::get_random_u64;

/// The form that the buyer sends.
#[derive(Clone, Debug, Deserialize)]
pub struct Form {
    pub user: String,
    pub email: String,
    pub address: String,
    /// The number of a card.
    pub card: String,
    /// The id that the order shall have, so that a form sent twice is one order.
    pub order: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct Item {
    pub product: String,
    pub quantity: u32,
}

#[derive(Debug, Deserialize)]
pub struct Product {
    pub id: String,
    pub name: String,
    pub price: u32,
    pub stock: u32,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Order {
    pub id: String,
    /// The number of its parcel; empty until there is one, as is the charge below.
    pub tracking: String,
    pub user: String,
    pub email: String,
    pub address: String,
    pub lines: Vec<Line>,
    /// The sum in cents.
    pub total: u64,
    /// The part of the card's number that may be shown.
    pub card: String,
    /// The proof that the card may be charged, and that it was.
    pub authorization: String,
    pub charge: String,
}

/// The outcome of a purchase.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Placed(Order),
    /// A refusal: what the buyer has to change, and why.
    Refused {
        field: String,
        message: String,
    },
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct Line {
    pub product: String,
    pub name: String,
    pub quantity: u32,
    /// The price of one, in cents.
    pub price: u32,
}

/// The mistakes of a form, by field.
pub type Faults = BTreeMap<String, String>;

impl Form {
    pub fn faults(&self) -> Faults {
        let mut faults = Faults::new();
        let mut fault = |field: &str, message: &str| {
            faults.insert(field.to_owned(), message.to_owned());
        };
        if !is_id(&self.user) {
            fault("user", "a user is 1 to 64 letters, digits and hyphens");
        }
        if !is_email(&self.email) {
            fault("email", "an e-mail address looks like name@example.com");
        }
        if !(5..=500).contains(&self.address.trim().chars().count()) {
            fault("address", "an address has 5 to 500 characters");
        }
        if self.order.as_deref().is_some_and(|id| !is_id(id)) {
            fault(
                "order",
                "an order id is 1 to 64 letters, digits and hyphens",
            );
        }
        faults
    }
}

impl Order {
    /// Makes an order with the names and prices of now. An error says what is wrong with the cart.
    pub fn new(
        id: String,
        form: Form,
        cart: &[Item],
        products: &[Product],
    ) -> Result<Self, String> {
        if cart.is_empty() {
            return Err("the cart is empty".to_owned());
        }
        let line = |item| Line::new(item, products);
        let mut lines = cart.iter().map(line).collect::<Result<Vec<_>, String>>()?;
        lines.sort_by(|a, b| a.product.cmp(&b.product));
        let total = lines
            .iter()
            .map(|line| u64::from(line.price) * u64::from(line.quantity))
            .sum();
        let Form {
            user,
            email,
            address,
            ..
        } = form;
        Ok(Self {
            id,
            tracking: String::new(),
            user,
            email,
            address: address.trim().to_owned(),
            lines,
            total,
            card: String::new(),
            authorization: String::new(),
            charge: String::new(),
        })
    }
}

impl Line {
    fn new(item: &Item, products: &[Product]) -> Result<Self, String> {
        let product = products.iter().find(|product| product.id == item.product);
        let product = product.ok_or_else(|| format!("`{}` is not sold any more", item.product))?;
        Ok(Self {
            product: item.product.clone(),
            name: product.name.clone(),
            quantity: item.quantity,
            price: product.price,
        })
    }
}

pub fn fault(field: &str, message: impl Into<String>) -> Faults {
    Faults::from([(field.to_owned(), message.into())])
}

/// Status 202 with the order so far, and the part of the purchase that is under way.
pub fn unsettled(mut order: serde_json::Value, step: &str) -> Result<Response> {
    order["step"] = step.into();
    Response::from_json(&order).map(|response| response.with_status(202))
}

/// Status 422 with a message for each field.
pub fn refused(faults: &Faults) -> Result<Response> {
    let body = serde_json::json!({ "error": "invalid", "message": "the order is not complete", "fields": faults });
    Response::from_json(&body).map(|response| response.with_status(422))
}

pub fn random_id() -> String {
    format!("{:016x}{:016x}", get_random_u64(), get_random_u64())
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Checks no more than what a mail server can use; whether it exists only a letter can tell.
fn is_email(address: &str) -> bool {
    let Some((name, domain)) = address.split_once('@') else {
        return false;
    };
    let plain = |text: &str| {
        text.chars()
            .all(|c| !c.is_whitespace() && !c.is_control() && !"<>(),;:\"@".contains(c))
    };
    let labels = domain
        .split('.')
        .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
    address.len() <= 254
        && !name.is_empty()
        && plain(name)
        && plain(domain)
        && labels
        && domain.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_addresses_from_other_text() {
        for good in ["ada@example.com", "a.b+c@mail.example.org"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@example",
            "a b@example.com",
            "a@b@example.com",
            "ada@.com",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn names_each_wrong_field() {
        let form = Form {
            user: "a/b".into(),
            email: "x".into(),
            address: " ".into(),
            card: String::new(),
            order: Some(String::new()),
        };
        let fields: Vec<_> = form.faults().into_keys().collect();
        assert_eq!(fields, ["address", "email", "order", "user"]);
    }

    #[test]
    fn refuses_carts_that_cannot_be_sold() {
        let form = || Form {
            user: "u".into(),
            email: "a@b.c".into(),
            address: "12345".into(),
            card: "4242 4242 4242 4242".into(),
            order: None,
        };
        let empty = Order::new("1".into(), form(), &[], &[]).unwrap_err();
        assert_eq!(empty, "the cart is empty");
        let gone = [Item {
            product: "lamp".into(),
            quantity: 1,
        }];
        assert_eq!(
            Order::new("1".into(), form(), &gone, &[]).unwrap_err(),
            "`lamp` is not sold any more"
        );
    }
}
