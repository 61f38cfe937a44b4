//! Subscriptions, the backlog of every group, and a form that publishes.

use super::{
    super::{
        desk::{Desk, area, choice, empty, failure, field, misfit, table},
        text::{self, Size, Time},
    },
    apps_of, of_block,
};
use crate::admin::{
    Answer, Command, OPERATOR,
    host::{Status, Subscription},
    pubsub::{self, Action, Group, PubSub},
};
use maud::{Markup, html};
use wythe_blocks::Result;

/// The columns of a backlog.
const HEAD: [&str; 8] = [
    "Topic",
    "Group",
    "#Members",
    "#Messages",
    "#Out",
    "#Bytes",
    "Oldest",
    "",
];

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let status = desk.status().await?;
    let components = of_block(&status, "pubsub");
    if components.is_empty() {
        let next = html! { "Add a component of " code { "type: pubsub.NAME" } " to the resources of the project." };
        return Ok(empty("This tenant has no component for events.", &next));
    }
    let apps = apps_of(&status);
    let mut backlogs = Vec::new();
    for component in components.iter().take(20) {
        backlogs.push((*component, groups(desk, component, &apps).await));
    }
    Ok(html! {
        div #events data-live="3" {
            @for (component, groups) in &backlogs {
                h2 { "Backlog of " (text::name(component)) }
                @match groups {
                    Ok((app, groups)) => (backlog(desk, component, app, groups)),
                    Err(error) => (failure(error)),
                }
            }
            h2 { "Subscriptions " span.count { (status.subscriptions.len()) } }
            (subscriptions(desk, &status.subscriptions))
        }
        h2 { "Publish" }
        (publish(desk, &status, &components))
    })
}

/// The groups of a component, and the app that may see them.
async fn groups(desk: &Desk<'_>, component: &str, apps: &[&str]) -> Result<(String, Vec<Group>)> {
    let command = |app| {
        Command::PubSub(PubSub {
            component: component.to_owned(),
            app,
            action: Action::Groups,
        })
    };
    match desk.ask_as(apps, command).await? {
        (app, Answer::PubSub(pubsub::Answer::Groups(groups))) => Ok((app, groups)),
        _ => Err(misfit()),
    }
}

fn backlog(desk: &Desk<'_>, component: &str, app: &str, groups: &[Group]) -> Markup {
    if groups.is_empty() {
        return empty(
            "Nobody reads from it yet.",
            &html! { "A group is there once an app subscribes to a topic." },
        );
    }
    let row = |one: &Group| {
        let letters = desk
            .link("letters")
            .with("component", component)
            .with("topic", &one.topic);
        let letters = letters
            .with_some("group", one.name.as_deref())
            .with("app", app);
        html! {
            th scope="row" { (text::name(&one.topic)) }
            td {
                @match &one.name {
                    Some(name) => (text::name(name)),
                    None => span.quiet { "letters that nobody reads" },
                }
                @if one.ephemeral { " " span.quiet { "(for now)" } }
            }
            td.number { (one.members) }
            td.number { (one.messages) }
            td.number { (one.out) }
            td.number { (Size(one.bytes)) }
            td { @if let Some(oldest) = one.oldest { (Time(oldest)) } @else { span.quiet { "none" } } }
            td { @if one.messages > 0 { a href=(letters) { "Show" } } }
        }
    };
    let caption = format!("Backlog of {}", text::shown(component, 120));
    html! {
        (table(&caption, &HEAD, groups.iter().map(row)))
    }
}

fn subscriptions(desk: &Desk<'_>, all: &[Subscription]) -> Markup {
    if all.is_empty() {
        return empty(
            "No app subscribes to a topic.",
            &html! { "Grant an app " code { "subscribe: [COMPONENT/TOPIC]" } " in " code { "wythe.yaml" } "." },
        );
    }
    let row = |one: &Subscription| {
        html! {
            th scope="row" { (text::name(&one.topic)) }
            td { (text::name(&one.component)) }
            td { a href=(desk.link("app").with("id", &one.app)) { (text::name(&one.app)) } }
        }
    };
    table(
        "Subscriptions",
        &["Topic", "Component", "App"],
        all.iter().map(row),
    )
}

fn publish(desk: &Desk<'_>, status: &Status, components: &[&str]) -> Markup {
    let apps = std::iter::once(OPERATOR).chain(apps_of(status));
    let topics = status.subscriptions.iter().map(|one| one.topic.as_str());
    let topic = topics.min().unwrap_or_default();
    let form = desk.form(
        "publish",
        &html! {
            (choice("Component", "component", desk.query.get("component"), components.iter().copied()))
            (choice("As the app", "app", Some(desk.app()), apps))
            (field("Topic", "topic", topic, "orders"))
            (field("Type", "type", "", "wythe.dashboard"))
            (field("Content type", "content", "", "application/json"))
            (area("Data", "data", "{\"id\": 7}"))
            button { "Publish" }
        },
    );
    html! { div.panel.fields { (form) } }
}
