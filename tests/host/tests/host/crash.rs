//! `kill -9` of a whole host under load: what a client heard acknowledged is there afterwards.

use anyhow::{Context, Result, ensure};
use host_tests::{Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};
use tokio::sync::Notify;

/// The drivers have their own 40 kills in the conformance suite; these go through HTTP, a guest and its state.
const CYCLES: usize = 5;

const APPS: &str = "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

pub fn trials() -> Vec<Trial> {
    vec![crate::case(
        "crash::acknowledged_visits_survive_kill_9",
        visits,
    )]
}

/// The command in a process of its own, and where it listens.
pub struct Process {
    pub child: Child,
    pub url: String,
}

pub fn command() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program has a file"));
    command.env("WYTHE_AS_COMMAND", "1").env("NO_COLOR", "1");
    command
}

pub fn run(project: &Project, more: &[&str]) -> Result<Process> {
    run_in(project.path(), more)
}

/// Starts the command, and returns once it is ready to answer.
pub fn run_in(directory: &Path, more: &[&str]) -> Result<Process> {
    start(command(), directory, more)
}

/// Does what [`run_in`] does, by a command that begins in another way.
pub fn start(mut command: Command, directory: &Path, more: &[&str]) -> Result<Process> {
    command
        .args(["run", "--listen", "127.0.0.1:0", "-o", "json"])
        .args(more)
        .arg(directory);
    let (child, ready) = spawn(command)?;
    let url = ready["url"]
        .as_str()
        .with_context(|| format!("no url in {ready}"))?;
    let url = url.trim_end_matches('/').to_owned();
    Ok(Process { child, url })
}

/// Starts a command and waits for the line by which it says that it is ready.
pub fn spawn(mut command: Command) -> Result<(Child, Value)> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
    let mut errors = BufReader::new(child.stderr.take().context("no stderr")?);
    if line.is_empty() {
        let mut reported = String::new();
        errors.read_to_string(&mut reported)?;
        anyhow::bail!("{command:?} did not start: {reported}");
    }
    // Read to the end, so that the host never waits for somebody to read its log.
    std::thread::spawn(move || std::io::copy(&mut errors, &mut std::io::sink()));
    Ok((child, serde_json::from_str(&line)?))
}

async fn visits() -> Result<()> {
    let project = Project::new(APPS);
    let mut acknowledged = 0;
    for cycle in 0..CYCLES {
        let mut process = run(&project, &[])?;
        let url = process.url.clone();
        let answered = Arc::new(Notify::new());
        let visitors: Vec<_> = (0..4)
            .map(|_| tokio::spawn(visit(url.clone(), acknowledged, answered.clone())))
            .collect();
        tokio::time::timeout(Duration::from_secs(60), answered.notified()).await?;
        tokio::time::sleep(Duration::from_millis(150 + 70 * cycle as u64)).await;
        process.child.kill()?;
        process.child.wait()?;
        let mut highest = acknowledged;
        for visitor in visitors {
            highest = highest.max(visitor.await??);
        }
        ensure!(highest > acknowledged, "cycle {cycle} acknowledged nothing");
        acknowledged = highest;
    }
    Ok(())
}

/// Visits until the host is gone; the highest count it heard. A count at or below `floor` was acknowledged before a
/// kill, so hearing it again means that a write was lost.
async fn visit(url: String, floor: u64, answered: Arc<Notify>) -> Result<u64> {
    let client = client();
    let mut highest = floor;
    while let Ok(answer) = request(&client, Method::GET, &url, &[], "").await {
        let text = answer.text();
        let count = text
            .trim()
            .rsplit(' ')
            .next()
            .and_then(|number| number.parse().ok());
        let count: u64 = count.with_context(|| format!("no count in `{text}`"))?;
        ensure!(
            count > floor,
            "visit {count} came again after {floor} was acknowledged"
        );
        highest = highest.max(count);
        answered.notify_one();
    }
    Ok(highest)
}
