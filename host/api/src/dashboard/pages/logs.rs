//! The last lines that apps logged, and those that come.

use super::{
    super::{
        desk::{Desk, choice, empty, misfit},
        text,
    },
    apps_of,
};
use crate::admin::{
    Answer, Command,
    host::{self, Action, Line, Logs},
};
use maud::{Markup, html};
use wythe_blocks::{Result, jobs::shown_time};

/// Lines on a page; the newest are.
const LINES: usize = 500;
/// Answers that are read until the newest line is there.
const ANSWERS: usize = 20;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let app = desk.query.get("app");
    let lines = newest(desk, app).await?;
    let status = desk.status().await?;
    let apps = apps_of(&status);
    Ok(html! {
        div.panel {
            form.fields method="get" {
                label {
                    span { "App" }
                    select name="app" {
                        option value="" { "all apps" }
                        @for one in &apps { option value=(one) selected[Some(*one) == app] { (text::shown(one, 120)) } }
                    }
                }
                (choice("Level", "level", desk.query.get("level"), ["all", "warnings and errors"]))
                button { "Show" }
            }
        }
        div #lines data-live="2" {
            @if lines.is_empty() {
                (empty("No line yet.", &html! { "Apps write lines by standard output, standard error and the interface " code { "logging" } "." }))
            } @else {
                div.tail tabindex="0" role="region" aria-label="Lines, the newest last" {
                    ol { @for one in &lines { (line(desk, one)) } }
                }
            }
        }
    })
}

/// The newest lines, the oldest of them first.
async fn newest(desk: &Desk<'_>, app: Option<&str>) -> Result<Vec<Line>> {
    let only_bad = desk.query.get("level").is_some_and(|level| level != "all");
    let (mut from, mut all) = (0, Vec::new());
    for _ in 0..ANSWERS {
        let logs = Logs {
            tenant: Some(desk.tenant.clone()),
            app: app.map(str::to_owned),
            from,
            ..Logs::default()
        };
        let Answer::Host(host::Answer::Logs(found)) = desk
            .host
            .ask(None, Command::Host(Action::Logs(logs)))
            .await?
        else {
            return Err(misfit());
        };
        let is_over = found.lines.is_empty();
        from = found.next;
        let is_bad = |line: &Line| matches!(line.level.as_str(), "WARN" | "ERROR");
        all.extend(
            found
                .lines
                .into_iter()
                .filter(|line| !only_bad || is_bad(line)),
        );
        let surplus = all.len().saturating_sub(LINES);
        all.drain(..surplus);
        if is_over {
            break;
        }
    }
    Ok(all)
}

fn line(desk: &Desk<'_>, line: &Line) -> Markup {
    let time = shown_time(line.time);
    let clock = time.get(11..).unwrap_or(&time);
    // A `traceparent`: version, trace, span, flags.
    let trace = line.trace.split('-').nth(1).filter(|id| id.len() == 32);
    html! {
        li {
            time datetime=(time) title=(time) { (clock) }
            span { (text::name(&line.app)) }
            span class=(text::shown(&line.level, 10)) { (text::name(&line.level)) }
            span.message {
                (text::line(&line.message)) " "
                @if let Some(trace) = trace { a href=(desk.link("trace").with("id", trace)) { "trace" } }
            }
        }
    }
}
