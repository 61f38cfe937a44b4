//! Every sample guest does what it says.

use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;

pub fn trials() -> Vec<Trial> {
    vec![
        case("samples::hello_counts_its_visitors", hello),
        case("samples::hello_keeps_its_count_over_a_restart", restart),
        case(
            "samples::plain_component_of_wasi_0_2_works_unmodified",
            plain,
        ),
        case(
            "samples::plain_component_of_wasi_0_3_works_unmodified",
            plain3,
        ),
        case("samples::meter_counts_what_it_is_told_to_do", meter),
        case("samples::gauge_makes_a_call_of_each_block", gauge),
    ]
}

const HELLO: &str = "\
  - appID: hello
    guest: hello.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/visits], subscribe: [pubsub/visits] }
";

async fn hello() -> Result<()> {
    let running = Project::new(HELLO).with("memory", MEMORY).start().await?;
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

/// The embedded defaults need no declaration and lose nothing.
async fn restart() -> Result<()> {
    let project = Project::new(HELLO);
    for visitor in 1..=3 {
        let running = project.start().await?;
        let answer = running.get("/").await?;
        ensure!(
            answer.text() == format!("hello, visitor {visitor}\n"),
            "{answer:?}"
        );
        ensure!(running.stop().await, "not everything finished");
    }
    Ok(())
}

async fn serves_hello(guest: &str) -> Result<()> {
    let apps = format!("  - appID: plain\n    guest: {guest}.wasm\n    ingress: /\n");
    let running = Project::new(&apps).with("memory", MEMORY).start().await?;
    let answer = running.get("/").await?;
    ensure!(
        answer.status == 200 && answer.text().to_lowercase().contains("hello"),
        "{answer:?}"
    );
    Ok(())
}

async fn plain() -> Result<()> {
    serves_hello("plain").await
}

async fn plain3() -> Result<()> {
    serves_hello("plain3").await
}

async fn meter() -> Result<()> {
    let apps = "\
  - appID: meter
    guest: meter.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], invoke: [meter] }
";
    let running = Project::new(apps).with("memory", MEMORY).start().await?;
    let answer = running.get("/get?n=10").await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

/// The components that the gauge calls, with the settings that it needs.
const GAUGED: [(&str, &str, &str); 6] = [
    (
        "vault",
        "secretstores.memory",
        "{ name: secrets, value: '{\"a\": \"b\"}' }",
    ),
    (
        "settings",
        "configuration.memory",
        "{ name: items, value: '{\"a\": \"b\"}' }",
    ),
    ("locks", "lock.memory", ""),
    (
        "keys",
        "crypto.memory",
        "{ name: jwks, value: '{\"keys\":[{\"kty\":\"oct\",\"kid\":\"gauge\",\"k\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\"}]}' }",
    ),
    ("box", "bindings.memory", ""),
    ("jobs", "jobs.memory", ""),
];

async fn gauge() -> Result<()> {
    let apps = "\
  - appID: gauge
    guest: gauge.wasm
    ingress: /
    grants:
      state: [statestore]
      secrets: [vault]
      configuration: [settings]
      lock: [locks]
      crypto: [keys]
      bindings: [box]
      jobs: [\"*\"]
";
    let mut project = Project::new(apps).with("memory", MEMORY);
    for (name, kind, metadata) in GAUGED {
        let text = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\nspec: {{ type: {kind}, version: v1, metadata: [{metadata}] }}\n"
        );
        project = project.with(name, &text);
    }
    let running = project.start().await?;
    for call in [
        "state",
        "secrets",
        "configuration",
        "lock",
        "crypto",
        "bindings",
        "jobs",
    ] {
        let answer = running.get(&format!("/?call={call}&n=3")).await?;
        let nanoseconds: u64 = answer.text().parse()?;
        ensure!(nanoseconds > 0, "{call}: {answer:?}");
    }
    ensure!(running.get("/?call=none").await?.status == 404);
    Ok(())
}
