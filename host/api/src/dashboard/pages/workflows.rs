//! The instances of workflows.

use super::super::{
    desk::{Desk, PAGE, choice, empty, field, misfit, state, table},
    text::{self, Time},
};
use crate::admin::{
    Answer, Command,
    workflow::{self, Action, Instance, List},
};
use maud::{Markup, html};
use wythe_blocks::{Kind, Result, workflow::Status};

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let wanted = desk.query.get("status").unwrap_or("all");
    let list = List {
        name: desk.query.get("name").map(str::to_owned),
        status: Status::ALL
            .into_iter()
            .find(|status| status.as_str() == wanted),
        limit: PAGE,
        cursor: desk.query.get("cursor").map(str::to_owned),
    };
    let asked = desk.ask(Command::Workflow(Action::List(list))).await;
    let (instances, next) = match asked {
        Ok(Answer::Workflow(workflow::Answer::Page { instances, next })) => (instances, next),
        Ok(_) => return Err(misfit()),
        // A tenant without a component that keeps workflows has none.
        Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Unsupported) => {
            (Vec::new(), None)
        }
        Err(error) => return Err(error),
    };
    Ok(html! {
        (filter(desk, wanted))
        div #workflows data-live="3" {
            @if instances.is_empty() {
                (empty("No instance of a workflow.", &html! { "Start one by " code { "wythe workflow start NAME" } ", or from an app that is granted " code { "workflow" } "." }))
            } @else {
                (table("Instances of workflows", &["Instance", "Workflow", "App", "State", "Begun", "Changed", "#Entries"], instances.iter().map(|one| row(desk, one))))
            }
            @if let Some(next) = next { (desk.more("workflows", "cursor", &next, "Next instances")) }
        }
    })
}

fn filter(desk: &Desk<'_>, wanted: &str) -> Markup {
    let all = Status::ALL.into_iter().map(Status::as_str);
    html! {
        div.panel {
            form.fields method="get" {
                (field("Workflow", "name", desk.query.get("name").unwrap_or_default(), "all"))
                (choice("State", "status", Some(wanted), std::iter::once("all").chain(all)))
                button { "Show" }
            }
        }
    }
}

fn row(desk: &Desk<'_>, one: &Instance) -> Markup {
    html! {
        th scope="row" { a href=(desk.link("workflow").with("id", &one.id)) { (text::name(&one.id)) } }
        td { (text::name(&one.name)) }
        td { a href=(desk.link("app").with("id", &one.app)) { (text::name(&one.app)) } }
        td { (status(one.status)) }
        td { (Time(one.created)) }
        td { (Time(one.updated)) }
        td.number { (one.entries) }
    }
}

/// A state in a word.
pub fn status(status: Status) -> Markup {
    match status {
        Status::Completed => state(true, status.as_str()),
        Status::Failed | Status::Stalled | Status::Terminated => state(false, status.as_str()),
        Status::Pending | Status::Running | Status::Suspended => {
            html! { span.state { (status.as_str()) } }
        }
    }
}
