//! Requests and errors: the figures of each app and component, and the last traces.

use super::super::{
    desk::{Desk, PAGE, empty, misfit, state, table},
    text::{self, Time, Took},
};
use crate::admin::{
    Answer, Command,
    traces::{self, Action, Figure, List, Page, Trace},
};
use maud::{Markup, html};
use wythe_blocks::Result;

/// Asks for so many traces of the tenant.
pub async fn asked(desk: &Desk<'_>, limit: u32) -> Result<Page> {
    asked_of(desk, None, limit).await
}

/// Asks for traces that reached an app.
pub async fn asked_of(desk: &Desk<'_>, app: Option<&str>, limit: u32) -> Result<Page> {
    let list = List {
        failed: desk.query.get("only") == Some("failed"),
        app: app.map(str::to_owned),
        skip: desk.query.number("skip"),
        limit,
    };
    match desk.ask(Command::Traces(Action::List(list))).await? {
        Answer::Traces(traces::Answer::Page(page)) => Ok(page),
        _ => Err(misfit()),
    }
}

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let seen = asked_of(desk, desk.query.get("app"), PAGE).await?;
    let skip = desk.query.number::<u32>("skip");
    let is_failed = desk.query.get("only").is_some();
    let left = seen
        .found
        .saturating_sub(skip.saturating_add(PAGE) as usize);
    Ok(html! {
        div #requests data-live="3" {
            p.quiet {
                "The host has the last " (seen.spans) " spans of this tenant"
                @if let Some(since) = seen.since { ", since " (Time(since / 1_000)) }
                "; those of traces that are sampled, and for as long as a dashboard looks."
            }
            @if seen.spans > 0 { (figures(desk, &seen.figures)) }
            h2 { "Traces " span.count { (seen.found) } }
            div.buttons {
                @if is_failed { a href=(desk.link("requests")) { "All traces" } }
                @else { a href=(desk.link("requests").with("only", "failed")) { "Only those with failures" } }
            }
            (traces(desk, &seen.traces))
            @if left > 0 { (desk.more("requests", "skip", &skip.saturating_add(PAGE).to_string(), "Older traces")) }
        }
    })
}

fn figures(desk: &Desk<'_>, figures: &[Figure]) -> Markup {
    let row = |one: &Figure| {
        html! {
            th scope="row" {
                @match (&one.app, &one.component) {
                    (Some(app), _) => a href=(desk.link("app").with("id", app)) { (text::name(app)) },
                    (None, component) => (text::name(component.as_deref().unwrap_or_default())),
                }
            }
            td { @if one.app.is_some() { "app" } @else { "component" } }
            td.number { (one.calls) }
            td.number { @if one.failed > 0 { (state(false, &one.failed.to_string())) } @else { "0" } }
            td.number { (Took(one.half)) }
            td.number { (Took(one.nearly_all)) }
            td.number { (Took(one.longest)) }
        }
    };
    let head = [
        "Called",
        "Kind",
        "#Calls",
        "#Failed",
        "#Half within",
        "#95 % within",
        "#Longest",
    ];
    table(
        "Calls of apps and components",
        &head,
        figures.iter().map(row),
    )
}

/// A list of traces.
pub fn traces(desk: &Desk<'_>, traces: &[Trace]) -> Markup {
    if traces.is_empty() {
        return empty(
            "No trace yet.",
            &html! { "Send a request to an app, and look again in a moment." },
        );
    }
    let row = |one: &Trace| {
        html! {
            td { (Time(one.start / 1_000)) }
            th scope="row" {
                a href=(desk.link("trace").with("id", &one.trace)) { (text::name(&one.name)) }
            }
            td { (text::name(&one.app)) }
            td.number { (Took(one.took)) }
            td.number { (one.spans) }
            td.number { (one.apps) }
            td { @if one.failed > 0 { (state(false, &format!("{} failed", one.failed))) } @else { (state(true, "ok")) } }
        }
    };
    let head = [
        "Begin", "Request", "App", "#Took", "#Spans", "#Apps", "State",
    ];
    table("Traces", &head, traces.iter().map(row))
}
