//! Hands parcels to a carrier, and knows what became of each.
use serde::{Deserialize, Serialize};
use wythe_sdk::invocation::{Caller, Handler, Request, Response};
use wythe_sdk::state::{PutOptions, Store};
use wythe_sdk::wasip2::random::random::get_random_u64;
use wythe_sdk::{Error, Kind, Result};

struct Shipping;

#[derive(Deserialize)]
struct Wanted {
    order: String,
    address: String,
}

#[derive(Deserialize, Serialize)]
struct Parcel {
    tracking: String,
}

impl Handler for Shipping {
    fn handle(_caller: Caller, request: Request) -> Result<Response> {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/parcels") => Response::from_json(&send(&request.json()?)?),
            (method, path) => Err(Error::not_found(format!(
                "the shipping has no {method} {path}"
            ))),
        }
    }
}

/// An order has one parcel, however often it is asked for.
fn send(wanted: &Wanted) -> Result<Parcel> {
    if is_box(&wanted.address) {
        return Err(Error::conflict(
            "the carrier brings nothing to a post office box",
        ));
    }
    let (store, key) = (
        Store::open("statestore")?,
        format!("parcel/{}", wanted.order),
    );
    let tracking = format!("WY-{:08X}", get_random_u64() >> 32);
    let parcel = Parcel { tracking };
    match store.put_json_with(&key, &parcel, PutOptions::new().if_absent()) {
        Err(error) if error.kind() == Kind::Conflict => store.get_json(&key)?.ok_or(error),
        result => result.map(|_| parcel),
    }
}

fn is_box(address: &str) -> bool {
    let address = address.to_ascii_lowercase().replace('.', "");
    ["po box", "p o box", "post office box"]
        .iter()
        .any(|name| address.contains(name))
}

wythe_sdk::invocable!(Shipping);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_boxes_from_doors() {
        for yes in ["P.O. Box 12, Ghent", "PO Box 7", "Post Office Box 1"] {
            assert!(is_box(yes), "{yes}");
        }
        for no in ["1 Wall Lane", "Boxer Street 2"] {
            assert!(!is_box(no), "{no}");
        }
    }
}
