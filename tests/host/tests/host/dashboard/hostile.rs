//! Names, paths, keys, values and lines that guests and strangers make up: text on every page, and little of it.

use super::visitor::{Seen, Visitor};
use crate::{case, crash::command};
use anyhow::{Result, ensure};
use host_tests::{Answer, MEMORY, Project, client, request};
use http::Method;
use libtest_mimic::Trial;

const APPS: &str = "\
  - appID: echo
    guest: echo.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [\"*\"], configuration: [settings] }
  - appID: account
    guest: account.wasm
    ingress: /accounts
    grants: { actors: [account], publish: [pubsub], subscribe: [pubsub/transfers] }
";
const SETTINGS: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: settings }
spec: { type: configuration.memory, version: v1 }
";

/// A text that would be a script, move a cursor and turn a line around, where it is not held to be a text.
const HOSTILE: &str =
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u{1b}[31m\u{202e}txt\u{200b}";

pub fn trials() -> Vec<Trial> {
    vec![case("dashboard::hostile_names_are_text_and_cut", hostile)]
}

/// Runs a command about the project; what it says does not matter.
fn run(project: &Project, words: &[&str]) -> Result<()> {
    command()
        .args(words)
        .arg("-p")
        .arg(project.path())
        .output()?;
    Ok(())
}

fn harmless(page: &str, text: &str) -> Result<()> {
    for raw in [
        "<script>alert",
        "<img src=x",
        "\u{1b}",
        "\u{202e}",
        "\u{200b}",
    ] {
        ensure!(!text.contains(raw), "{page} has {raw:?} as it is: {text}");
    }
    ensure!(text.len() < 300_000, "{page} has {} bytes", text.len());
    Ok(())
}

/// Does what has hostile words in each block, and asks for a hostile path.
async fn fill(project: &Project, url: &str) -> Result<()> {
    let long = "é".repeat(40_000);
    let (value, path) = (
        format!("{HOSTILE}{long}"),
        format!("/{}", "%3Cscript%3Ealert".repeat(500)),
    );
    let actor = format!("account/{HOSTILE}");
    let commands: [&[&str]; 5] = [
        &["configuration", "set", "settings", HOSTILE, &value],
        &["publish", "pubsub", HOSTILE, &long, "--type", HOSTILE],
        &["invoke", "echo", &path],
        &["actor", "invoke", &actor, HOSTILE],
        &[
            "jobs", "schedule", HOSTILE, "--every", "1h", "--app", "echo",
        ],
    ];
    for command in commands {
        run(project, command)?;
    }
    let path = "/<script>alert(1)</script>\"><img%20src=x%20onerror=alert(2)>"
        .replace(['<', '>', '"'], "%3C");
    request(&client(), Method::GET, &format!("{url}{path}"), &[], "").await?;
    Ok(())
}

/// The pages, which are asked for with hostile words as well.
fn pages(query: &str) -> Vec<String> {
    let plain = [
        "",
        "requests",
        "logs",
        "configuration",
        "events",
        "jobs",
        "actors",
        query,
    ];
    let asked = [
        format!("app?id={query}"),
        format!("trace?id={query}"),
        format!("workflow?id={query}"),
        format!("workflows?name={query}&status={query}&cursor={query}"),
        format!("actors?type={query}"),
        format!("actor?type={query}&id={query}"),
        format!("letters?component={query}&topic={query}&group={query}"),
        format!("locks?component={query}&app={query}&name={query}"),
        format!("configuration?component={query}&app={query}"),
        format!("logs?app={query}&level={query}"),
        format!("jobs?app={query}&cursor={query}"),
    ];
    plain.map(str::to_owned).into_iter().chain(asked).collect()
}

async fn hostile() -> Result<()> {
    let project = Project::new(APPS)
        .with("memory", MEMORY)
        .with("settings", SETTINGS);
    let seen = Seen::start(&project, &["--dashboard"])?;
    let visitor = Visitor::enter(&seen.dashboard).await?;
    visitor.until("requests", "The host has the last").await?;
    fill(&project, &seen.url).await?;
    visitor.until("requests", "GET").await?;
    let query: String = HOSTILE.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for page in pages(&query) {
        let answer = visitor.get(&visitor.page("default", &page)).await?;
        harmless(&page, &answer.text())?;
    }
    ensure!(
        visitor
            .read("configuration")
            .await?
            .contains("&lt;script&gt;alert(1)")
    );
    notes(&visitor, &query).await
}

/// Words that were sent by a form come back as text, too.
async fn notes(visitor: &Visitor, query: &str) -> Result<()> {
    for (action, fields) in [
        ("invoke", format!("app={query}&path=/{query}")),
        ("invoke", format!("app=echo&path=/{query}")),
        (
            "publish",
            format!("component={query}&topic={query}&type={query}&data={query}"),
        ),
        (
            "publish",
            format!("component=pubsub&topic={query}&data={query}"),
        ),
        ("raise", format!("id={query}&name={query}&data={query}")),
        ("pause-job", format!("app={query}&name={query}")),
    ] {
        let body = format!("form={}&{fields}", visitor.token().await?);
        let url = visitor.page("default", &format!("do/{action}"));
        let answer: Answer = visitor
            .post(&url, &[("origin", &visitor.site)], body)
            .await?;
        harmless(action, &answer.text())?;
        if let Some(next) = answer.header("location") {
            ensure!(next.starts_with(&visitor.base) && next.is_ascii(), "{next}");
            let next = visitor.get(&format!("{}{next}", visitor.site)).await?;
            harmless(action, &next.text())?;
        }
    }
    Ok(())
}
