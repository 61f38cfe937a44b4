//! A purchase of the sample, with `kill -9` of its host in the midst of each part.

use super::json;
use crate::{case, crash::run};
use anyhow::{Context, Result, ensure};
use host_tests::{Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const APPS: &str = "\
  - appID: desk
    guest: desk.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub/purchases], workflow: [purchase] }
  - appID: purchase
    guest: purchase.wasm
    grants: { invoke: [desk] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("workflow::a_purchase_survives_kill_9_in_each_part", shipped),
        case("workflow::an_undoing_survives_kill_9_in_each_part", undone),
        case("workflow::a_refused_card_undoes_what_was_done", refused),
    ]
}

async fn get(url: &str, path: &str) -> Result<Value> {
    let answer = request(&client(), Method::GET, &format!("{url}{path}"), &[], "").await?;
    ensure!(answer.status == 200, "{answer:?}");
    json(&answer.text())
}

async fn buy(url: &str, id: &str, order: &Value) -> Result<()> {
    let path = format!("{url}/purchases/{id}");
    let answer = request(&client(), Method::POST, &path, &[], order.to_string()).await?;
    ensure!(answer.status == 202, "{answer:?}");
    Ok(())
}

async fn until(url: &str, path: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let start = Instant::now();
    loop {
        let found = get(url, path).await?;
        if wanted(&found) {
            return Ok(found);
        }
        ensure!(start.elapsed().as_secs() < 120, "{found}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn has_ended(found: &Value) -> bool {
    found["status"] != "running"
}

/// Buys `item` once for each part, and kills the host when that part is done and its answer is not known yet; what the
/// purchases came to.
async fn killed(project: &Project, item: &str, parts: &[(&str, u32)]) -> Result<Vec<Value>> {
    let mut seen = Vec::new();
    for (part, task) in parts {
        let id = format!("{item}-{part}");
        let mut process = run(project, &[])?;
        let order = json!({ "item": item, "price": 5, "hold": part });
        buy(&process.url, &id, &order).await?;
        let key = format!("{id}/1/{task}");
        until(&process.url, "/ledger", |ledger| {
            ledger["done"].get(&key).is_some()
        })
        .await?;
        process.child.kill()?;
        process.child.wait()?;
        let mut process = run(project, &[])?;
        let path = format!("/purchases/{id}");
        seen.push(until(&process.url, &path, has_ended).await?);
        process.child.kill()?;
        process.child.wait()?;
    }
    Ok(seen)
}

async fn ledger(project: &Project) -> Result<Value> {
    let mut process = run(project, &[])?;
    let mut ledger = get(&process.url, "/ledger").await?;
    process.child.kill()?;
    process.child.wait()?;
    ledger.as_object_mut().context("a ledger")?.remove("done");
    Ok(ledger)
}

async fn shipped() -> Result<()> {
    let project = Project::new(APPS);
    let parts = [("reserve", 0), ("charge", 1), ("ship", 2), ("publish", 3)];
    for (seen, (part, _)) in killed(&project, "book", &parts).await?.iter().zip(parts) {
        let id = format!("book-{part}");
        let receipt =
            json!({ "charge": format!("charge-of-{id}"), "parcel": format!("parcel-of-{id}") });
        let expected =
            json!({ "status": "completed", "step": "done", "reason": null, "receipt": receipt });
        ensure!(*seen == expected, "{seen}");
    }
    let expected = json!({ "reserved": 4, "paid": 20, "shipped": 4, "told": 4 });
    let ledger = ledger(&project).await?;
    ensure!(ledger == expected, "{ledger}");
    Ok(())
}

async fn undone() -> Result<()> {
    let project = Project::new(APPS);
    let parts = [("reserve", 0), ("charge", 1), ("refund", 3), ("release", 4)];
    for seen in killed(&project, "anvil", &parts).await? {
        let reason = "conflict: nobody carries an anvil";
        let expected =
            json!({ "status": "failed", "step": "undoing", "reason": reason, "receipt": null });
        ensure!(seen == expected, "{seen}");
    }
    let expected = json!({ "reserved": 0, "paid": 0, "shipped": 0, "told": 0 });
    let ledger = ledger(&project).await?;
    ensure!(ledger == expected, "{ledger}");
    Ok(())
}

async fn refused() -> Result<()> {
    let running = Project::new(APPS).start().await?;
    let url = running.url("");
    buy(&url, "one", &json!({ "item": "yacht", "price": 1_001 })).await?;
    let seen = until(&url, "/purchases/one", has_ended).await?;
    let reason = "denied: the card has not that much";
    ensure!(
        seen["status"] == "failed" && seen["reason"] == reason,
        "{seen}"
    );
    ensure!(get(&url, "/ledger").await?["reserved"] == 0);
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}
