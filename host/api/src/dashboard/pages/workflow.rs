//! One instance of a workflow: what it waits for, its history, and what can be done with it.

use super::{
    super::{
        desk::{Desk, PAGE, area, field, misfit, table},
        text::{self, Time},
    },
    workflows::status,
};
use crate::admin::{
    Answer, Command,
    workflow::{self, Action, Entry, Instance},
};
use maud::{Markup, html};
use std::collections::BTreeMap;
use wythe_blocks::{Error, Result};

/// The last entries among which it is looked for what an instance waits for.
const LAST: u32 = 1_000;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let id = desk.query.text("id");
    let instance = instance(desk, &id).await?;
    let from = desk.query.number("from");
    let (entries, broken, next) = history(desk, &id, from, PAGE).await?;
    let is_over = instance.status.has_ended();
    let waits = match is_over {
        true => Vec::new(),
        false => {
            let from = instance.entries.saturating_sub(LAST);
            let (all, ..) = history(desk, &id, from, LAST).await?;
            waits(&all)
        }
    };
    Ok(html! {
        div #instance data-live="3" {
            (facts(desk, &instance))
            @if !is_over { (waiting(&waits)) }
            h2 { "History " span.count { (instance.entries) " entries" } }
            @if let Some(broken) = &broken {
                div.note.bad { p { strong { "What follows is not to be believed. " } (text::line(broken)) } }
            }
            (table("History", &["Entry", "Time", "What", "#Task", "About", "#Attempts", "Payload"], entries.iter().map(row)))
            @if let Some(next) = next { (desk.more("workflow", "from", &next.to_string(), "Next entries")) }
        }
        @if !is_over {
            h2 { "Do" }
            (actions(desk, &id, &waits))
        }
    })
}

async fn instance(desk: &Desk<'_>, id: &str) -> Result<Instance> {
    let command = Action::Get {
        id: id.to_owned(),
        wait_milliseconds: 0,
    };
    match desk.ask(Command::Workflow(command)).await? {
        Answer::Workflow(workflow::Answer::Instance(Some(instance))) => Ok(*instance),
        Answer::Workflow(workflow::Answer::Instance(None)) => Err(Error::not_found(format!(
            "there is no workflow `{}` any more, or there never was",
            text::shown(id, 120)
        ))),
        _ => Err(misfit()),
    }
}

type History = (Vec<Entry>, Option<String>, Option<u32>);

async fn history(desk: &Desk<'_>, id: &str, from: u32, limit: u32) -> Result<History> {
    let command = Action::History {
        id: id.to_owned(),
        from,
        limit,
    };
    match desk.ask(Command::Workflow(command)).await? {
        Answer::Workflow(workflow::Answer::History {
            entries,
            broken,
            next,
        }) => Ok((entries, broken, next)),
        _ => Err(misfit()),
    }
}

/// The things that an instance asked for and does not have, by their tasks: what each is, its name, and since when.
fn waits(entries: &[Entry]) -> Vec<(&'static str, String, u64)> {
    let mut open = BTreeMap::new();
    for entry in entries {
        let what = match entry.kind.as_str() {
            "activity-scheduled" => "activity",
            "child-started" => "child",
            "timer-created" => "timer",
            "event-waited" => "event",
            "event-received" => {
                // The first that waits for this name has it.
                let first = open
                    .iter()
                    .find(|(_, (what, name, _))| *what == "event" && *name == entry.about);
                if let Some(task) = first.map(|(task, _)| *task) {
                    open.remove(&task);
                }
                continue;
            }
            _ => {
                if let Some(task) = entry.task {
                    open.remove(&task);
                }
                continue;
            }
        };
        open.insert(
            entry.task.unwrap_or_default(),
            (what, entry.about.clone(), entry.time),
        );
    }
    open.into_values().collect()
}

fn facts(desk: &Desk<'_>, one: &Instance) -> Markup {
    html! {
        dl.facts {
            div { dt { "State" } dd { (status(one.status)) } }
            div { dt { "Workflow" } dd.small { (text::name(&one.name)) } }
            div { dt { "App" } dd.small { a href=(desk.link("app").with("id", &one.app)) { (text::name(&one.app)) } } }
            div { dt { "Begun" } dd.small { (Time(one.created)) } }
            div { dt { "Changed" } dd.small { (Time(one.updated)) } }
            @if let Some(custom) = &one.custom_status { div { dt { "Its own status" } dd.small { (text::line(custom)) } } }
        }
        @if let Some(reason) = &one.reason { div.note.bad { p { (text::line(reason)) } } }
        @if let Some(input) = &one.input { details { summary { "Input" } (text::value(&input.0)) } }
        @if let Some(output) = &one.output { details { summary { "Output" } (text::value(&output.0)) } }
    }
}

fn waiting(waits: &[(&'static str, String, u64)]) -> Markup {
    let row = |(what, name, since): &(&str, String, u64)| {
        html! { th scope="row" { (what) } td { (text::name(name)) } td { (Time(*since)) } }
    };
    html! {
        h2 { "Waits for" }
        @if waits.is_empty() { p.quiet { "Nothing: it is at work, or it cannot go on." } }
        @else { (table("Waits for", &["What", "Name", "Since"], waits.iter().map(row))) }
    }
}

fn row(one: &Entry) -> Markup {
    html! {
        th scope="row" { (one.index) }
        td { (Time(one.time)) }
        td { (text::name(&one.kind)) }
        td.number { @if let Some(task) = one.task { (task) } }
        td { (text::line(&one.about)) }
        td.number { @if let Some(attempts) = one.attempts { (attempts) } }
        td {
            @if one.payload.0.is_empty() { span.quiet { "empty" } }
            @else { details { summary { (text::Size(one.payload.0.len() as u64)) } (text::value(&one.payload.0)) } }
        }
    }
}

fn actions(desk: &Desk<'_>, id: &str, waits: &[(&'static str, String, u64)]) -> Markup {
    let event = waits.iter().find(|(what, ..)| *what == "event");
    let event = event.map_or("", |(_, name, _)| name);
    let raise = desk.form(
        "raise",
        &html! {
            input type="hidden" name="id" value=(id);
            (field("Event", "name", event, "approved"))
            (area("Data", "data", "true"))
            button { "Raise" }
        },
    );
    let terminate = desk.form(
        "terminate",
        &html! {
            input type="hidden" name="id" value=(id);
            label.check { input type="checkbox" name="sure" value="yes" required; span { "End it for good" } }
            button { "Terminate" }
        },
    );
    html! {
        div.panels {
            section.panel.fields { h3 { "Raise an event" } (raise) }
            section.panel {
                h3 { "Pause" }
                div.buttons {
                    (desk.button("suspend", "Suspend", &[("id", id)]))
                    (desk.button("resume", "Resume", &[("id", id)]))
                }
                h3 { "End" }
                div.fields { (terminate) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Binary;

    fn entry(kind: &str, task: Option<u32>, about: &str) -> Entry {
        Entry {
            index: 0,
            time: 7,
            kind: kind.into(),
            task,
            about: about.into(),
            attempts: None,
            payload: Binary::default(),
        }
    }

    #[test]
    fn what_was_asked_for_and_is_not_there_is_waited_for() {
        let mut entries = vec![
            entry("started", None, "order"),
            entry("activity-scheduled", Some(1), "pay"),
            entry("timer-created", Some(2), ""),
            entry("event-waited", Some(3), "approved"),
            entry("event-waited", Some(4), "approved"),
            entry("activity-completed", Some(1), ""),
            entry("child-started", Some(5), "ship"),
        ];
        let of = |entries: &[Entry]| -> Vec<_> {
            let waits = waits(entries).into_iter();
            waits
                .map(|(what, name, _)| format!("{what} {name}"))
                .collect()
        };
        assert_eq!(
            of(&entries),
            ["timer ", "event approved", "event approved", "child ship"]
        );
        entries.push(entry("event-received", None, "approved"));
        entries.push(entry("event-received", None, "another"));
        entries.push(entry("timer-fired", Some(2), ""));
        entries.push(entry("cancelled", Some(5), ""));
        assert_eq!(of(&entries), ["event approved"]);
    }
}
