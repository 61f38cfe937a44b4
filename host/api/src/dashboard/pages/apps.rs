//! The page of one app: its figures, what it subscribes to, its last traces, and a form that calls it.

use super::{
    super::{
        desk::{Desk, area, choice, field},
        text::{self, Size},
    },
    overview::failed,
    requests,
};
use crate::admin::host::App;
use maud::{Markup, html};
use wythe_blocks::{Error, Result};

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let id = desk.query.text("id");
    let status = desk.status().await?;
    let app = status.apps.iter().find(|one| one.running.app == id);
    let app = app.ok_or_else(|| {
        Error::not_found(format!("the tenant has no app `{}`", text::shown(&id, 120)))
    })?;
    let subscriptions = status.subscriptions.iter().filter(|one| one.app == id);
    let subscriptions: Vec<_> = subscriptions.take(200).collect();
    let seen = requests::asked_of(desk, Some(&id), 20).await?;
    Ok(html! {
        div #app data-live="3" { (facts(app)) }
        div.buttons { a href=(desk.link("logs").with("app", &id)) { "Its log" } }
        @if !subscriptions.is_empty() {
            h2 { "Subscriptions" }
            ul { @for one in &subscriptions { li { (text::name(&one.component)) " / " (text::name(&one.topic)) } } }
        }
        h2 { "Call it" }
        (call(desk, &id))
        h2 { "Its last traces" }
        div #traces data-live="3" { (requests::traces(desk, &seen.traces)) }
    })
}

fn facts(app: &App) -> Markup {
    html! {
        dl.facts {
            div { dt { "Calls now" } dd { (app.running.calls) " of " (app.running.calls_limit) } }
            div { dt { "Instances" } dd { (app.running.instances) } }
            div { dt { "Host memory" } dd { (Size(app.host_memory as u64)) " of " (Size(app.host_memory_limit)) } }
            div { dt { "Version" } dd.small.mono { (text::name(&app.version)) } }
        }
        @if app.last_error.is_some() { p { "Last error: " (failed(app.last_error.as_ref())) } }
    }
}

fn call(desk: &Desk<'_>, id: &str) -> Markup {
    let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
    let form = desk.form(
        "invoke",
        &html! {
            input type="hidden" name="app" value=(id);
            (choice("Method", "method", Some("GET"), methods))
            (field("Path", "path", "/", "/items/7?color=red"))
            (field("Content type", "content", "", "application/json"))
            (area("Body", "data", ""))
            button { "Call" }
        },
    );
    html! { div.panel.fields { (form) } }
}
