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
use std::{
    io::{self, Read as _},
    process::ExitCode,
    sync::Arc,
    thread,
    time::Duration,
};
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
        end_with_the_host(stop.clone()).map_err(anyhow::Error::new)?;
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

/// The host has the other end of the standard input, which ends when the host does, however that is. The thread is not the
/// runtime's, which would wait for its read.
fn end_with_the_host(stop: CancellationToken) -> io::Result<()> {
    let watch = move || {
        let _ = io::stdin().lock().read_exact(&mut [0]);
        stop.cancel();
    };
    let thread = thread::Builder::new().name("host-watch".into());
    thread.spawn(watch).map(drop)
}
