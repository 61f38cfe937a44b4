//! The request log: a line for each request from outside, whatever becomes of it, and none where nobody asked for it.

use crate::{case, crash::command};
use anyhow::{Context, Result, ensure};
use host_tests::{Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use serde_json::Value;
use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const APPS: &str = "  - appID: plain
    guest: plain.wasm
    ingress: /plain
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [hostile], http: [] }
    limits: { wallTime: 20s }
";

const ACCESS: [&str; 3] = ["--log-format", "json", "--access-log"];

pub fn trials() -> Vec<Trial> {
    vec![
        case("requests::each_has_a_line_once_its_answer_is_over", lines),
        case("requests::an_answer_of_known_length_is_whole", known),
        case("requests::each_call_has_a_line_by_v", verbose),
        case("requests::a_filter_that_is_none_is_refused", filter),
    ]
}

/// The command with its log in a file, killed when it is dropped.
pub struct Logged {
    child: Child,
    /// The address, without a slash at its end.
    pub url: String,
}

impl Drop for Logged {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn run(project: &Project, log: &Path, more: &[&str]) -> Result<Logged> {
    let mut command = command();
    command
        .args(["run", "--listen", "127.0.0.1:0", "-o", "json"])
        .args(more)
        .arg(project.path())
        .stdout(Stdio::piped())
        .stderr(File::create(log)?);
    let mut child = command.spawn()?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
    let ready: Value = serde_json::from_str(&line)?;
    let url = ready["url"].as_str();
    let url = url
        .with_context(|| format!("no url in {ready}"))?
        .trim_end_matches('/')
        .to_owned();
    Ok(Logged { child, url })
}

fn requests(log: &Path) -> Result<Vec<Value>> {
    let text = fs::read_to_string(log)?;
    let lines = text.lines().filter(|line| line.contains("wythe::access"));
    lines.map(|line| Ok(serde_json::from_str(line)?)).collect()
}

async fn until(log: &Path, count: usize) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for _ in 0..300 {
        found = requests(log)?;
        if found.len() >= count {
            return Ok(found);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("{count} lines never came, but {found:?}")
}

async fn lines() -> Result<()> {
    let project = Project::new(APPS);
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("log");
    let logged = run(&project, &log, &ACCESS)?;
    let url = &logged.url;
    let answer = request(
        &client(),
        Method::GET,
        &format!("{url}/big-response?mib=1&password=x"),
        &[],
        "",
    )
    .await?;
    ensure!(answer.status == 200, "{}", answer.status);
    let found = until(&log, 1).await?;
    let line = &found[0];
    let text = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
    ensure!(text("method") == "GET", "{line}");
    // The query may have what nobody else is to know.
    ensure!(text("path") == "/big-response", "{line}");
    ensure!(line["status"] == 200 && line["bytes"] == 1 << 20, "{line}");
    ensure!(text("ended") == "whole", "{line}");
    ensure!(
        text("app") == "hostile" && text("client") == "127.0.0.1",
        "{line}"
    );
    ensure!(text("trace").starts_with("00-"), "{line}");
    broken_off(url).await?;
    let found = until(&log, 3).await?;
    let cut = found.iter().find(|line| line["ended"] == "cut");
    let cut = cut.context("no line of the answer that was cut")?;
    ensure!(
        cut["path"] == "/big-response" && cut["status"] == 200,
        "{cut}"
    );
    let left = found.iter().find(|line| line["ended"] == "left");
    let left = left.context("no line of the client that left")?;
    ensure!(
        left["path"] == "/sleep" && left["status"] == Value::Null,
        "{left}"
    );
    Ok(())
}

/// Answers whose end nobody asks for.
async fn known() -> Result<()> {
    let project = Project::new(APPS);
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("log");
    let logged = run(&project, &log, &ACCESS)?;
    for (number, method) in [Method::GET, Method::HEAD].into_iter().enumerate() {
        let url = format!("{}/plain", logged.url);
        let answer = request(&client(), method, &url, &[], "").await?;
        ensure!(answer.status == 200, "{}", answer.status);
        let found = until(&log, number + 1).await?;
        let line = &found[number];
        ensure!(line["ended"] == "whole", "{line}");
        ensure!(line["bytes"] == answer.text().len(), "{line}");
    }
    Ok(())
}

async fn verbose() -> Result<()> {
    let project = Project::new(APPS);
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("log");
    let logged = run(&project, &log, &["-v"])?;
    let url = format!("{}/plain", logged.url);
    let answer = request(&client(), Method::GET, &url, &[], "").await?;
    ensure!(answer.status == 200, "{}", answer.status);
    let mut text = String::new();
    for _ in 0..300 {
        text = fs::read_to_string(&log)?;
        let line = text.lines().find(|line| line.contains("kind=\"http\""));
        if let Some(line) = line {
            let has = |part: &str| line.contains(part);
            ensure!(has("Z DEBUG app kind=\"http\" tenant=default"), "{line}");
            ensure!(has("app=plain trace=00-") && has("time.busy="), "{line}");
            ensure!(!has("\\u{") && !has("\u{1b}"), "{line}");
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    anyhow::bail!("no line of the call in {text}")
}

/// A client that leaves in the middle of its answer, and one that leaves before there is any.
async fn broken_off(url: &str) -> Result<()> {
    let address = url.trim_start_matches("http://");
    for (path, is_read) in [("/big-response?mib=64", true), ("/sleep?ms=15000", false)] {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        let asked = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(asked.as_bytes()).await?;
        match is_read {
            true => drop(stream.read(&mut [0; 64]).await?),
            false => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    }
    Ok(())
}

async fn filter() -> Result<()> {
    let project = Project::new(APPS);
    let mut command = command();
    command.env("WYTHE_LOG", "verbose");
    let output = command.arg("validate").arg(project.path()).output()?;
    let reported = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(1), "{reported}");
    let expected =
        "WYTHE_LOG: `verbose`: expected a level (off, error, warn, info, debug or trace)";
    ensure!(reported.contains(expected), "{reported}");
    Ok(())
}
