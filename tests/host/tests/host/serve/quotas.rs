//! Quotas of tenants, with guests that ask for more than they may have while a neighbour works.

use super::root::{MEMORY, Root, Served};
use crate::case;
use anyhow::{Context, Result, ensure};
use host_tests::{client, request};
use http::Method;
use libtest_mimic::Trial;
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinSet;

pub fn trials() -> Vec<Trial> {
    vec![
        case("serve::calls_over_a_quota_are_refused_at_once", calls),
        case(
            "serve::requests_over_a_rate_are_told_when_to_come_again",
            rates,
        ),
        case("serve::memory_is_the_tenants_over_all_instances", memory),
        case("serve::events_over_a_rate_are_refused", publishes),
        case("serve::an_instance_counts_until_it_is_gone", instances),
        case("serve::quotas_change_while_calls_are_under_way", changes),
    ]
}

/// One tenant that attacks, and one that does not.
fn root(quotas: &str) -> Root {
    let root = Root::new();
    root.hello("bank");
    root.guest("evil/hostile.wasm", "hostile");
    root.write("evil/resources/memory.yaml", MEMORY);
    root.write("evil/wythe.yaml", EVIL);
    write(&root, quotas);
    root
}

pub const EVIL: &str = "\
version: 1
apps:
  - appID: hostile
    guest: hostile.wasm
    ingress: /
    limits: { cpuTime: 1h, wallTime: 1m }
    grants: { state: [statestore], publish: [pubsub], invoke: [other], http: [] }
";

fn write(root: &Root, quotas: &str) {
    let text = format!(
        "apiVersion: wythe/v1\nkind: Tenant\nmetadata: {{ name: evil }}\nspec: {{ quotas: {quotas} }}\n"
    );
    root.write("wythe-host.yaml", text);
}

/// The reading of a quota of the attacker.
fn reading(served: &Served, quota: &str) -> Result<Value> {
    let status = served.json("status --tenant evil")?;
    let mut all = status["quotas"].as_array().context("no quotas")?.iter();
    let found = all.find(|one| one["quota"] == quota);
    found
        .cloned()
        .with_context(|| format!("no `{quota}` in {status}"))
}

/// Waits until so much of a quota is used.
pub async fn used(served: &Served, quota: &str, amount: u64) -> Result<Value> {
    let mut last = Value::Null;
    for _ in 0..300 {
        last = reading(served, quota)?;
        if last["used"] == amount {
            return Ok(last);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{quota} never had {amount}: {last}")
}

pub async fn neighbour(served: &Served) -> Result<()> {
    for _ in 0..20 {
        let said = served.said("localhost", "/bank/").await?;
        ensure!(said.starts_with("hello, visitor "), "{said}");
    }
    Ok(())
}

/// Asks until the set is dropped.
fn ask(served: &Served, path: &str) -> JoinSet<()> {
    let url = format!("{}{path}", served.url);
    let mut set = JoinSet::new();
    set.spawn(async move {
        // It ends with the host at the latest.
        let _ = request(&client(), Method::GET, &url, &[], "").await;
    });
    set
}

async fn calls() -> Result<()> {
    let root = root("{ calls: 2 }");
    let served = root.serve(&[])?;
    let held = [(); 2].map(|()| ask(&served, "/evil/sleep?ms=60000"));
    used(&served, "calls", 2).await?;
    let refused = served.get("localhost", "/evil/env").await?;
    ensure!(refused.status == 429, "{refused:?}");
    ensure!(refused.header("retry-after") == Some("1"), "{refused:?}");
    neighbour(&served).await?;
    let calls = reading(&served, "calls")?;
    ensure!(calls["limit"] == 2 && calls["refused"] == 1, "{calls}");
    drop(held);
    Ok(())
}

async fn rates() -> Result<()> {
    let root = root("{ requestsPerSecond: 1 }");
    let served = root.serve(&[])?;
    let mut refused = None;
    for _ in 0..100 {
        let answer = served.get("localhost", "/evil/env").await?;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.context("each of 100 requests passed at one a second")?;
    ensure!(refused.header("retry-after") == Some("1"), "{refused:?}");
    neighbour(&served).await?;
    let status = String::from_utf8(served.command("status")?.stdout)?;
    let row = status
        .lines()
        .find(|line| line.contains("requestsPerSecond"));
    ensure!(row.is_some_and(|row| row.starts_with("evil")), "{status}");
    Ok(())
}

async fn memory() -> Result<()> {
    let root = root("{ memory: 32MiB }");
    let served = root.serve(&[])?;
    // Its own limit allows 64 MiB.
    let said = served.said("localhost", "/evil/alloc?mib=48").await?;
    ensure!(
        said.starts_with("allocated ") && said.contains("then: "),
        "{said}"
    );
    ensure!(reading(&served, "memory")?["refused"] != 0);
    neighbour(&served).await?;
    // All of it comes back.
    used(&served, "memory", 0).await?;
    let said = served.said("localhost", "/evil/alloc?mib=8").await?;
    ensure!(said == "allocated 8 MiB", "{said}");
    // A guest that is not even there with so little.
    write(&root, "{ memory: 1MiB }");
    limit(&served, "memory", 1 << 20).await?;
    let refused = served.get("localhost", "/evil/env").await?;
    ensure!(refused.status == 429, "{refused:?}");
    ensure!(refused.header("retry-after") == Some("1"), "{refused:?}");
    Ok(())
}

async fn publishes() -> Result<()> {
    let root = root("{ publishesPerSecond: 1 }");
    let served = root.serve(&[])?;
    let mut said = String::new();
    for _ in 0..100 {
        said = served
            .said("localhost", "/evil/publish?component=pubsub&topic=a")
            .await?;
        if said.contains("exhausted") {
            break;
        }
    }
    ensure!(said.contains("quotas.publishesPerSecond"), "{said}");
    ensure!(reading(&served, "publishesPerSecond")?["refused"] != 0);
    neighbour(&served).await
}

/// A call whose client has gone holds its instance on, and that is counted.
async fn instances() -> Result<()> {
    let root = root("{ instances: 1 }");
    let served = root.serve(&[])?;
    drop(used_by(&served).await?);
    // The guest sleeps on, or it is gone: either way the next call is refused as long as it counts.
    used(&served, "instances", 0).await?;
    ensure!(served.get("localhost", "/evil/env").await?.status == 200);
    neighbour(&served).await
}

async fn used_by(served: &Served) -> Result<JoinSet<()>> {
    let held = ask(served, "/evil/sleep?ms=60000");
    used(served, "instances", 1).await?;
    let refused = served.get("localhost", "/evil/env").await?;
    ensure!(refused.status == 429, "{refused:?}");
    Ok(held)
}

async fn changes() -> Result<()> {
    let root = root("{ calls: 3 }");
    let served = root.serve(&[])?;
    let held: Vec<_> = (0..3)
        .map(|_| ask(&served, "/evil/sleep?ms=60000"))
        .collect();
    used(&served, "calls", 3).await?;
    // Less than what runs: nothing ends, and nothing begins.
    write(&root, "{ calls: 1 }");
    limit(&served, "calls", 1).await?;
    ensure!(reading(&served, "calls")?["used"] == 3);
    ensure!(served.get("localhost", "/evil/env").await?.status == 429);
    // A quota with a typo changes nothing.
    write(&root, "{ calls: 10, cals: 1 }");
    let problems = served.problems_until(1).await?;
    ensure!(
        problems[0].contains("did you mean `calls`?"),
        "{problems:?}"
    );
    ensure!(reading(&served, "calls")?["limit"] == 1);
    write(&root, "{ calls: 10 }");
    limit(&served, "calls", 10).await?;
    ensure!(served.get("localhost", "/evil/env").await?.status == 200);
    drop(held);
    Ok(())
}

async fn limit(served: &Served, quota: &str, amount: u64) -> Result<()> {
    for _ in 0..300 {
        if reading(served, quota)?["limit"] == amount {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("`{quota}` never was {amount}")
}
