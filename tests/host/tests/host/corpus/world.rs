//! A directory of tenants behind one host in a process of its own, and a neighbour who is asked the whole time.

use crate::crash::command;
use anyhow::{Context, Result, ensure};
use futures::{StreamExt, stream};
use host_tests::{Answer, MEMORY, client, guest, request};
use http::Method;
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// Rows of a group that run at once.
const AT_ONCE: usize = 4;
/// A guard against hanging alone.
const LONG: Duration = Duration::from_secs(60);
/// The pause of the neighbour, who stays below any rate.
const PAUSE: Duration = Duration::from_millis(10);

const NEIGHBOUR: &str = "\
version: 1
apps:
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

/// The files of a host, before it starts.
pub struct Ground {
    directory: TempDir,
}

impl Ground {
    /// A directory with the neighbour `bank` in it.
    pub fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let ground = Ground { directory };
        ground.guest("bank/hello.wasm", "hello")?;
        ground.write("bank/resources/memory.yaml", MEMORY)?;
        ground.write("bank/wythe.yaml", NEIGHBOUR)?;
        Ok(ground)
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().context("a file has a directory")?)?;
        let half = path.with_extension("half-written");
        fs::write(&half, content)?;
        Ok(fs::rename(half, path)?)
    }

    /// Puts a sample guest there.
    pub fn guest(&self, path: &str, name: &str) -> Result<()> {
        self.write(path, fs::read(guest(name))?)
    }

    fn serve(&self) -> Command {
        let mut command = command();
        command
            .args(["serve", "-o", "json", "--root"])
            .arg(self.path())
            .args(["--listen", "127.0.0.1:0", "--metrics", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The words of a host that refuses to start.
    pub fn refused(&self) -> Result<String> {
        let mut child = self.serve().spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("no stdout")?).read_line(&mut line)?;
        if !line.is_empty() {
            child.kill()?;
        }
        let output = child.wait_with_output()?;
        ensure!(line.is_empty(), "it started");
        ensure!(output.status.code() == Some(1), "{output:?}");
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Starts the host; from now on the neighbour is asked.
    pub fn start(self) -> Result<World> {
        let mut child = self.serve().spawn()?;
        let errors = BufReader::new(child.stderr.take().context("no stderr")?);
        let mut output = BufReader::new(child.stdout.take().context("no stdout")?);
        let panics = Arc::new(Mutex::new(Vec::new()));
        let found = panics.clone();
        std::thread::spawn(move || {
            for line in errors.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                if is_panic(&line) {
                    found.lock().push(line);
                }
            }
        });
        let mut line = String::new();
        output.read_line(&mut line)?;
        let ready: Value = serde_json::from_str(&line).context("it did not start")?;
        let url = ready["url"].as_str().context("no url")?;
        let url = url.trim_end_matches('/').to_owned();
        let is_over = Arc::new(AtomicBool::new(false));
        let probe = tokio::spawn(probe(format!("{url}/bank/"), is_over.clone()));
        Ok(World {
            ground: self,
            child,
            url,
            panics,
            is_over,
            probe: Some(probe),
        })
    }
}

/// Returns whether a line of the log is a panic of the host, or its end. What a guest writes has a time before it.
fn is_panic(line: &str) -> bool {
    let is_own = line.starts_with("thread '") && line.contains("panicked at");
    is_own || line.contains("ended by a panic") || line.contains("fatal runtime error")
}

/// Asks the neighbour until it is over; how often it answered.
async fn probe(url: String, is_over: Arc<AtomicBool>) -> Result<usize> {
    let client = client();
    let mut count = 0;
    while !is_over.load(Ordering::Relaxed) {
        let asked = request(&client, Method::GET, &url, &[], "");
        let answer = tokio::time::timeout(LONG, asked).await?;
        let answer = answer.with_context(|| format!("the neighbour, after {count} answers"))?;
        let is_well = answer.status == 200 && answer.text().starts_with("hello, visitor ");
        ensure!(is_well, "the neighbour, after {count} answers: {answer:?}");
        count += 1;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(count)
}

/// A host that serves the directory.
pub struct World {
    pub ground: Ground,
    pub url: String,
    child: Child,
    panics: Arc<Mutex<Vec<String>>>,
    is_over: Arc<AtomicBool>,
    probe: Option<JoinHandle<Result<usize>>>,
}

impl World {
    pub fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        let url = format!("{}{path}", self.url);
        let client = client();
        let asked = request(&client, Method::GET, &url, &[], "");
        tokio::time::timeout(LONG, asked).await?
    }

    /// The JSON of `wythe status`.
    pub async fn status(&self) -> Result<Value> {
        let mut command = tokio::process::Command::from(command());
        command.args(["-o", "json", "status", "-p"]);
        let output = command.arg(self.ground.path()).output().await?;
        let reported = String::from_utf8_lossy(&output.stderr).into_owned();
        serde_json::from_slice(&output.stdout).context(reported)
    }

    /// The problems of status, each as `about: position: message` without the root's own path.
    pub async fn problems(&self) -> Result<Vec<String>> {
        let status = self.status().await?;
        let root = format!("{}/", self.ground.path().display());
        let text = |value: &Value| value.as_str().unwrap_or_default().replace(&root, "");
        let line = |one: &Value| {
            let (about, position) = (text(&one["about"]), text(&one["position"]));
            format!("{about}: {position}: {}", text(&one["message"]))
        };
        let problems = status["problems"].as_array().context("no problems")?;
        Ok(problems.iter().map(line).collect())
    }

    /// Returns whether an answer is the host's own with a status and a kind, such as `504 timeout`, and names nothing of
    /// the project.
    pub fn is_refusal(&self, answer: &Answer, expected: &str) -> Result<bool> {
        let (status, kind) = expected.split_once(' ').context("a status and a kind")?;
        let body = answer.text();
        let root = self.ground.path().display().to_string();
        let words = [
            root.as_str(),
            ".yaml",
            "limits.",
            ".wasm",
            "panicked",
            "host/",
        ];
        Ok(answer.status.to_string() == status
            && body.contains(&format!("\"error\":\"{kind}\""))
            && !words.iter().any(|word| body.contains(word)))
    }

    /// Runs the rows of a group, a few at once, and tells those that failed by their names.
    pub async fn run<R, F>(&self, rows: impl IntoIterator<Item = (String, R)>, row: F) -> Result<()>
    where
        F: AsyncFn(R) -> Result<()>,
    {
        let row = &row;
        let run =
            |(name, what)| async move { Some(format!("{name}: {:#}", row(what).await.err()?)) };
        let run = stream::iter(rows).map(run).buffer_unordered(AT_ONCE);
        let failed: Vec<_> = run.filter_map(async |failed| failed).collect().await;
        ensure!(
            failed.is_empty(),
            "{} rows:\n{}",
            failed.len(),
            failed.join("\n")
        );
        Ok(())
    }

    /// Adds to what the rows said whether the host lives, told of no panic, and answered for the neighbour each time.
    pub async fn end(self, ran: Result<()>) -> Result<()> {
        match (ran, self.check().await) {
            (Err(rows), Err(host)) => anyhow::bail!("{rows:#}\n{host:#}"),
            (rows, host) => rows.and(host),
        }
    }

    async fn check(mut self) -> Result<()> {
        let status = self.status().await?;
        ensure!(status["pid"] == self.child.id(), "{status}");
        self.is_over.store(true, Ordering::Relaxed);
        let probe = self.probe.take().context("no neighbour")?;
        let count = probe.await??;
        ensure!(count > 0, "the neighbour was never asked");
        ensure!(self.child.try_wait()?.is_none(), "the host has ended");
        let panics = self.panics.lock().join("\n");
        ensure!(panics.is_empty(), "the host panicked: {panics}");
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
