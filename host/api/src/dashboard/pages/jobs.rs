//! Jobs of an app, with what pauses them and lets them go on.

use super::{
    super::{
        desk::{Desk, PAGE, choice, empty, misfit, state, table},
        text::{self, Time, Took},
    },
    apps_of,
};
use crate::admin::{
    Answer, Command,
    jobs::{self, Action, Jobs, Status, Trigger},
};
use maud::{Markup, html};
use wythe_blocks::Result;

/// Apps whose jobs stand on one page where none is chosen.
const APPS: usize = 50;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let status = desk.status().await?;
    let apps = apps_of(&status);
    let chosen = desk.query.get("app").filter(|app| *app != "all");
    let mut found = Vec::new();
    for app in apps
        .iter()
        .copied()
        .filter(|app| chosen.is_none_or(|chosen| chosen == *app))
        .take(APPS)
    {
        let (jobs, next) = of_app(desk, app).await?;
        found.push((app, jobs, next.filter(|_| chosen.is_some())));
    }
    let next = found.iter().find_map(|(_, _, next)| next.clone());
    let all: Vec<_> = found
        .iter()
        .flat_map(|(app, jobs, _)| jobs.iter().map(move |job| (*app, job)))
        .collect();
    Ok(html! {
        div.panel {
            form.fields method="get" {
                (choice("App", "app", Some(chosen.unwrap_or("all")), std::iter::once("all").chain(apps.iter().copied())))
                button { "Show" }
            }
        }
        div #jobs data-live="5" {
            @if all.is_empty() {
                (empty("No job.", &html! { "Schedule one by " code { "wythe jobs schedule" } ", or from an app that is granted " code { "jobs" } "." }))
            } @else {
                (table("Jobs", &["Job", "App", "When", "Next", "#Runs", "State", "Last failure", ""], all.into_iter().map(|(app, job)| row(desk, app, job))))
            }
            @if let Some(next) = next { (desk.more("jobs", "cursor", &next, "Next jobs")) }
        }
    })
}

async fn of_app(desk: &Desk<'_>, app: &str) -> Result<(Vec<Status>, Option<String>)> {
    let action = Action::List {
        prefix: String::new(),
        limit: PAGE,
        cursor: desk.query.get("cursor").map(str::to_owned),
    };
    let app = app.to_owned();
    match desk.ask(Command::Jobs(Jobs { app, action })).await? {
        Answer::Jobs(jobs::Answer::Page { jobs, next }) => Ok((jobs, next)),
        _ => Err(misfit()),
    }
}

fn row(desk: &Desk<'_>, app: &str, one: &Status) -> Markup {
    let name = one.job.name.as_str();
    let fields = [("app", app), ("name", name)];
    html! {
        th scope="row" { (text::name(name)) }
        td { a href=(desk.link("app").with("id", app)) { (text::name(app)) } }
        td { (when(&one.job.trigger)) }
        td { @if let Some(next) = one.next { (Time(next)) } @else { span.quiet { "never" } } }
        td.number { (one.runs) }
        td { @if one.paused { span.state { "paused" } } @else { (state(true, "on")) } }
        td { @if let Some(failure) = &one.failure { (text::line(failure)) } @else { span.quiet { "none" } } }
        td {
            @if one.paused { (desk.button("resume-job", "Resume", &fields)) }
            @else { (desk.button("pause-job", "Pause", &fields)) }
        }
    }
}

fn when(trigger: &Trigger) -> Markup {
    html! {
        @match trigger {
            Trigger::Once(_) => "once",
            Trigger::Every(interval) => { "every " (Took(interval.saturating_mul(1_000))) },
            Trigger::Cron { expression, time_zone } => {
                code { (text::name(expression)) }
                @if let Some(zone) = time_zone { " " (text::name(zone)) }
            },
        }
    }
}
