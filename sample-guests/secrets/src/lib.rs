//! Tells which secrets it may use, and shows those that it may see.
use wythe_sdk::secrets::{self, Secret};
use wythe_sdk::{Error, Result, http};

struct App;

impl http::Handler for App {
    fn handle(request: http::Request) -> Result<http::Response> {
        let query = request.query();
        let store = query.get("store").unwrap_or("vault");
        let name = query.get("name").unwrap_or_default();
        match request.path() {
            "/names" => http::Response::json(&secrets::names(store)?),
            "/exists" => http::Response::json(&Secret::get(store, name)?.is_some()),
            "/reveal" => match Secret::get(store, name)? {
                Some(secret) => reveal(&secret),
                None => Err(Error::not_found(format!(
                    "`{store}` has no secret `{name}`"
                ))),
            },
            other => Err(Error::not_found(format!("nothing at {other}"))),
        }
    }
}

/// One value of a secret a line: name and value.
fn reveal(secret: &Secret) -> Result<http::Response> {
    let values = secret.reveal()?.into_iter();
    let lines = values.map(|(name, value)| format!("{name} {}\n", String::from_utf8_lossy(&value)));
    Ok(http::Response::text(lines.collect::<String>()))
}

wythe_sdk::serve!(App);
