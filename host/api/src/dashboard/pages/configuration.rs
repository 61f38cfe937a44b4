//! The items of a component of configuration, as an app sees them.

use super::{
    super::{
        desk::{Desk, PAGE, choice, empty, failure, misfit, table},
        text,
    },
    apps_of, of_block,
};
use crate::admin::{
    Answer, Command, OPERATOR,
    configuration::{self, Action, Configuration, Item},
};
use maud::{Markup, html};
use wythe_blocks::Result;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let status = desk.status().await?;
    let components = of_block(&status, "configuration");
    let Some(first) = components.first() else {
        let next = html! { "Add a component of " code { "type: configuration.NAME" } " to the resources of the project." };
        return Ok(empty(
            "This tenant has no component for configuration.",
            &next,
        ));
    };
    let chosen = desk.query.get("component").unwrap_or(first);
    let apps = apps_of(&status);
    let items = items(desk, chosen, &apps).await;
    let app = items.as_ref().map_or(desk.app(), |(app, _)| app.as_str());
    let apps = std::iter::once(OPERATOR).chain(apps);
    Ok(html! {
        div.panel {
            form.fields method="get" {
                (choice("Component", "component", Some(chosen), components.iter().copied()))
                (choice("As the app", "app", Some(app), apps))
                button { "Show" }
            }
        }
        div #items data-live="5" {
            @match &items {
                Ok((_, items)) => (shown(desk, items)),
                Err(error) => (failure(error)),
            }
        }
    })
}

/// The items, and the app that may see them.
async fn items(desk: &Desk<'_>, component: &str, apps: &[&str]) -> Result<(String, Vec<Item>)> {
    let command = |app| {
        Command::Configuration(Configuration {
            component: component.to_owned(),
            app,
            action: Action::Get {
                keys: Vec::new(),
                version: None,
            },
        })
    };
    match desk.ask_as(apps, command).await? {
        (app, Answer::Configuration(configuration::Answer::Snapshot { items, .. })) => {
            Ok((app, items))
        }
        (app, Answer::Configuration(configuration::Answer::Unchanged)) => Ok((app, Vec::new())),
        _ => Err(misfit()),
    }
}

fn shown(desk: &Desk<'_>, items: &[Item]) -> Markup {
    if items.is_empty() {
        return empty(
            "It has no item.",
            &html! { "Set one by " code { "wythe configuration set COMPONENT KEY VALUE" } "." },
        );
    }
    let skip = desk.query.number::<usize>("skip");
    let page = PAGE as usize;
    let row = |one: &Item| {
        html! {
            th scope="row" { (text::name(&one.key)) }
            td { (text::value(one.value.as_bytes())) }
            td.mono { (text::name(&one.version)) }
            td { @for (name, value) in one.metadata.iter().take(20) { div { (text::name(name)) " = " (text::name(value)) } } }
        }
    };
    html! {
        (table("Items", &["Key", "Value", "Version", "Metadata"], items.iter().skip(skip).take(page).map(row)))
        @if skip.saturating_add(page) < items.len() {
            (desk.more("configuration", "skip", &skip.saturating_add(page).to_string(), "Next items"))
        }
    }
}
