//! `wythe secrets`: which secrets a store has.

use crate::{
    args::{self, Common, Format, SecretsVerb},
    project::{self, Needs, Opened},
    report::{self, Outcome},
};
use serde_json::json;
use std::process::ExitCode;
use wythe_api::admin::{
    Answer, Command,
    secrets::{Action, Secrets},
};

pub async fn secrets(common: &Common, args: &args::Secrets) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let SecretsVerb::List { store } = args.verb.clone();
    let app = args.app.clone();
    let command = Command::Secrets(Secrets {
        store,
        app,
        action: Action::List,
    });
    match opened.ask(Needs::Components, command).await? {
        Answer::Names { names } if common.output == Format::Json => {
            report::print_json(&json!({ "names": names }));
        }
        Answer::Names { names } => names
            .iter()
            .for_each(|name| report::print_text(format!("{name}\n"))),
        _ => return Err(project::misfit()),
    }
    Ok(ExitCode::SUCCESS)
}
