//! The holder of a lock, which is looked up by its name: no driver lists its locks.

use super::{
    super::{
        desk::{Desk, choice, empty, failure, field, misfit},
        text::{self, Time},
    },
    apps_of, of_block,
};
use crate::admin::{
    Answer, Command,
    lock::{Action, Grant, Lock},
};
use maud::{Markup, html};
use wythe_blocks::Result;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let status = desk.status().await?;
    let (components, apps) = (of_block(&status, "lock"), apps_of(&status));
    if components.is_empty() {
        let next = html! { "Add a component of " code { "type: lock.NAME" } " to the resources of the project." };
        return Ok(empty("This tenant has no component for locks.", &next));
    }
    let query = &desk.query;
    let found = match query.get("name") {
        Some(name) => Some(holder(desk, name).await),
        None => None,
    };
    Ok(html! {
        div.panel {
            form.fields method="get" {
                (choice("Component", "component", query.get("component"), components.iter().copied()))
                (choice("App", "app", query.get("app"), apps.iter().copied()))
                (field("Lock", "name", query.get("name").unwrap_or_default(), "order-7"))
                button { "Look up" }
            }
        }
        div #lock data-live="3" {
            @match &found {
                None => (empty("Which lock?", &html! { "A lock is found by its component, its app and its name." })),
                Some(Err(error)) => (failure(error)),
                Some(Ok(None)) => p { "Nobody holds this lock." },
                Some(Ok(Some(grant))) => (shown(grant)),
            }
        }
    })
}

async fn holder(desk: &Desk<'_>, name: &str) -> Result<Option<Grant>> {
    let command = Lock {
        component: desk.query.text("component"),
        name: name.to_owned(),
        app: desk.app().to_owned(),
        action: Action::Holder,
    };
    match desk.ask(Command::Lock(command)).await? {
        Answer::Grant { grant } => Ok(grant),
        _ => Err(misfit()),
    }
}

fn shown(grant: &Grant) -> Markup {
    html! {
        dl.facts {
            div { dt { "Holder" } dd.small { (text::name(&grant.owner)) } }
            div { dt { "Until" } dd.small { (Time(grant.expires)) } }
            div { dt { "Token" } dd.small { (grant.token) } }
        }
    }
}
