//! One cart per user: a list of products and quantities under one key, forgotten after two days.
use serde::{Deserialize, Serialize};
use std::time::Duration;
use wythe_sdk::invocation::{Caller, Handler, Request, Response};
use wythe_sdk::state::{PutOptions, Store};
use wythe_sdk::{Error, Result};

const KEPT: Duration = Duration::from_secs(48 * 60 * 60);
const MOST_AT_ONCE: u32 = 10;
const MOST_OF_ONE: u32 = 99;
const MOST_KINDS: usize = 100;

struct Cart;

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct Item {
    product: String,
    quantity: u32,
}

#[derive(Serialize)]
struct Contents<'a> {
    user: &'a str,
    items: Vec<Item>,
}

impl Handler for Cart {
    fn handle(_caller: Caller, request: Request) -> Result<Response> {
        let segments = request.segments();
        let [folder, user] = segments.as_slice() else {
            return Err(unknown(&request));
        };
        if folder != "cart" {
            return Err(unknown(&request));
        }
        let key = format!("cart/{}", valid(user, "user")?);
        let store = Store::open("statestore")?;
        let items = match request.method.as_str() {
            "GET" => store.get_json(&key)?.unwrap_or_default(),
            "POST" => {
                let item = valid_item(request.json()?)?;
                let options = PutOptions::new().ttl(KEPT);
                store.update_json_with(&key, options, |items| {
                    merge(items.unwrap_or_default(), &item)
                })?
            }
            "DELETE" => {
                store.delete(&key)?;
                Vec::new()
            }
            _ => return Err(unknown(&request)),
        };
        Response::from_json(&Contents { user, items })
    }
}

/// Adds more of what is there already, or one kind more. A full cart stays as it is, which its owner sees in the
/// answer.
fn merge(mut items: Vec<Item>, new: &Item) -> Vec<Item> {
    if let Some(item) = items.iter_mut().find(|item| item.product == new.product) {
        item.quantity = (item.quantity + new.quantity).min(MOST_OF_ONE);
    } else if items.len() < MOST_KINDS {
        items.push(Item {
            product: new.product.clone(),
            quantity: new.quantity,
        });
    }
    items
}

fn valid_item(item: Item) -> Result<Item> {
    valid(&item.product, "product")?;
    if !(1..=MOST_AT_ONCE).contains(&item.quantity) {
        return Err(Error::invalid(format!(
            "the quantity is 1 to {MOST_AT_ONCE}, not {}",
            item.quantity
        )));
    }
    Ok(item)
}

/// Ids become parts of keys and of paths, so they are plain.
fn valid<'a>(id: &'a str, what: &str) -> Result<&'a str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if (1..=64).contains(&id.len()) && id.bytes().all(plain) {
        return Ok(id);
    }
    Err(Error::invalid(format!(
        "a {what} is 1 to 64 letters, digits and hyphens"
    )))
}

fn unknown(request: &Request) -> Error {
    Error::not_found(format!(
        "the cart has no {} {}",
        request.method, request.path
    ))
}

wythe_sdk::invocable!(Cart);

#[cfg(test)]
mod tests {
    use super::*;

    fn item(product: &str, quantity: u32) -> Item {
        Item {
            product: product.to_owned(),
            quantity,
        }
    }

    #[test]
    fn equal_products_are_added_up() {
        let items = merge(merge(Vec::new(), &item("brick", 2)), &item("level", 1));
        let items = merge(items, &item("brick", 10));
        assert_eq!(items, [item("brick", 12), item("level", 1)]);
        assert_eq!(
            merge(vec![item("brick", 95)], &item("brick", 10)),
            [item("brick", 99)]
        );
    }

    #[test]
    fn strange_ids_and_quantities_are_refused() {
        for product in ["", "a/b", "a||b", "é"] {
            assert!(valid_item(item(product, 1)).is_err(), "{product}");
        }
        for quantity in [0, 11] {
            let error = valid_item(item("brick", quantity)).unwrap_err();
            assert_eq!(
                error.message(),
                format!("the quantity is 1 to 10, not {quantity}")
            );
        }
    }
}
