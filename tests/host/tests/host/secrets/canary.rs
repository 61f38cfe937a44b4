//! A canary secret leaves a host in no form but in the one answer that was granted.

use super::VAULT;
use crate::crash::command;
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use host_tests::{MEMORY, Project, client, guest, request};
use http::Method;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Output, Stdio},
    thread::JoinHandle,
    time::Duration,
};

const APPS: &str = "\
  - appID: secrets
    guest: secrets.wasm
    ingress: /
    grants: { secrets: ['*'], reveal: [vault/shown] }
";

const HOST: &str = "run --listen 127.0.0.1:0 --metrics 127.0.0.1:0 -o json -vv";

/// Success and failure of every kind; none of these shows a secret.
const PATHS: [&str; 17] = [
    "/names?store=vault",
    "/names?store=variables",
    "/names?store=inline",
    "/names?store=plugged",
    "/names?store=nowhere",
    "/exists?store=variables&name=value",
    "/exists?store=inline&name=value",
    "/exists?store=plugged&name=value",
    "/exists?store=plugged&name=!trap",
    "/exists?store=plugged&name=!fail",
    "/exists?store=boxed&name=inner",
    "/reveal?store=variables&name=value",
    "/reveal?store=inline&name=value",
    "/reveal?store=plugged&name=value",
    "/reveal?store=boxed&name=inner",
    "/reveal?store=vault&name=reference",
    "/reveal?store=vault&name=nothing",
];

/// A value that is nowhere else, in every form in which it could slip out.
struct Canary {
    value: String,
    forms: Vec<String>,
}

impl Canary {
    fn new(name: &str) -> Self {
        let number = u64::from(std::process::id()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let value = format!("canary \"{name}\" {number:016x}");
        let hex: String = value.bytes().map(|byte| format!("{byte:02x}")).collect();
        let url = value.replace(' ', "%20").replace('"', "%22");
        let json = value.replace('"', "\\\"");
        let base64 = STANDARD.encode(&value).trim_end_matches('=').to_owned();
        let forms = vec![value.clone(), hex.to_uppercase(), hex, url, json, base64];
        Canary { value, forms }
    }

    fn absent(&self, place: &str, text: &[u8]) -> Result<()> {
        let found = |form: &String| {
            text.windows(form.len())
                .any(|window| window == form.as_bytes())
        };
        let form = self.forms.iter().position(found);
        ensure!(form.is_none(), "{place} has a canary, in form {form:?}");
        Ok(())
    }
}

/// A host in a process of its own, with all of its log kept.
struct Watched {
    child: Child,
    ready: serde_json::Value,
    log: JoinHandle<Vec<u8>>,
}

impl Watched {
    fn start(project: &Project, variable: &str) -> Result<Self> {
        let mut child = command()
            .args(HOST.split(' '))
            .arg(project.path())
            .env("WYTHE_LOG", "trace")
            .env("CANARY_value", variable)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut out = BufReader::new(child.stdout.take().context("no stdout")?);
        let mut errors = child.stderr.take().context("no stderr")?;
        let log = std::thread::spawn(move || {
            let mut log = Vec::new();
            // What was read until an error is the log, too.
            let _ = errors.read_to_end(&mut log);
            log
        });
        let mut ready = String::new();
        out.read_line(&mut ready)?;
        let ready = serde_json::from_str(&ready).context("the host did not start")?;
        Ok(Watched { child, ready, log })
    }

    /// All that it logged, once it stopped.
    fn stop(mut self) -> Result<Vec<u8>> {
        let stopped = std::process::Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        ensure!(
            stopped.success() && self.child.wait()?.success(),
            "the host did not stop well"
        );
        Ok(self.log.join().expect("the reader ends"))
    }
}

pub(super) async fn no_secret_gets_out() -> Result<()> {
    let canaries = ["file", "environment", "memory", "plugin", "reference"].map(Canary::new);
    let [file, environment, memory, plugin, reference] = &canaries;
    let json = |value: &str| serde_json::Value::from(value).to_string();
    let durable = MEMORY.replace("type: pubsub.memory", "type: pubsub.redb");
    let project = Project::new(APPS).with("memory", &durable);
    let (shown, hidden) = (json(&file.value), json(&reference.value));
    project.write(
        "secrets.json",
        format!("{{ \"shown\": {shown}, \"reference\": {hidden} }}"),
    );
    project.write(
        "resources/stores.yaml",
        stores(&json(&memory.value), &json(&plugin.value)),
    );
    let host = Watched::start(&project, &environment.value)?;
    let answers = exercise(&host.ready, &file.value).await;
    let commands = answers.and_then(|()| commands(&project));
    let log = host.stop()?;
    commands?;
    ensure!(
        log.len() > 10_000,
        "the log is too short to prove anything: {} bytes",
        log.len()
    );
    for canary in &canaries {
        canary.absent("the log", &log)?;
        absent_in_files(canary, &project.path().join(".wythe"))?;
    }
    Ok(())
}

fn stores(memory: &str, plugin: &str) -> String {
    let inline = serde_json::Value::from(format!("{{ \"value\": {memory} }}"));
    format!(
        "{VAULT}---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: variables }}
spec:
  type: secretstores.local.env
  metadata: [{{ name: prefix, value: CANARY_ }}]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: inline }}
spec:
  type: secretstores.memory
  metadata: [{{ name: secrets, value: {inline} }}]
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: plugged }}
spec:
  type: secretstores.wasm
  metadata:
    - {{ name: path, value: {path} }}
    - {{ name: value, value: {plugin} }}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: boxed }}
spec:
  type: secretstores.wasm
  metadata:
    - {{ name: path, value: {path} }}
    - {{ name: inner, secretKeyRef: {{ name: reference }} }}
auth: {{ secretStore: vault }}
",
        path = guest("strongbox").display()
    )
}

async fn exercise(ready: &serde_json::Value, shown: &str) -> Result<()> {
    let field = |key: &str| ready[key].as_str().with_context(|| format!("no {key}"));
    let base = field("url")?.trim_end_matches('/');
    let metrics = format!("http://{}/metrics", field("metrics")?);
    let client = client();
    let get = async |url: String| request(&client, Method::GET, &url, &[], "").await;
    let mut reported = Vec::new();
    for path in PATHS {
        reported.extend_from_slice(&get(format!("{base}{path}")).await?.body);
        if path.contains("!trap") {
            // A fresh instance takes a moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let answer = get(metrics).await?;
    ensure!(
        answer.text().contains("block=\"secretstores\""),
        "the metrics know no secret store"
    );
    reported.extend_from_slice(&answer.body);
    let reported = String::from_utf8_lossy(&reported);
    ensure!(!reported.contains("canary"), "an answer has a canary");
    let answer = get(format!("{base}/reveal?store=vault&name=shown")).await?;
    ensure!(
        answer.text() == format!("shown {shown}\n"),
        "what is granted is shown"
    );
    Ok(())
}

/// Runs the commands that speak of secrets, in each form.
fn commands(project: &Project) -> Result<()> {
    for line in [
        "secrets list vault",
        "-o json secrets list variables",
        "-vv secrets list plugged",
        "secrets list nowhere",
        "validate",
        "-o json -vv validate",
    ] {
        let mut command = command();
        command.args(line.split(' ')).current_dir(project.path());
        let Output { stdout, stderr, .. } = command.env("WYTHE_LOG", "trace").output()?;
        for text in [stdout, stderr] {
            let text = String::from_utf8_lossy(&text).into_owned();
            ensure!(!text.contains("canary"), "`wythe {line}` said a canary");
        }
    }
    Ok(())
}

fn absent_in_files(canary: &Canary, directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            absent_in_files(canary, &entry.path())?;
        } else if kind.is_file() {
            canary.absent(
                &entry.path().display().to_string(),
                &fs::read(entry.path())?,
            )?;
        }
    }
    Ok(())
}
