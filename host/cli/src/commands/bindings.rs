//! `wythe bindings`: ask an outside system what an app would ask.

use crate::{
    args::{self, BindingsVerb, Common, Format},
    project::{self, Needs, Opened},
    report::{self, Outcome, Problem},
};
use serde_json::json;
use std::{collections::BTreeMap, process::ExitCode};
use wythe_api::admin::{
    Answer, Binary, Command,
    bindings::{Action, Bindings},
};

pub async fn bindings(common: &Common, args: &args::Bindings) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let (component, action) = action(&args.verb)?;
    let command = Command::Bindings(Bindings {
        component,
        app: args.app.clone(),
        action,
    });
    let json = common.output == Format::Json;
    match opened.ask(Needs::Components, command).await? {
        Answer::Outcome { data, metadata } if json => {
            let metadata: BTreeMap<_, _> = metadata.into_iter().collect();
            let data = project::shown(&data.0);
            report::print_json(&json!({ "data": data, "metadata": metadata }));
        }
        Answer::Outcome { data, .. } => report::print(data.0),
        Answer::Names { names } if json => report::print_json(&json!({ "operations": names })),
        Answer::Names { names } => names
            .iter()
            .for_each(|name| report::print_text(format!("{name}\n"))),
        _ => return Err(project::misfit()),
    }
    Ok(ExitCode::SUCCESS)
}

fn action(verb: &BindingsVerb) -> Outcome<(String, Action)> {
    Ok(match verb.clone() {
        BindingsVerb::Invoke {
            component,
            operation,
            data,
            metadata,
        } => {
            let action = Action::Invoke {
                operation,
                data: Binary(project::argument(&data)?),
                metadata: metadata
                    .iter()
                    .map(|pair| parse(pair))
                    .collect::<Outcome<_>>()?,
            };
            (component, action)
        }
        BindingsVerb::Operations { component } => (component, Action::Operations),
    })
}

fn parse(pair: &str) -> Outcome<(String, String)> {
    match pair.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Problem::new(format!("`--metadata {pair}`; expected NAME=VALUE")).into()),
    }
}
