//! Greets, and counts how often.
use wythe_sdk::{Result, http, state::Store};

struct App;

impl http::Handler for App {
    fn handle(_request: http::Request) -> Result<http::Response> {
        let visits = Store::open("statestore")?.increment("visits", 1)?;
        wythe_sdk::info!("visitor {visits}");
        Ok(http::Response::text(format!("hello, visitor {visits}\n")))
    }
}

wythe_sdk::serve!(App);
