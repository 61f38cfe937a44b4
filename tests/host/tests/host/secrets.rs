//! Secrets in a whole host: who may use them, who may see them, and that nobody else ever does.

use crate::{case, crash::command};
use anyhow::{Context, Result, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use host_tests::{MEMORY, Project, client, guest, request};
use http::Method;
use libtest_mimic::Trial;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Output, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

const APPS: &str = "\
  - appID: secrets
    guest: secrets.wasm
    ingress: /
    grants: { secrets: [vault, plugged], reveal: [vault/shown, vault/several] }
";

const FILE: &str =
    r#"{ "shown": "see me", "hidden": "do not", "several": { "user": "u", "password": "p" } }"#;

const VAULT: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: vault }
spec:
  type: secretstores.local.file
  metadata:
    - { name: secretsFile, value: ../secrets.json }
    - { name: multiValued, value: true }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("secrets::an_app_uses_and_sees_what_it_is_granted", granted),
        case("secrets::scopes_of_a_configuration_hold", scopes),
        case("secrets::a_reference_is_served_by_a_plugin", references),
        case("secrets::a_file_is_read_again_when_it_changes", rotated),
        case("secrets::bad_input_is_told", bad_input),
        case("secrets::no_secret_ever_gets_out", canary),
    ]
}

fn project(file: &str) -> Project {
    let project = Project::new(APPS)
        .with("memory", MEMORY)
        .with("vault", VAULT);
    project.write("secrets.json", file);
    project
}

async fn granted() -> Result<()> {
    let running = project(FILE).start().await?;
    for (path, status, expected) in [
        ("/names", 200, r#"["hidden","several","shown"]"#),
        ("/exists?name=hidden", 200, "true"),
        ("/exists?name=nothing", 200, "false"),
        ("/reveal?name=shown", 200, "shown see me\n"),
        ("/reveal?name=several", 200, "password p\nuser u\n"),
    ] {
        let answer = running.get(path).await?;
        ensure!(
            (answer.status, answer.text().as_str()) == (status, expected),
            "{path}: {answer:?}"
        );
    }
    for (path, status, message) in [
        (
            "/reveal?name=hidden",
            403,
            "app `secrets` is not granted to see the secret `hidden` of `vault`; add it to `grants: { reveal: [vault/hidden] }` at wythe.yaml:4",
        ),
        (
            "/exists?store=other&name=a",
            403,
            "app `secrets` is not granted the secret `a` of `other`; add it to `grants: { secrets: [other/a] }` at wythe.yaml:4",
        ),
        (
            "/exists?store=plugged&name=a",
            404,
            "no secretstores component `plugged` for app `secrets`",
        ),
    ] {
        let answer = running.get(path).await?;
        ensure!(
            (answer.status, answer.message().as_str()) == (status, message),
            "{path}: {answer:?}"
        );
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn scopes() -> Result<()> {
    let scoped = "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: scoped }
spec:
  secrets:
    scopes:
      - { storeName: vault, defaultAccess: allow, deniedSecrets: [shown] }
";
    let running = project(FILE).with("scoped", scoped).start().await?;
    let names = running.get("/names").await?.text();
    ensure!(names == r#"["hidden","several"]"#, "{names}");
    let answer = running.get("/reveal?name=shown").await?;
    ensure!(answer.status == 403, "{answer:?}");
    ensure!(
        answer.message()
            == "the secret `shown` of `vault` is denied; see `secrets.scopes` of the Configuration at scoped.yaml:7",
        "{answer:?}"
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// A component of another block gets its setting from a store that is a plugin.
async fn references() -> Result<()> {
    let resources = |name: &str| {
        format!(
            "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: plugged }}
spec:
  type: secretstores.wasm
  metadata:
    - {{ name: path, value: {} }}
    - {{ name: backlog, value: \"77\" }}
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: {{ name: events }}
spec:
  type: pubsub.memory
  metadata:
    - {{ name: maxBacklog, secretKeyRef: {{ name: {name} }} }}
auth: {{ secretStore: plugged }}
",
            guest("strongbox").display()
        )
    };
    let running = project(FILE)
        .with("plugged", &resources("backlog"))
        .start()
        .await?;
    ensure!(running.stop().await, "not everything finished");
    let problems = project(FILE)
        .with("plugged", &resources("backlgo"))
        .problems()
        .await;
    ensure!(
        problems.len() == 1
            && problems[0].contains("spec.metadata.maxBacklog.secretKeyRef")
            && problems[0].contains("has no secret `backlgo`")
            && problems[0].contains("did you mean `backlog`?"),
        "{problems:?}"
    );
    Ok(())
}

async fn rotated() -> Result<()> {
    let project = project(r#"{ "shown": "first" }"#);
    let running = project.start().await?;
    ensure!(running.get("/reveal?name=shown").await?.text() == "shown first\n");
    // A broken file changes nothing; the next good one is read.
    project.write("secrets.json", "{ \"shown\": \"secon");
    ensure!(running.get("/reveal?name=shown").await?.text() == "shown first\n");
    project.write("secrets.json", r#"{ "shown": "the third" }"#);
    ensure!(running.get("/reveal?name=shown").await?.text() == "shown the third\n");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn bad_input() -> Result<()> {
    let told = project("{ \"shown\": \"a canary\",, }").problems().await;
    ensure!(
        told.len() == 1 && told[0].contains("secrets.json") && !told[0].contains("a canary"),
        "{told:?}"
    );
    let unknown = "\
apiVersion: dapr.io/v1alpha1
kind: Configuration
metadata: { name: scoped }
spec: { secretz: {} }
";
    let told = project(FILE).with("scoped", unknown).problems().await;
    ensure!(
        told.len() == 1
            && told[0].contains("spec.secretz: unknown key")
            && told[0].contains("`secrets`"),
        "{told:?}"
    );
    let missing = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: events }
spec:
  type: pubsub.memory
  metadata:
    - { name: maxBacklog, secretKeyRef: { name: a } }
auth: { secretStore: vualt }
";
    let told = project(FILE).with("events", missing).problems().await;
    ensure!(
        told.len() == 1
            && told[0].contains("no secret store is called `vualt`")
            && told[0].contains("did you mean `vault`?"),
        "{told:?}"
    );
    Ok(())
}

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
async fn canary() -> Result<()> {
    let canaries = ["file", "environment", "memory", "plugin", "reference"].map(Canary::new);
    let [file, environment, memory, plugin, reference] = &canaries;
    let json = |value: &str| serde_json::Value::from(value).to_string();
    let project = Project::new(
        "\
  - appID: secrets
    guest: secrets.wasm
    ingress: /
    grants: { secrets: ['*'], reveal: [vault/shown] }
",
    )
    .with(
        "memory",
        &MEMORY.replace("type: pubsub.memory", "type: pubsub.redb"),
    );
    project.write(
        "secrets.json",
        format!(
            "{{ \"shown\": {}, \"reference\": {} }}",
            json(&file.value),
            json(&reference.value)
        ),
    );
    project.write(
        "resources/stores.yaml",
        stores(&json(&memory.value), &json(&plugin.value)),
    );
    let mut child = command()
        .args([
            "run",
            "--listen",
            "127.0.0.1:0",
            "--metrics",
            "127.0.0.1:0",
            "-o",
            "json",
            "-vv",
        ])
        .arg(project.path())
        .env("WYTHE_LOG", "trace")
        .env("CANARY_value", &environment.value)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut out = BufReader::new(child.stdout.take().context("no stdout")?);
    let mut errors = child.stderr.take().context("no stderr")?;
    let log = Arc::new(Mutex::new(Vec::new()));
    let kept = log.clone();
    let reader = std::thread::spawn(move || {
        let mut part = [0; 8192];
        while let Ok(count @ 1..) = errors.read(&mut part) {
            kept.lock()
                .expect("one writer")
                .extend_from_slice(&part[..count]);
        }
    });
    let mut ready = String::new();
    out.read_line(&mut ready)?;
    let told = || String::from_utf8_lossy(&log.lock().expect("one writer")).into_owned();
    let ready: serde_json::Value = serde_json::from_str(&ready).with_context(told)?;
    let answers = exercise(&ready, &file.value).await;
    let commands = answers.and_then(|_| commands(&project));
    let stopped = std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status()?;
    ensure!(
        stopped.success() && child.wait()?.success(),
        "the host did not stop well"
    );
    reader.join().expect("the reader ends");
    commands?;
    let log = log.lock().expect("one writer").clone();
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

/// Success and failure of every kind; only the one answer that was granted shows a secret.
async fn exercise(ready: &serde_json::Value, shown: &str) -> Result<()> {
    let base = ready["url"]
        .as_str()
        .context("no url")?
        .trim_end_matches('/')
        .to_owned();
    let metrics = format!(
        "http://{}/metrics",
        ready["metrics"].as_str().context("no metrics")?
    );
    let client = client();
    let mut told = Vec::new();
    for path in [
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
    ] {
        let answer = request(&client, Method::GET, &format!("{base}{path}"), &[], "").await?;
        told.extend_from_slice(&answer.body);
        if path.contains("!trap") {
            // A fresh instance takes a moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let answer = request(&client, Method::GET, &metrics, &[], "").await?;
    ensure!(
        answer.text().contains("block=\"secretstores\""),
        "the metrics know no secret store"
    );
    told.extend_from_slice(&answer.body);
    ensure!(
        !String::from_utf8_lossy(&told).contains("canary"),
        "an answer has a canary"
    );
    let url = format!("{base}/reveal?store=vault&name=shown");
    let answer = request(&client, Method::GET, &url, &[], "").await?;
    ensure!(
        answer.text() == format!("shown {shown}\n"),
        "what is granted is shown"
    );
    Ok(())
}

/// What the command line says of secrets, in each form.
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
