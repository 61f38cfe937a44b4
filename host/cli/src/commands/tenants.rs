//! `wythe tenants`: the tenants of a host, and the end of the data of one that is gone.

use crate::{
    args::{self, Common, Format, TenantsVerb},
    project,
    report::{self, Outcome},
};
use serde_json::json;
use std::process::ExitCode;
use wythe_api::admin::host::{Action, Answer, Tenant};
use wythe_blocks::text::size;

pub async fn tenants(common: &Common, args: &args::Tenants) -> Outcome {
    let action = match &args.verb {
        None => Action::Tenants {},
        Some(TenantsVerb::Purge { name }) => Action::Purge {
            tenant: name.clone(),
        },
    };
    match project::ask_host(&args.project, action).await? {
        Answer::Tenants(tenants) => match common.output {
            Format::Json => report::print_json(&tenants),
            Format::Text => report::print_text(text(&tenants)),
        },
        Answer::Purged => match common.output {
            Format::Json => report::print_json(&json!({ "purged": true })),
            Format::Text => report::print_text("nothing of it is kept any more\n"),
        },
        _ => return Err(project::misfit()),
    }
    Ok(ExitCode::SUCCESS)
}

fn text(tenants: &[Tenant]) -> String {
    let head = ["TENANT", "STATE", "REACHED BY", "APPS", "COMPONENTS", "LOG"];
    let row = |one: &Tenant| {
        let state = match (one.served, one.problems) {
            (true, 0) if one.process => "ok, in a process of its own".to_owned(),
            (true, 0) => "ok".to_owned(),
            (true, count) => format!("changed wrongly: {count} problems"),
            (false, 0) if one.process => "its process does not answer".to_owned(),
            (false, 0) => "gone, its data is kept".to_owned(),
            (false, count) => format!("not served: {count} problems"),
        };
        let sizes = [one.log, one.log_limit].map(|bytes| size(bytes as u64));
        [
            one.tenant.clone(),
            state,
            one.reached.join(", "),
            one.apps.to_string(),
            one.components.to_string(),
            format!("{} of {}", sizes[0], sizes[1]),
        ]
    };
    report::table(head, tenants.iter().map(row))
}
