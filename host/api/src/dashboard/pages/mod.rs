//! The pages: one function each, of an answer or two of the host.

mod actors;
mod apps;
mod components;
mod configuration;
mod events;
mod first;
mod jobs;
mod letters;
mod locks;
mod logs;
mod overview;
mod quotas;
mod requests;
mod trace;
mod workflow;
mod workflows;

pub use first::first;

use super::{
    desk::{self, Desk},
    link::Link,
};
use crate::admin::host::Status;
use maud::{Markup, html};
use wythe_blocks::{Error, Kind, Result};

/// A page within its frame.
pub struct Page {
    /// The section that it is in.
    pub section: &'static str,
    pub title: String,
    pub main: Markup,
    /// The kind of the error, where there is nothing but an error.
    pub failed: Option<Kind>,
    /// The page to go to instead.
    pub to: Option<Link>,
}

impl Page {
    fn new(section: &'static str, title: String, shown: Result<Markup>) -> Self {
        let failed = shown.as_ref().err().map(Error::kind);
        let main = shown.unwrap_or_else(|error| {
            html! {
                (desk::failure(&error))
                p.quiet { "Load the page again once this is mended; " code { "wythe status" } " says how the host is." }
            }
        });
        Page {
            section,
            title,
            main,
            failed,
            to: None,
        }
    }
}

/// The page of a tenant at this path.
pub async fn page(desk: &Desk<'_>, path: &str) -> Page {
    let id = || desk.query.text("id");
    let (section, title, shown) = match path {
        "" => ("", "Overview".to_owned(), overview::page(desk).await),
        "app" => ("", format!("App {}", id()), apps::page(desk).await),
        "requests" => (
            "requests",
            "Requests".to_owned(),
            requests::page(desk).await,
        ),
        "trace" => ("requests", "Trace".to_owned(), trace::page(desk).await),
        "logs" => ("logs", "Logs".to_owned(), logs::page(desk).await),
        "components" => (
            "components",
            "Components".to_owned(),
            components::page(desk).await,
        ),
        "events" => ("events", "Events".to_owned(), events::page(desk).await),
        "letters" => (
            "events",
            "Dead letters".to_owned(),
            letters::page(desk).await,
        ),
        "workflows" => (
            "workflows",
            "Workflows".to_owned(),
            workflows::page(desk).await,
        ),
        "workflow" => (
            "workflows",
            format!("Workflow {}", id()),
            workflow::page(desk).await,
        ),
        "actors" => ("actors", "Actors".to_owned(), actors::page(desk).await),
        "actor" => ("actors", format!("Actor {}", id()), actors::one(desk).await),
        "jobs" => ("jobs", "Jobs".to_owned(), jobs::page(desk).await),
        "locks" => ("locks", "Locks".to_owned(), locks::page(desk).await),
        "configuration" => (
            "configuration",
            "Configuration".to_owned(),
            configuration::page(desk).await,
        ),
        "quotas" => ("quotas", "Quotas".to_owned(), quotas::page(desk).await),
        _ => {
            let missing = Error::not_found("the dashboard has no such page");
            ("none", "No such page".to_owned(), Err(missing))
        }
    };
    Page::new(section, title, shown)
}

/// The names of the components of a block.
fn of_block<'a>(status: &'a Status, block: &str) -> Vec<&'a str> {
    let all = status.components.iter();
    let own = all.filter(|one| one.kind.split('.').next() == Some(block));
    own.map(|one| one.component.as_str()).collect()
}

/// The ids of the apps.
fn apps_of(status: &Status) -> Vec<&str> {
    status
        .apps
        .iter()
        .map(|one| one.running.app.as_str())
        .collect()
}
