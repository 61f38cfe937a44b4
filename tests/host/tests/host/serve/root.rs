//! A directory of tenants, and the command that serves it.

use crate::crash::{command, spawn};
use anyhow::{Context, Result};
use host_tests::{Answer, client, guest, request};
use http::Method;
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output},
    time::Duration,
};
use tempfile::TempDir;

/// A manifest of one app that answers with its visitors.
pub const HELLO: &str = "\
version: 1
apps:
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

/// Components that forget everything.
pub const MEMORY: &str = host_tests::MEMORY;

/// The processes in which tenants run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The host's own.
    Shared,
    /// One for each.
    Process,
}

/// The operator's word for tenants with processes of their own.
const PROCESS: &str = "\
apiVersion: wythe/v1
kind: Tenant
spec: { isolation: process }
";

/// A directory of tenants.
pub struct Root {
    directory: TempDir,
    mode: Mode,
}

/// A host that serves it, killed when it is dropped.
pub struct Served {
    child: Child,
    pub url: String,
    /// The address of HTTPS, where there is any.
    pub tls: Option<String>,
    /// The URL of the dashboard, where there is one.
    pub dashboard: Option<String>,
    metrics: String,
    root: std::path::PathBuf,
}

impl Root {
    pub fn new() -> Self {
        Self::of(Mode::Shared)
    }

    /// A directory whose tenants all run in such processes.
    pub fn of(mode: Mode) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // Other users are let in, whose processes tenants are where root runs the tests.
        let open = fs::Permissions::from_mode(0o755);
        fs::set_permissions(directory.path(), open).expect("a mode");
        let root = Root { directory, mode };
        root.operator("");
        root
    }

    /// Writes what the operator says, with the word on processes at its end.
    pub fn operator(&self, text: &str) {
        match (self.mode, text) {
            (Mode::Shared, "") => {}
            (Mode::Shared, text) => self.write("wythe-host.yaml", text),
            (Mode::Process, "") => self.write("wythe-host.yaml", PROCESS),
            (Mode::Process, text) => self.write("wythe-host.yaml", format!("{text}---\n{PROCESS}")),
        }
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file as editors do: under another name first.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory");
        let half = path.with_extension("half-written");
        fs::write(&half, content).expect("a file");
        fs::rename(half, path).expect("a name");
    }

    /// Puts a sample guest into a tenant's directory.
    pub fn guest(&self, path: &str, name: &str) {
        self.write(path, fs::read(guest(name)).expect("a guest"));
    }

    /// A tenant with the app `hello`, which keeps its visitors in memory.
    pub fn hello(&self, tenant: &str) {
        self.guest(&format!("{tenant}/hello.wasm"), "hello");
        self.write(&format!("{tenant}/resources/memory.yaml"), MEMORY);
        self.write(&format!("{tenant}/wythe.yaml"), HELLO);
    }

    pub fn serve(&self, more: &[&str]) -> Result<Served> {
        self.serve_by(command(), more)
    }

    /// Serves by a command that has an environment of its own.
    pub fn serve_by(&self, mut command: Command, more: &[&str]) -> Result<Served> {
        let addresses = ["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"];
        command
            .args(["serve", "-o", "json", "--root"])
            .arg(self.path())
            .args(addresses)
            .args(more);
        let (child, ready) = spawn(command)?;
        let text = |name: &str| {
            let text = ready[name].as_str().map(str::to_owned);
            text.with_context(|| format!("no {name} in {ready}"))
        };
        Ok(Served {
            child,
            url: text("url")?.trim_end_matches('/').to_owned(),
            tls: ready["tls"].as_str().map(str::to_owned),
            dashboard: ready["dashboard"].as_str().map(str::to_owned),
            metrics: text("metrics")?,
            root: self.path().to_owned(),
        })
    }
}

impl Served {
    pub async fn get(&self, host: &str, path: &str) -> Result<Answer> {
        let url = format!("{}{path}", self.url);
        request(&client(), Method::GET, &url, &[("host", host)], "").await
    }

    /// The text of an answer whose status is 200, else the status.
    pub async fn said(&self, host: &str, path: &str) -> Result<String> {
        let answer = self.get(host, path).await?;
        Ok(match answer.status {
            200 => answer.text(),
            status => status.to_string(),
        })
    }

    /// Asks until the answer begins as expected: for what a change does a moment later.
    pub async fn until(&self, host: &str, path: &str, expected: &str) -> Result<()> {
        let mut last = String::new();
        for _ in 0..600 {
            last = self.said(host, path).await?;
            if last.starts_with(expected) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("{host}{path} never said `{expected}`, but `{last}`")
    }

    /// Runs another command about this host.
    pub fn command(&self, words: &str) -> Result<Output> {
        let words = words.split(' ');
        let output = command().args(words).arg("-p").arg(&self.root).output();
        Ok(output?)
    }

    /// The JSON that a command prints.
    pub fn json(&self, words: &str) -> Result<Value> {
        let output = self.command(&format!("-o json {words}"))?;
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).context(reported)
    }

    /// The problems of status, as lines; `about: position: message` without the root's own path.
    pub fn problems(&self) -> Result<Vec<String>> {
        let status = self.json("status")?;
        let root = format!("{}/", self.root.display());
        let problems = status["problems"].as_array().context("no problems")?.iter();
        let text = |value: &Value| value.as_str().unwrap_or_default().replace(&root, "");
        let line = |one: &Value| {
            let (about, position) = (text(&one["about"]), text(&one["position"]));
            format!("{about}: {position}: {}", text(&one["message"]))
        };
        Ok(problems.map(line).collect())
    }

    /// Waits until status tells as many problems as it is to, and returns them.
    pub async fn problems_until(&self, count: usize) -> Result<Vec<String>> {
        let mut last = Vec::new();
        for _ in 0..300 {
            last = self.problems()?;
            if last.len() == count {
                return Ok(last);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("status never told {count} problems, but {last:?}")
    }

    pub async fn ready(&self) -> Result<Answer> {
        let url = format!("http://{}/readyz?verbose", self.metrics);
        request(&client(), Method::GET, &url, &[], "").await
    }

    /// The number of its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process has ended; its exit code.
    pub fn ended(mut self) -> Result<Option<i32>> {
        Ok(self.child.wait()?.code())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
