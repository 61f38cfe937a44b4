//! `wythe invoke`: calls an app by its id and prints the answer.

use crate::{
    args::{self, Common, Format},
    project::{self, Needs, Opened},
    report::{self, Outcome, Problem},
};
use anyhow::Context;
use serde_json::json;
use std::{path::Path, process::ExitCode};
use wythe_api::admin::{
    Answer, Binary, Command,
    invocation::{Action, Invoke},
};

pub async fn invoke(common: &Common, args: &args::Invoke) -> Outcome {
    let opened = Opened::new(common, &args.project)?;
    let body = body(args)?;
    let default = if body.is_some() { "POST" } else { "GET" };
    let command = Command::Invocation(Action::Invoke(Invoke {
        app: args.app.clone(),
        method: args.method.clone().unwrap_or_else(|| default.to_owned()),
        path: args.path.clone(),
        headers: args
            .header
            .iter()
            .map(|text| header(text))
            .collect::<Outcome<_>>()?,
        body: Binary(body.unwrap_or_default()),
    }));
    let Answer::Response {
        status,
        headers,
        body,
    } = opened.ask(Needs::Apps, command).await?
    else {
        return Err(project::misfit());
    };
    match common.output {
        Format::Json => report::print_json(&json!({
            "status": status, "headers": headers, "body": project::shown(&body.0)
        })),
        Format::Text => report::print(&body.0),
    }
    if status < 400 {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Problem {
        kind: "status".into(),
        ..Problem::new(format!("app `{}` answered with status {status}", args.app))
    }
    .into())
}

fn body(args: &args::Invoke) -> Outcome<Option<Vec<u8>>> {
    if let Some(data) = &args.data {
        return Ok(Some(data.as_bytes().to_vec()));
    }
    match &args.data_file {
        None => Ok(None),
        Some(file) if file == Path::new("-") => Ok(Some(project::argument("-")?)),
        Some(file) => {
            let bytes = std::fs::read(file).with_context(|| format!("{}", file.display()))?;
            Ok(Some(bytes))
        }
    }
}

fn header(text: &str) -> Outcome<(String, String)> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Problem::new(format!("the header `{text}`; expected `name: value`")).into()),
    }
}
