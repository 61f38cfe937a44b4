//! The products that the shop sells: read from configuration at every question, so a change of the file is sold at
//! once.
mod pictures;
mod products;

use products::Product;
use wythe_sdk::configuration;
use wythe_sdk::invocation::{Caller, Handler, Request, Response};
use wythe_sdk::{Error, Result};

struct Catalog;

impl Handler for Catalog {
    fn handle(_caller: Caller, request: Request) -> Result<Response> {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["products"]) => {
                let query = request.query();
                let wanted = query.get("search").unwrap_or_default().to_lowercase();
                let mut found = products()?;
                found.retain(|product| product.matches(&wanted));
                Response::from_json(&found)
            }
            ("GET", ["products", id]) => {
                let found = products()?.into_iter().find(|product| product.id == *id);
                Response::from_json(
                    &found
                        .ok_or_else(|| Error::not_found(format!("there is no product `{id}`")))?,
                )
            }
            (method, _) => Err(Error::not_found(format!(
                "the catalog has no {method} {}",
                request.path
            ))),
        }
    }
}

fn products() -> Result<Vec<Product>> {
    let snapshot = configuration::get("catalog", &[])?;
    let items = snapshot.items.iter();
    let (products, faults) =
        products::read(items.map(|item| (item.key.as_str(), item.value.as_str())));
    for fault in faults {
        wythe_sdk::warn!("{fault}");
    }
    Ok(products)
}

wythe_sdk::invocable!(Catalog);
