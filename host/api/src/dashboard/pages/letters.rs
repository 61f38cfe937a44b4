//! The messages of one group, or the dead letters of a topic, and the way back for them.

use super::super::{
    desk::{Desk, PAGE, empty, misfit, table},
    text::{self, Size, Time},
};
use crate::admin::{
    Answer, Command,
    pubsub::{self, Action, Letter, PubSub},
};
use maud::{Markup, html};
use wythe_blocks::Result;

pub async fn page(desk: &Desk<'_>) -> Result<Markup> {
    let (component, topic) = (desk.query.text("component"), desk.query.text("topic"));
    let group = desk.query.get("group");
    let command = PubSub {
        component: component.clone(),
        app: desk.app().to_owned(),
        action: Action::Letters {
            topic: topic.clone(),
            group: group.map(str::to_owned),
            after: desk.query.number("after"),
            limit: PAGE,
        },
    };
    let Answer::PubSub(pubsub::Answer::Letters(letters)) =
        desk.ask(Command::PubSub(command)).await?
    else {
        return Err(misfit());
    };
    let fields = [
        ("component", component.as_str()),
        ("topic", topic.as_str()),
        ("group", group.unwrap_or_default()),
        ("app", desk.app()),
    ];
    Ok(html! {
        p {
            "Topic " (text::name(&topic)) " of " (text::name(&component))
            @if let Some(group) = group { ", group " (text::name(group)) }
            ". " a href=(desk.link("events")) { "All events" }
        }
        @if letters.is_empty() {
            (empty("There is none.", &html! { "A letter is an event that an app refused or failed at too often." }))
        } @else {
            div.buttons { (desk.button("redrive", "Send 100 letters back to where they came from", &fields)) }
            (table("Letters", &["Number", "Since", "Type", "Source", "From topic", "#Attempts", "#Bytes", "Reason"], letters.iter().map(row)))
            @if let Some(last) = letters.last().filter(|_| letters.len() == PAGE as usize) {
                (desk.more("letters", "after", &last.number.to_string(), "Next letters"))
            }
        }
    })
}

fn row(one: &Letter) -> Markup {
    html! {
        th scope="row" { (one.number) }
        td { (Time(one.since)) }
        td { (text::name(&one.kind)) }
        td { (text::name(&one.source)) }
        td { (text::name(one.topic.as_deref().unwrap_or_default())) }
        td.number { @if let Some(attempts) = one.attempts { (attempts) } }
        td.number { (Size(one.bytes)) }
        td { (text::line(one.reason.as_deref().unwrap_or_default())) }
    }
}
