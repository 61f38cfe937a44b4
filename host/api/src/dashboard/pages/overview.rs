//! The overview of a tenant: what is wrong, its apps, its breakers.

use super::{
    super::{
        desk::{Desk, empty, state, table},
        text::{self, Size, Time},
    },
    first::problems,
    requests,
};
use crate::admin::host::{App, Breaker, Component, Failed, Status};
use maud::{Markup, html};
use wythe_blocks::Result;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let status = desk.status().await?;
    let seen = requests::asked(desk, 0).await.ok();
    Ok(html! {
        (problems(&status.problems))
        div #overview data-live="3" {
            (facts(&status, seen.as_ref()))
            h2 { "Apps" }
            @if status.apps.is_empty() {
                (empty("This tenant has no app.", &html! { "Add one to " code { "apps" } " of its " code { "wythe.yaml" } "." }))
            } @else {
                (apps(desk, &status.apps))
            }
            @let unwell: Vec<_> = status.components.iter().filter(|one| one.health != "ok").collect();
            @if !unwell.is_empty() {
                h2 { "Components that are unwell" }
                (unwell_table(&unwell))
            }
            @if !status.breakers.is_empty() { (breakers(&status.breakers)) }
        }
    })
}

fn facts(status: &Status, seen: Option<&crate::admin::traces::Page>) -> Markup {
    let calls: usize = status.apps.iter().map(|one| one.running.calls).sum();
    let instances: usize = status.apps.iter().map(|one| one.running.instances).sum();
    let unwell = status
        .components
        .iter()
        .filter(|one| one.health != "ok")
        .count();
    html! {
        dl.facts {
            div { dt { "Apps" } dd { (status.apps.len()) } }
            div { dt { "Calls now" } dd { (calls) } }
            div { dt { "Instances" } dd { (instances) } }
            div {
                dt { "Components" }
                dd { (status.components.len()) @if unwell > 0 { " " (state(false, &format!("{unwell} unwell"))) } }
            }
            div { dt { "Subscriptions" } dd { (status.subscriptions.len()) } }
            @if let Some(seen) = seen { div { dt { "Traces" } dd { (seen.found) } } }
            div { dt { "Host" } dd.small { "Wythe " (status.version) br; "process " (status.pid) } }
        }
    }
}

fn apps(desk: &Desk<'_>, apps: &[App]) -> Markup {
    let row = |one: &App| {
        let running = &one.running;
        html! {
            th scope="row" { a href=(desk.link("app").with("id", &running.app)) { (text::name(&running.app)) } }
            td.number { (running.calls) " of " (running.calls_limit) }
            td.number { (running.instances) }
            td.number { (Size(one.host_memory as u64)) " of " (Size(one.host_memory_limit)) }
            td.mono { (text::name(&one.version)) }
            td { (health(one)) }
            td { (failed(one.last_error.as_ref())) }
        }
    };
    let head = [
        "App",
        "#Calls",
        "#Instances",
        "#Host memory",
        "Version",
        "Health",
        "Last error",
    ];
    table("Apps", &head, apps.iter().map(row))
}

/// The state by its health check, and the reason where it is not well.
fn health(one: &App) -> Markup {
    html! {
        @if one.health == "starting" { span.state { "starting" } }
        @else { (state(one.health == "ok", &one.health)) }
        @if let Some(reason) = &one.health_reason { " " (text::line(reason)) }
    }
}

/// The last error, where there was one.
pub fn failed(failed: Option<&Failed>) -> Markup {
    html! {
        @match failed {
            Some(failed) => { (Time(failed.time)) " " (state(false, &failed.kind)) " " (text::line(&failed.message)) },
            None => span.quiet { "none" },
        }
    }
}

fn unwell_table(unwell: &[&Component]) -> Markup {
    let row = |one: &&Component| {
        html! {
            th scope="row" { (text::name(&one.component)) }
            td { (text::name(&one.kind)) }
            td { (state(false, &one.health)) }
            td { (failed(one.last_error.as_ref())) }
        }
    };
    let head = ["Component", "Type", "Health", "Last error"];
    table("Components that are unwell", &head, unwell.iter().map(row))
}

fn breakers(breakers: &[Breaker]) -> Markup {
    let row = |one: &Breaker| {
        html! {
            th scope="row" { (text::name(&one.target)) }
            td { (text::name(one.actor.as_deref().or(one.app.as_deref()).unwrap_or("all"))) }
            td { (text::name(&one.policy)) }
            td { (state(one.state == "closed", &one.state)) }
            td.number { (one.failures) }
            td.number { @if let Some(time) = one.open_for { (text::Took(time.saturating_mul(1_000))) } }
        }
    };
    let head = ["Target", "For", "Policy", "State", "#Failures", "#Open for"];
    html! {
        h2 { "Circuit breakers" }
        (table("Circuit breakers", &head, breakers.iter().map(row)))
    }
}
