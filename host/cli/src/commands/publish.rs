//! `wythe publish`: one event to a topic.

use crate::{
    args::{self, Common, Format},
    project::{self, Needs, Opened},
    report::{self, Outcome},
};
use std::process::ExitCode;
use wythe_api::admin::{
    Answer, Binary, Command,
    pubsub::{Action, PubSub, Publish},
};

pub async fn publish(common: &Common, args: &args::Publish) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let event = Publish {
        topic: args.topic.clone(),
        kind: args.kind.clone(),
        id: args.id.clone(),
        content_type: args.content_type.clone(),
        data: Binary(project::argument(&args.data)?),
    };
    let command = Command::PubSub(PubSub {
        component: args.component.clone(),
        app: args.app.clone(),
        action: Action::Publish(event),
    });
    let Answer::Published { id } = opened.ask(Needs::Components, command).await? else {
        return Err(project::misfit());
    };
    match common.output {
        Format::Json => report::print_json(&serde_json::json!({ "id": id })),
        Format::Text => report::print_text(format!("{id}\n")),
    }
    Ok(ExitCode::SUCCESS)
}
