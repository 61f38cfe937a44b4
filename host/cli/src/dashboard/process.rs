//! The dashboard that a host starts: this program in a process of its own, so that the host opens no port for commands.

use crate::{
    args::{Common, LogFormat},
    compiler,
    report::{Outcome, Problem},
};
use anyhow::Context;
use serde::Deserialize;
use std::{net::SocketAddr, path::Path, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};
use wythe_blocks::Tasks;

/// Time for the process to say where it is.
const START: Duration = Duration::from_secs(30);
/// Bytes of what it says.
const LINE: u64 = 4 << 10;

#[derive(Deserialize)]
struct Said {
    url: String,
}

/// Starts the dashboard of the host with this data, and answers its URL. It ends with the host.
pub async fn start(
    common: &Common,
    data: &Path,
    listen: SocketAddr,
    tasks: &Tasks,
) -> Outcome<String> {
    let Some((program, variables)) = compiler::again().map_err(anyhow::Error::new)? else {
        return Err(Problem::new("this program starts no dashboard; use `wythe dashboard`").into());
    };
    let mut command = Command::new(program);
    if common.log_format == LogFormat::Json {
        command.args(["--log-format", "json"]);
    }
    command
        .args(["dashboard", "--of-a-host", "--listen", &listen.to_string()])
        .arg("--data-dir")
        .arg(data)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // A Ctrl-C in the terminal is the host's alone.
        .process_group(0)
        .kill_on_drop(true);
    let mut child = command.spawn().context("the dashboard did not start")?;
    let said = said(&mut child)
        .await
        .context("the dashboard did not start; its own words are above")?;
    watch(child, tasks);
    Ok(said.url)
}

async fn said(child: &mut Child) -> anyhow::Result<Said> {
    let output = child.stdout.take().context("it has no output")?;
    let mut line = String::new();
    let mut output = BufReader::new(output.take(LINE));
    let read = tokio::time::timeout(START, output.read_line(&mut line)).await;
    read.context("it does not say where it is")??;
    serde_json::from_str(&line).context("it ended, or does not say where it is")
}

/// Says when it ends before the host. Its input ends with the host, and it with its input.
fn watch(mut child: Child, tasks: &Tasks) {
    // A wait closes the input, unless it is taken away before.
    let (input, stopping) = (child.stdin.take(), tasks.stopping());
    tasks.spawn(async move {
        tokio::select! {
            () = stopping.cancelled() => {}
            ended = child.wait() => {
                let ended = ended.map_or_else(|error| error.to_string(), |status| status.to_string());
                tracing::warn!("the dashboard ended ({ended}); the host goes on, and `wythe dashboard` starts another one");
            }
        }
        drop(input);
    });
}
