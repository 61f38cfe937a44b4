//! `wythe dashboard`: pages about a host that runs, served by this process, which asks the host by its control socket.

use crate::{
    args::{Common, Dashboard, Format},
    control,
    dashboard::{Hosts, Socket, Token},
    port,
    project::{self, data_of},
    report::{self, Outcome},
    signals,
};
use serde_json::json;
use std::{process::ExitCode, sync::Arc, time::Duration};
use tokio::io::AsyncReadExt as _;
use tokio_util::sync::CancellationToken;
use wythe_api::{
    admin::{Command, host::Action},
    dashboard,
};
use wythe_blocks::Tasks;

/// The time for what is under way when it stops.
const CLOSE: Duration = Duration::from_secs(1);

pub async fn dashboard(common: &Common, args: &Dashboard) -> Outcome {
    let stop = signals::interrupted().map_err(anyhow::Error::new)?;
    let data = data_of(&args.project);
    let token = Token::find(args.token_file.as_deref())?;
    let hosts = Hosts::new(args, token.is_given())?;
    let tenants = Command::Host(Action::Tenants {});
    if control::ask(&data, &tenants).await?.is_none() {
        return Err(project::nobody(&data));
    }
    let flag = match args.of_a_host {
        true => "--dashboard",
        false => "--listen",
    };
    let listener = port::bind(args.listen, flag).await?;
    let address = listener.local_addr().map_err(anyhow::Error::new)?;
    let names = hosts.names(address);
    let url = token.url(&names);
    let socket = Arc::new(Socket::new(data));
    let served = dashboard::Dashboard::new(token.as_str(), names, socket)?;
    match (common.output, args.of_a_host) {
        (Format::Json, _) | (_, true) => {
            report::print_json(&json!({ "url": url, "address": address }))
        }
        (Format::Text, _) => report::print_text(text(&url, token.is_given())),
    }
    let tasks = Tasks::default();
    if args.of_a_host {
        end_with_the_host(&tasks, stop.clone());
    }
    served.serve(listener, &tasks, stop).await;
    tasks.stop(CLOSE).await;
    Ok(ExitCode::SUCCESS)
}

fn text(url: &str, is_given: bool) -> String {
    let token = match is_given {
        true => "  It asks for the token that you gave.",
        false => {
            "  The URL has its token: who has it may do what you may. It is good until this ends."
        }
    };
    format!("  Dashboard  {url}\n{token} Ctrl-C stops\n")
}

/// The host has the other end of the standard input, which ends when the host does, however that is.
fn end_with_the_host(tasks: &Tasks, stop: CancellationToken) {
    tasks.spawn(async move {
        let (mut input, mut byte) = (tokio::io::stdin(), [0]);
        tokio::select! {
            () = stop.cancelled() => {}
            _ = input.read(&mut byte) => stop.cancel(),
        }
    });
}
