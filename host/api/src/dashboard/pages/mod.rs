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
    frame::SECTIONS,
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
                @match error.kind() {
                    Kind::NotFound | Kind::Invalid => p.quiet { "It may have ended meanwhile, or the link is an old one: look for it in its list." },
                    _ => p.quiet { "Load the page again once this is mended; " code { "wythe status" } " says how the host is." },
                }
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
    let (section, title) = headed(path, &desk.query.text("id"));
    let shown = match path {
        "" => overview::page(desk).await,
        "app" => apps::page(desk).await,
        "requests" => requests::page(desk).await,
        "trace" => trace::page(desk).await,
        "logs" => logs::page(desk).await,
        "components" => components::page(desk).await,
        "events" => events::page(desk).await,
        "letters" => letters::page(desk).await,
        "workflows" => workflows::page(desk).await,
        "workflow" => workflow::page(desk).await,
        "actors" => actors::page(desk).await,
        "actor" => actors::one(desk).await,
        "jobs" => jobs::page(desk).await,
        "locks" => locks::page(desk).await,
        "configuration" => configuration::page(desk).await,
        "quotas" => quotas::page(desk).await,
        _ => Err(Error::not_found("the dashboard has no such page")),
    };
    Page::new(section, title, shown)
}

/// The section and the title of a page, which may be about the thing of this id.
fn headed(path: &str, id: &str) -> (&'static str, String) {
    let of_one = |section, what: &str| (section, format!("{what} {id}"));
    match path {
        "app" => of_one("", "App"),
        "workflow" => of_one("workflows", "Workflow"),
        "actor" => of_one("actors", "Actor"),
        "trace" => ("requests", "Trace".to_owned()),
        "letters" => ("events", "Dead letters".to_owned()),
        _ => {
            let section = SECTIONS.into_iter().find(|(own, _)| *own == path);
            let (section, title) = section.unwrap_or(("none", "No such page"));
            (section, title.to_owned())
        }
    }
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
