//! Actors: those that are active, those that are stored, and what one of them has.

use super::super::{
    desk::{Desk, PAGE, empty, field, misfit, state, table},
    text::{self, Time, Took},
};
use crate::admin::{
    Answer, Command,
    actors::{self, Action, Entry, Reminder},
};
use maud::{Markup, html};
use std::collections::HashSet;
use wythe_blocks::{Kind, Result};

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let kind = desk.query.get("type").map(str::to_owned);
    let cursor = desk.query.get("cursor").map(str::to_owned);
    let (active, _) = listed(desk, Action::Active { kind: kind.clone() }).await?;
    let list = Action::List {
        kind,
        limit: PAGE,
        cursor,
    };
    let (stored, next) = match listed(desk, list).await {
        // A tenant without a component that keeps actors has none.
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Unsupported) => {
            (Vec::new(), None)
        }
        listed => listed?,
    };
    let is_active: HashSet<&str> = active.iter().map(String::as_str).collect();
    let others: HashSet<&str> = stored.iter().map(String::as_str).collect();
    let only_active = active.iter().filter(|one| !others.contains(one.as_str()));
    let all: Vec<_> = only_active.take(PAGE as usize).chain(&stored).collect();
    Ok(html! {
        div.panel {
            form.fields method="get" {
                (field("Type", "type", desk.query.get("type").unwrap_or_default(), "all"))
                button { "Show" }
            }
        }
        div #actors data-live="5" {
            dl.facts { div { dt { "Active now" } dd { (active.len()) } } div { dt { "Stored, on this page" } dd { (stored.len()) } } }
            @if all.is_empty() {
                (empty("No actor yet.", &html! { "An actor is there once it is called: " code { "wythe actor invoke TYPE/ID METHOD" } }))
            } @else {
                (table("Actors", &["Actor", "Type", "State"], all.into_iter().map(|one| row(desk, one, &is_active))))
            }
            @if let Some(next) = next { (desk.more("actors", "cursor", &next, "Next actors")) }
        }
    })
}

async fn listed(desk: &Desk<'_>, action: Action) -> Result<(Vec<String>, Option<String>)> {
    match desk.ask(Command::Actors(action)).await? {
        Answer::Actors(actors::Answer::Page { actors, next }) => Ok((actors, next)),
        _ => Err(misfit()),
    }
}

fn row(desk: &Desk<'_>, one: &str, active: &HashSet<&str>) -> Markup {
    let (kind, id) = one.split_once('/').unwrap_or((one, ""));
    html! {
        th scope="row" { a href=(desk.link("actor").with("type", kind).with("id", id)) { (text::name(id)) } }
        td { (text::name(kind)) }
        td { @if active.contains(one) { (state(true, "active")) } @else { span.state { "stored" } } }
    }
}

/// The page of one actor.
pub async fn one(desk: &Desk<'_>) -> Result<Markup> {
    let (kind, id) = (desk.query.text("type"), desk.query.text("id"));
    let command = Action::State {
        kind: kind.clone(),
        id,
    };
    let Answer::Actors(actors::Answer::State(stored)) = desk.ask(Command::Actors(command)).await?
    else {
        return Err(misfit());
    };
    let entries = stored.entries.iter().take(PAGE as usize).map(entry);
    let reminders = stored.reminders.iter().take(PAGE as usize).map(reminder);
    Ok(html! {
        div #actor data-live="5" {
            dl.facts {
                div { dt { "Type" } dd.small { (text::name(&kind)) } }
                div { dt { "State" } dd { @if stored.active { (state(true, "active")) } @else { span.state { "stored" } } } }
                div { dt { "Turns" } dd { (stored.turns) } }
            }
            h2 { "State " span.count { (stored.entries.len()) } }
            @if stored.entries.is_empty() { (empty("It has no state.", &html! { "What a turn sets is there once the turn has ended." })) }
            @else { (table("State", &["Key", "Value", "Until"], entries)) }
            h2 { "Reminders " span.count { (stored.reminders.len()) } }
            @if stored.reminders.is_empty() { (empty("It has no reminder.", &html! { "A reminder calls the actor at a time, after a restart too." })) }
            @else { (table("Reminders", &["Reminder", "Due", "Every", "Data"], reminders)) }
        }
    })
}

fn entry(one: &Entry) -> Markup {
    html! {
        th scope="row" { (text::name(&one.key)) }
        td { (text::value(&one.value.0)) }
        td { @if let Some(expires) = one.expires { (Time(expires)) } @else { span.quiet { "for ever" } } }
    }
}

fn reminder(one: &Reminder) -> Markup {
    html! {
        th scope="row" { (text::name(&one.name)) }
        td { (Time(one.due)) }
        td { @if let Some(period) = one.period { (Took(period.saturating_mul(1_000))) } @else { span.quiet { "once" } } }
        td { (text::value(&one.data.0)) }
    }
}
