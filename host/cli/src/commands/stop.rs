//! `wythe stop`: the end of a host that runs, once what was begun is done.

use crate::{
    args::{self, Common, Format},
    project,
    report::{self, Outcome},
};
use serde_json::json;
use std::process::ExitCode;
use wythe_api::admin::host::{Action, Answer};

pub async fn stop(common: &Common, args: &args::Stop) -> Outcome {
    let Answer::Stopping = project::ask_host(&args.project, Action::Stop {}).await? else {
        return Err(project::misfit());
    };
    match common.output {
        Format::Json => report::print_json(&json!({ "stopping": true })),
        Format::Text => report::print_text("the host stops when what was begun is done\n"),
    }
    Ok(ExitCode::SUCCESS)
}
