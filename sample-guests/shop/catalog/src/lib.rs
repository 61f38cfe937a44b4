//! What the shop sells: a list that never changes, told to other apps of the host only.
mod products;

use products::{PRODUCTS, Product};
use wythe_sdk::invocation::{Caller, Handler, Request, Response};
use wythe_sdk::{Error, Result};

struct Catalog;

impl Handler for Catalog {
    fn handle(_caller: Caller, request: Request) -> Result<Response> {
        let segments = request.segments();
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        match (request.method.as_str(), segments.as_slice()) {
            ("GET", ["products"]) => {
                let wanted = request
                    .query()
                    .get("search")
                    .unwrap_or_default()
                    .to_lowercase();
                let found: Vec<_> = PRODUCTS
                    .iter()
                    .filter(|product| product.matches(&wanted))
                    .collect();
                Response::from_json(&found)
            }
            ("GET", ["products", id]) => {
                let found = PRODUCTS.iter().find(|product| product.id == *id);
                Response::from_json(
                    found.ok_or_else(|| Error::not_found(format!("there is no product `{id}`")))?,
                )
            }
            (method, _) => Err(Error::not_found(format!(
                "the catalog has no {method} {}",
                request.path
            ))),
        }
    }
}

impl Product {
    /// Every word must occur in the name or in the description.
    fn matches(&self, wanted: &str) -> bool {
        let text = format!("{} {}", self.name, self.description).to_lowercase();
        wanted.split_whitespace().all(|word| text.contains(word))
    }
}

wythe_sdk::invocable!(Catalog);

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(path: &str) -> Result<Response> {
        let caller = Caller {
            app: "storefront".to_owned(),
            tenant: "default".to_owned(),
        };
        Catalog::handle(caller, Request::new("GET", path))
    }

    #[test]
    fn searches_for_all_words_in_any_case() {
        let count = |path| {
            let found: Vec<serde_json::Value> = ask(path).unwrap().json().unwrap();
            found.len()
        };
        assert_eq!(count("/products"), 9);
        assert_eq!(count("/products?search="), 9);
        assert_eq!(count("/products?search=BRASS+plumb"), 1);
        assert_eq!(count("/products?search=zeppelin"), 0);
    }

    #[test]
    fn knows_each_product_by_its_id() {
        for product in &PRODUCTS {
            assert_eq!(
                ask(&format!("/products/{}", product.id)).unwrap().status,
                200
            );
        }
        assert_eq!(ask("/products/none").unwrap_err().status(), 404);
        assert_eq!(ask("/other").unwrap_err().status(), 404);
    }
}
