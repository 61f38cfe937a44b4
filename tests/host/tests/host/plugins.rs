//! Plugins are drivers like any other, and a bad one harms nobody but its own component.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project, guest};
use libtest_mimic::Trial;

fn resource(name: &str, block: &str, file: &str, metadata: &[(&str, &str)]) -> String {
    let mut text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\nspec:\n  type: {block}.wasm\n  version: v1\n  metadata:\n    - {{ name: path, value: {} }}\n",
        guest(file).display()
    );
    for (name, value) in metadata {
        text += &format!("    - {{ name: {name}, value: \"{value}\" }}\n");
    }
    text
}

const HOSTILE: &str = "\
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    grants: { state: [bad, statestore], publish: [pubsub], invoke: [hostile], http: [] }
";

/// Key, whether it is read or written, and what the app is told.
const FAULTS: &[(&str, &str, &str)] = &[
    (
        "trap!1",
        "get",
        "`bad` trapped: wasm trap: wasm `unreachable` instruction executed",
    ),
    (
        "trap!1",
        "put",
        "`bad` trapped: wasm trap: wasm `unreachable` instruction executed",
    ),
    (
        "hang!1",
        "get",
        "`bad` used its 200ms of CPU time; see `limits.cpuTime`",
    ),
    (
        "hang!1",
        "put",
        "`bad` used its 200ms of CPU time; see `limits.cpuTime`",
    ),
    (
        "recursion!1",
        "get",
        "`bad` trapped: wasm trap: call stack exhausted",
    ),
    ("memory!1", "get", "`bad` trapped: "),
    (
        "lie-size!1",
        "get",
        "`bad` failed: too much data is being copied between the host and the guest",
    ),
    (
        "lie-etag!1",
        "get",
        "plugin `bad` answered with an etag that is empty or longer than 256 bytes",
    ),
    (
        "lie-etag!1",
        "put",
        "plugin `bad` answered with an etag that is empty or longer than 256 bytes",
    ),
    ("log-flood!1", "get", "got nothing"),
];

const STARTS: &[(&str, &str)] = &[
    (
        "init-error",
        "component `bad`: plugin `bad` did not start: `bad` does not want to",
    ),
    (
        "init-hang",
        "component `bad`: `bad` used its 200ms of CPU time",
    ),
    (
        "init-trap",
        "component `bad`: `bad` trapped: wasm trap: wasm `unreachable` instruction executed",
    ),
    (
        "no-such-fault",
        "component `bad`: plugin `bad` did not start: ",
    ),
];

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        case("plugins::a_fault_ends_and_the_next_call_works", recovers),
        case("plugins::an_app_uses_a_plugin_as_any_store", used),
        case("plugins::a_wrong_digest_is_refused", digest),
        case("plugins::an_app_is_no_plugin", no_plugin),
    ];
    for (key, verb, text) in FAULTS {
        let name = format!("plugins::bad::{verb}_{}", key.trim_end_matches("!1"));
        trials.push(Trial::test(name, move || block_on(fault(key, verb, text))));
    }
    for (name, text) in STARTS {
        trials.push(Trial::test(format!("plugins::bad::{name}"), move || {
            block_on(starts(name, text))
        }));
    }
    trials
}

fn block_on(run: impl Future<Output = Result<()>>) -> Result<(), libtest_mimic::Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime
        .block_on(run)
        .map_err(|error| format!("{error:#}").into())
}

fn bad(fault: &[(&str, &str)]) -> Project {
    let mut metadata = vec![("cpuTime", "200ms")];
    metadata.extend_from_slice(fault);
    Project::new(HOSTILE)
        .with("bad", &resource("bad", "state", "bad", &metadata))
        .with("memory", MEMORY)
}

async fn fault(key: &str, verb: &str, text: &str) -> Result<()> {
    let running = bad(&[]).start().await?;
    let answer = running
        .get(&format!("/{verb}?component=bad&key={key}&bytes=3"))
        .await?;
    ensure!(
        answer.status == 200 && answer.text().contains(text),
        "{} {}",
        answer.status,
        answer.text()
    );
    let other = running
        .get("/put?component=statestore&key=a&bytes=3")
        .await?;
    ensure!(other.text().starts_with("put, etag "), "{other:?}");
    Ok(())
}

async fn starts(fault: &str, text: &str) -> Result<()> {
    let problems = bad(&[("fault", fault)]).problems().await;
    ensure!(
        problems.len() == 1 && problems[0].contains(text),
        "{problems:?}"
    );
    Ok(())
}

async fn recovers() -> Result<()> {
    let running = bad(&[]).start().await?;
    let put = "/put?component=bad&key=a&bytes=3";
    ensure!(running.get(put).await?.text().starts_with("put, etag "));
    running.get("/get?component=bad&key=trap!1").await?;
    // A fresh instance, after a moment; what the old one had in memory is gone with it.
    let after = running
        .eventually(put, |answer| answer.text().starts_with("put, etag "))
        .await?;
    ensure!(after.status == 200);
    Ok(())
}

async fn used() -> Result<()> {
    let hello = "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";
    let project = Project::new(hello)
        .with(
            "state",
            &resource("statestore", "state", "ttl_cache", &[("maxEntries", "10")]),
        )
        .with("pubsub", &resource("pubsub", "pubsub", "queue", &[]));
    let running = project.start().await?;
    for visitor in 1..=3 {
        let answer = running.get("/").await?;
        ensure!(
            answer.text() == format!("hello, visitor {visitor}\n"),
            "{answer:?}"
        );
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn digest() -> Result<()> {
    let problems = bad(&[("sha256", "00ff")]).problems().await;
    ensure!(problems.len() == 1, "{problems:?}");
    ensure!(problems[0].contains("; expected 00ff"), "{problems:?}");
    Ok(())
}

async fn no_plugin() -> Result<()> {
    let project = Project::new(HOSTILE)
        .with("memory", MEMORY)
        .with("bad", &resource("bad", "state", "catalog", &[]));
    let problems = project.problems().await;
    ensure!(problems.len() == 1, "{problems:?}");
    ensure!(
        problems[0].contains("is no plugin of the world wythe:plugin/state-plugin@0.1.0"),
        "{problems:?}"
    );
    Ok(())
}
