//! Outside systems in a whole host: what an app keeps there, asks there, and hears from there.

mod bad_input;
mod outside;
mod webhook;

use crate::{case, crash::command};
use anyhow::{Context, Result, ensure};
use host_tests::{Answer, MEMORY, Project, Running, SmtpServer, guest};
use http::Method;
use libtest_mimic::Trial;
use std::{
    fs,
    time::{Duration, Instant},
};
use wythe_blocks::Call;

const APPS: &str = "\
  - appID: outside
    guest: outside.wasm
    ingress: /
    env: { LISTEN: LISTENS }
    grants: { state: [statestore], bindings: [box, files, mail, service/post], listen: [box, clock, hook, inbox, signed], secrets: [vault/token] }
";

const FILES: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: files }
spec:
  type: bindings.localstorage
  metadata:
    - { name: rootPath, value: ../files }
";

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        case("bindings::an_app_keeps_files", files),
        case("bindings::a_service_gets_a_secret_that_nobody_sees", asked),
        case("bindings::a_file_in_a_directory_is_heard_once", inbox),
        case("bindings::the_clock_is_heard", clock),
        case("bindings::a_plugin_is_called_and_calls", plugin),
        case(
            "bindings::the_command_asks_as_an_app_would",
            asked_by_command,
        ),
    ];
    trials.push(mail());
    trials.extend(bad_input::trials());
    trials.extend(webhook::trials());
    trials
}

/// The sample app, which listens to these.
fn project(listens: &str) -> Project {
    let apps = APPS.replace("LISTENS", &format!("'{listens}'"));
    let mut project = Project::new(&apps)
        .with("memory", MEMORY)
        .with("files", FILES)
        .with(
            "vault",
            &component(
                "vault",
                "secretstores.local.file",
                &[("secretsFile", "../secrets.json")],
            ),
        );
    // The other components that are granted: a test puts what it needs in their place.
    for name in ["box", "clock", "hook", "inbox", "mail", "service", "signed"] {
        project = project.with(name, &component(name, "bindings.memory", &[]));
    }
    project.write("secrets.json", r#"{ "token": "Bearer of a canary" }"#);
    project
}

fn component(name: &str, kind: &str, metadata: &[(&str, &str)]) -> String {
    let mut text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\nspec:\n  type: {kind}\n  metadata:\n"
    );
    for (name, value) in metadata {
        let value = serde_json::Value::from(*value);
        text += &format!("    - {{ name: {name}, value: {value} }}\n");
    }
    text
}

/// Asks for an operation, with the rest of the query as its metadata.
async fn operation(running: &Running, query: &str, data: &str) -> Result<Answer> {
    let path = format!("/operation?{query}");
    running
        .send(Method::POST, &path, &[], data.to_owned())
        .await
}

fn reported(answer: &Answer, status: u16, message: &str) -> Result<()> {
    ensure!(
        (answer.status, answer.message().as_str()) == (status, message),
        "{answer:?}\nexpected {status} {message}"
    );
    Ok(())
}

async fn files() -> Result<()> {
    let project = project("");
    let running = project.start().await?;
    let put = running
        .send(Method::PUT, "/files/plan.txt", &[], "a plan")
        .await?;
    ensure!(put.status == 204, "{put:?}");
    ensure!(running.get("/files/plan.txt").await?.text() == "a plan");
    ensure!(fs::read_to_string(project.path().join("files/plan.txt"))? == "a plan");
    let listed = operation(&running, "component=files&operation=list", "").await?;
    ensure!(listed.text() == r#"["plan.txt"]"#, "{listed:?}");
    let deleted = running
        .send(Method::DELETE, "/files/plan.txt", &[], "")
        .await?;
    ensure!(deleted.status == 204, "{deleted:?}");
    let gone = running.get("/files/plan.txt").await?;
    reported(&gone, 404, "the file `plan.txt` is not there")?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn asked() -> Result<()> {
    let service = outside::Service::start("201 Created", "well received")?;
    let url = format!("{}/api", service.url);
    let running = project("")
        .with(
            "service",
            &component("service", "bindings.http", &[("url", &url)]),
        )
        .start()
        .await?;
    let answer = running
        .send(Method::POST, "/ask?path=/notes%3Fa=b", &[], "hello")
        .await?;
    ensure!(answer.text() == "well received", "{answer:?}");
    let request = service.request()?;
    ensure!(
        request.starts_with("POST /api/notes?a=b HTTP/1.1\r\n"),
        "{request}"
    );
    ensure!(
        request.contains("\r\nauthorization: Bearer of a canary\r\n"),
        "{request}"
    );
    ensure!(request.ends_with("\r\n\r\nhello"), "{request}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// The deliveries that it heard, as one text, once there is some of this.
async fn heard(running: &Running, expected: &str) -> Result<serde_json::Value> {
    let has = |answer: &Answer| answer.text().contains(expected);
    Ok(running.eventually("/heard", has).await?.json())
}

async fn inbox() -> Result<()> {
    let inbox = component(
        "inbox",
        "bindings.directory",
        &[
            ("path", "../inbox"),
            ("pattern", "*.txt"),
            ("done", "move:done"),
        ],
    );
    let project = project("inbox").with("inbox", &inbox);
    project.write("inbox/early.txt", "was there before");
    let running = project.start().await?;
    heard(&running, "was there before").await?;
    project.write("inbox/other.csv", "not meant");
    project.write("inbox/late.txt", "fail");
    // The app refuses that at first, and then takes it.
    let all = heard(&running, "\"attempt\":2").await?;
    ensure!(
        all[1]["component"] == "inbox" && all[1]["text"] == "fail",
        "{all}"
    );
    ensure!(
        all[0]["metadata"][0] == serde_json::json!(["fileName", "early.txt"]),
        "{all}"
    );
    ensure!(running.stop().await, "not everything finished");
    for (file, there) in [
        ("done/early.txt", true),
        ("done/late.txt", true),
        ("other.csv", true),
        ("late.txt", false),
    ] {
        let path = project.path().join("inbox").join(file);
        ensure!(path.exists() == there, "{file}");
    }
    Ok(())
}

async fn clock() -> Result<()> {
    let clock = component("clock", "bindings.cron", &[("schedule", "@every 1s")]);
    let running = project("clock").with("clock", &clock).start().await?;
    let all = heard(&running, "timestamp").await?;
    ensure!(
        all[0]["component"] == "clock" && all[0]["attempt"] == 1,
        "{all}"
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn plugin() -> Result<()> {
    let path = guest("mailbox").display().to_string();
    let mailbox = component("box", "bindings.wasm", &[("path", &path)]);
    let running = project("box").with("box", &mailbox).start().await?;
    for text in ["fail", "good"] {
        let created =
            operation(&running, "component=box&operation=create&colour=blue", text).await?;
        ensure!(created.status == 200, "{created:?}");
    }
    let all = heard(&running, "\"attempt\":2").await?;
    let again = |one: &serde_json::Value| one["text"] == "fail" && one["attempt"] == 2;
    let first = |one: &serde_json::Value| one["text"] == "good" && one["attempt"] == 1;
    let all = all.as_array().context("a list")?;
    ensure!(
        all.len() == 2 && all.iter().any(again) && all.iter().any(first),
        "{all:?}"
    );
    ensure!(
        all[0]["metadata"][0] == serde_json::json!(["colour", "blue"]),
        "{all:?}"
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn asked_by_command() -> Result<()> {
    let project = project("");
    let run = |args: &[&str]| -> Result<(bool, String, String)> {
        let output = command()
            .arg("bindings")
            .args(args)
            .arg("--project")
            .arg(project.path())
            .output()?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok((
            output.status.success(),
            text(&output.stdout),
            text(&output.stderr),
        ))
    };
    let operations = run(&["operations", "files"])?;
    ensure!(
        operations.1 == "create\ndelete\nget\nlist\n",
        "{operations:?}"
    );
    let name = "fileName=from the command";
    let created = run(&[
        "invoke",
        "files",
        "create",
        "a plan",
        "--metadata",
        name,
        "-o",
        "json",
    ])?;
    ensure!(
        created.0 && created.1.contains("\"fileName\":\"from the command\""),
        "{created:?}"
    );
    let got = run(&["invoke", "files", "get", "-m", name])?;
    ensure!(got.1 == "a plan", "{got:?}");
    let unknown = run(&["invoke", "files", "copy"])?;
    let expected = "error: bindings component `files` has no operation `copy`; it has: create, delete, get, list\n";
    ensure!(!unknown.0 && unknown.2 == expected, "{unknown:?}");
    Ok(())
}

fn mail() -> Trial {
    let name = "bindings::a_mail_reaches_a_real_server";
    match SmtpServer::missing() {
        None => case(name, sent),
        Some(reason) => case(&format!("{name} ({reason})"), sent).with_ignored_flag(true),
    }
}

async fn sent() -> Result<()> {
    let server = SmtpServer::start().await?;
    let port = server.port.to_string();
    let mail = component(
        "mail",
        "bindings.smtp",
        &[
            ("host", "127.0.0.1"),
            ("port", &port),
            ("tls", "none"),
            ("emailFrom", "shop@example.com"),
            ("emailBCC", "audit@example.com"),
            ("subject", "Your order"),
        ],
    );
    let running = project("").with("mail", &mail).start().await?;
    let query = "component=mail&operation=create&emailTo=ann@example.com%3BBob+%3Cbob@example.com%3E&priority=1";
    let answer = operation(&running, query, "Thank you.\n.\nLater.").await?;
    ensure!(answer.status == 200, "{answer:?}");
    let mails = server.mails(1).await?;
    for part in [
        "From: shop@example.com\n",
        "To: ann@example.com, Bob <bob@example.com>\n",
        "Subject: Your order\n",
        "X-Priority: 1 (Highest)\n",
        "\n\nThank you.\n.\nLater.\n",
        "X-RcptTo: ann@example.com, bob@example.com, audit@example.com\n",
    ] {
        ensure!(mails[0].contains(part), "no {part:?} in {}", mails[0]);
    }
    ensure!(mails[0].matches("audit@").count() == 1, "{}", mails[0]);
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// The caller where no app asks.
fn operator() -> Call {
    let name = |text: &str| text.parse().expect("a good name");
    let deadline = Instant::now() + Duration::from_secs(60);
    Call::operator(name("default"), name("operator"), deadline)
}
