//! Feature flags that may change at any time: tells how one is set, and what was heard of changes.
//!
//! `GET /flag/checkout.express`, `/flags?keys=banner,checkout.express` and `/heard`. What `POST /listen?keys=banner` answers
//! is the id of one more subscription, which `POST /end?id=..` ends. `component` in a query is another than `flags`.
use wythe_sdk::configuration::{self, Change, Listener, Subscription};
use wythe_sdk::http::{self, Query};
use wythe_sdk::state::Store;
use wythe_sdk::{Error, Result};

const FLAGS: &str = "flags";
const STORE: &str = "statestore";

struct App;

impl http::Handler for App {
    fn handle(request: http::Request) -> Result<http::Response> {
        let query = request.query();
        let component = query.get("component").unwrap_or(FLAGS);
        match (request.method(), request.path()) {
            ("GET", "/flags") => flags(component, &keys(&query)),
            ("GET", "/heard") => heard(),
            ("POST", "/listen") => {
                let id = configuration::subscribe(component, &keys(&query))?;
                Ok(http::Response::text(id))
            }
            ("POST", "/end") => {
                configuration::unsubscribe(component, query.get("id").unwrap_or_default())?;
                Ok(http::Response::text("over\n"))
            }
            ("GET", path) => match path.strip_prefix("/flag/") {
                Some(name) => flag(component, name),
                None => Err(Error::not_found(format!("nothing at {path}"))),
            },
            (method, path) => Err(Error::not_found(format!("nothing at {method} {path}"))),
        }
    }
}

fn keys(query: &Query) -> Vec<&str> {
    let keys = query.get("keys").unwrap_or_default();
    keys.split(',').filter(|key| !key.is_empty()).collect()
}

fn flag(component: &str, name: &str) -> Result<http::Response> {
    match configuration::value(component, name)? {
        Some(value) => Ok(http::Response::text(format!("{value}\n"))),
        None => Err(Error::not_found(format!(
            "`{component}` has no flag `{name}`"
        ))),
    }
}

/// The flags, one a line.
fn flags(component: &str, keys: &[&str]) -> Result<http::Response> {
    let items = configuration::get(component, keys)?.items.into_iter();
    let lines = items.map(|item| format!("{}={}\n", item.key, item.value));
    Ok(http::Response::text(lines.collect::<String>()))
}

impl Listener for App {
    fn subscriptions() -> Vec<Subscription> {
        vec![Subscription::to(FLAGS)]
    }

    /// An instance lives for one call, so what it hears is kept as state.
    fn on_change(change: Change) -> Result<()> {
        let items = change.items.iter();
        let items = items.map(|item| format!("{}={}", item.key, item.value));
        let removed = change.removed.iter().map(|key| format!("-{key}"));
        let told: Vec<_> = items.chain(removed).collect();
        let store = Store::open(STORE)?;
        let number = store.increment("changes", 1)?;
        store.put(&format!("heard/{number:08}"), told.join(" "))?;
        Ok(())
    }
}

/// One change a line, in the order in which they came.
fn heard() -> Result<http::Response> {
    let mut lines = String::new();
    for entry in Store::open(STORE)?.list("heard/") {
        let (_, entry) = entry?;
        lines += &format!("{}\n", entry.text()?);
    }
    Ok(http::Response::text(lines))
}

wythe_sdk::serve!(App);
wythe_sdk::configured!(App);
