//! A headless Chromium, where the machine has one, led by its own protocol over two pipes.

use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};
use tempfile::TempDir;

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];
/// A limit against hanging alone.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Chromium {
    process: Child,
    commands: File,
    answers: Receiver<Value>,
    last: u64,
    session: String,
    /// Complaints of the page: of its console, of its script, of what it could not load, and dialogs.
    complaints: Vec<String>,
    is_loaded: bool,
    _profile: TempDir,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<&'static str> {
    let has = |name: &&str| {
        let found = Command::new(name)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        found.is_ok_and(|status| status.success())
    };
    NAMES.into_iter().find(has)
}

/// A pipe with a name, with both ends open, so that it waits for nobody.
fn pipe(directory: &Path, name: &str) -> Result<(PathBuf, File)> {
    let path = directory.join(name);
    ensure!(Command::new("mkfifo").arg(&path).status()?.success());
    let file = OpenOptions::new().read(true).write(true).open(&path)?;
    Ok((path, file))
}

/// The browser, which takes commands from the pipe `TO` and answers into the pipe `FROM`.
fn command(profile: &Path) -> Result<Command> {
    const FLAGS: [&str; 8] = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--remote-debugging-pipe",
    ];
    let mut command = Command::new("sh");
    command
        .args(["-c", "exec \"$0\" \"$@\" 3<\"$TO\" 4>\"$FROM\""])
        .arg(program().context("no chromium")?)
        .args(FLAGS)
        .arg(format!(
            "--user-data-dir={}",
            profile.join("profile").display()
        ))
        .arg("about:blank")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(command)
}

impl Chromium {
    /// The reason why there is none, where there is none.
    pub fn missing() -> Option<&'static str> {
        program()
            .is_none()
            .then_some("this machine has no chromium")
    }

    pub fn start() -> Result<Self> {
        let profile = tempfile::tempdir()?;
        let (to, commands) = pipe(profile.path(), "to")?;
        let (from, replies) = pipe(profile.path(), "from")?;
        let mut command = command(profile.path())?;
        command.env("TO", to).env("FROM", from);
        let process = command.spawn()?;
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            let messages = BufReader::new(replies).split(0);
            for message in messages.map_while(Result::ok) {
                let read = serde_json::from_slice(&message);
                if read.is_ok_and(|read: Value| sender.send(read).is_err()) {
                    return;
                }
            }
        });
        let mut chromium = Chromium {
            process,
            commands,
            answers,
            last: 0,
            session: String::new(),
            complaints: Vec::new(),
            is_loaded: false,
            _profile: profile,
        };
        chromium.attach()?;
        Ok(chromium)
    }

    fn attach(&mut self) -> Result<()> {
        let targets = self.ask("Target.getTargets", json!({}))?;
        let all = targets["targetInfos"].as_array().context("no targets")?;
        let page = all
            .iter()
            .find(|one| one["type"] == "page")
            .context("no page")?;
        let attach = json!({ "targetId": page["targetId"], "flatten": true });
        let attached = self.ask("Target.attachToTarget", attach)?;
        self.session = attached["sessionId"]
            .as_str()
            .context("no session")?
            .to_owned();
        for domain in ["Page", "Runtime", "Log", "Network"] {
            self.ask(&format!("{domain}.enable"), json!({}))?;
        }
        Ok(())
    }

    fn ask(&mut self, method: &str, parameters: Value) -> Result<Value> {
        self.last += 1;
        let mut message = json!({ "id": self.last, "method": method, "params": parameters });
        if !self.session.is_empty() {
            message["sessionId"] = json!(self.session);
        }
        self.commands.write_all(format!("{message}\0").as_bytes())?;
        loop {
            let answer = self
                .answers
                .recv_timeout(PATIENCE)
                .with_context(|| format!("no answer to {method}"))?;
            if answer["id"] == self.last {
                ensure!(answer["error"].is_null(), "{method}: {answer}");
                return Ok(answer["result"].clone());
            }
            self.hear(&answer);
        }
    }

    fn hear(&mut self, event: &Value) {
        let of = &event["params"];
        match event["method"].as_str().unwrap_or_default() {
            "Page.loadEventFired" => self.is_loaded = true,
            "Runtime.exceptionThrown" => self.complaints.push(of["exceptionDetails"].to_string()),
            "Runtime.consoleAPICalled" => self.complaints.push(of["args"].to_string()),
            "Log.entryAdded" => self.complaints.push(of["entry"].to_string()),
            "Page.javascriptDialogOpening" => self.complaints.push(format!("a dialog: {of}")),
            _ => {}
        }
    }

    /// Opens a page, and waits until it is there.
    pub fn open(&mut self, url: &str) -> Result<()> {
        self.is_loaded = false;
        self.ask("Page.navigate", json!({ "url": url }))?;
        while !self.is_loaded {
            let event = self
                .answers
                .recv_timeout(PATIENCE)
                .with_context(|| format!("{url} is not there"))?;
            self.hear(&event);
        }
        Ok(())
    }

    /// Sets the size of the window and the colours that the person prefers.
    pub fn prefer(&mut self, width: u32, colours: &str) -> Result<()> {
        let size =
            json!({ "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false });
        self.ask("Emulation.setDeviceMetricsOverride", size)?;
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": colours }] });
        self.ask("Emulation.setEmulatedMedia", media)?;
        Ok(())
    }

    /// The value of an expression in the page.
    pub fn value(&mut self, expression: &str) -> Result<Value> {
        let asked =
            json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.ask("Runtime.evaluate", asked)?;
        ensure!(
            answer["exceptionDetails"].is_null(),
            "{expression}: {answer}"
        );
        Ok(answer["result"]["value"].clone())
    }

    /// Waits until an expression is true.
    pub async fn until(&mut self, expression: &str) -> Result<()> {
        for _ in 0..600 {
            // A page that goes away meanwhile has no value.
            if self.value(expression).is_ok_and(|value| value == true) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let body = self.value("document.body.innerText")?;
        anyhow::bail!("never so: {expression}; the page says {body}")
    }

    /// Takes what the pages complained about so far.
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        // What comes before the answer is heard.
        self.value("1")?;
        Ok(std::mem::take(&mut self.complaints))
    }

    /// Writes a picture of the whole page.
    pub fn picture(&mut self, path: &Path) -> Result<()> {
        let metrics = self.ask("Page.getLayoutMetrics", json!({}))?;
        let size = &metrics["cssContentSize"];
        let height = size["height"].as_f64().unwrap_or(900.0).min(2_400.0);
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": height, "scale": 1 });
        let asked = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let answer = self.ask("Page.captureScreenshot", asked)?;
        let bytes = STANDARD.decode(answer["data"].as_str().context("no picture")?)?;
        Ok(std::fs::write(path, bytes)?)
    }
}
