//! Components: the driver of each, its server, its health and its last error.

use super::{
    super::{
        desk::{Desk, empty, state, table},
        text,
    },
    overview::failed,
};
use crate::admin::host::Component;
use maud::{Markup, html};
use wythe_blocks::Result;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let status = desk.status().await?;
    if status.components.is_empty() {
        let next = html! { "Add one as a YAML file of " code { "kind: Component" } " to the resources of the project." };
        return Ok(empty("This tenant has no component.", &next));
    }
    let row = |one: &Component| {
        let block = one.kind.split('.').next().unwrap_or_default();
        let page = match block {
            "pubsub" => Some("events"),
            "configuration" => Some("configuration"),
            "lock" => Some("locks"),
            _ => None,
        };
        html! {
            th scope="row" {
                @match page {
                    Some(page) => a href=(desk.link(page).with("component", &one.component)) { (text::name(&one.component)) },
                    None => (text::name(&one.component)),
                }
            }
            td { (text::name(&one.kind)) }
            td { @if let Some(server) = &one.description { (text::line(server)) } @else { span.quiet { "none" } } }
            td { (state(one.health == "ok", &one.health)) }
            td { (failed(one.last_error.as_ref())) }
        }
    };
    let rows = status.components.iter().map(row);
    let head = ["Component", "Type", "Server", "Health", "Last error"];
    Ok(html! {
        div #components data-live="5" { (table("Components", &head, rows)) }
    })
}
