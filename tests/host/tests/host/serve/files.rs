//! Quotas of the component files of a tenant: what is over one is refused with both lines, and what ran goes on.

use super::root::{Root, Served};
use crate::case;
use anyhow::{Context, Result, ensure};
use host_tests::guest;
use libtest_mimic::Trial;
use serde_json::Value;
use std::fs;

pub fn trials() -> Vec<Trial> {
    vec![
        case("serve::a_file_over_a_quota_of_bytes_changes_nothing", bytes),
        case("serve::a_file_over_a_quota_of_time_changes_nothing", time),
    ]
}

fn write(root: &Root, quotas: &str) {
    let text = format!(
        "apiVersion: wythe/v1\nkind: Tenant\nmetadata: {{ name: shop }}\nspec: {{ quotas: {{ {quotas} }} }}\n"
    );
    root.write("wythe-host.yaml", text);
}

/// The guest `hello`, as nobody has compiled it: with a section that means nothing, and has this name.
fn hello(name: &str) -> Result<Vec<u8>> {
    let mut bytes = fs::read(guest("hello"))?;
    let length = u8::try_from(name.len())?;
    bytes.extend([0, length + 1, length]);
    bytes.extend(name.as_bytes());
    Ok(bytes)
}

fn reading(served: &Served, quota: &str) -> Result<Value> {
    let status = served.json("status --tenant shop")?;
    let mut all = status["quotas"].as_array().context("no quotas")?.iter();
    let found = all.find(|one| one["quota"] == quota);
    found
        .cloned()
        .with_context(|| format!("no `{quota}` in {status}"))
}

/// The one problem that there is, with these parts.
async fn problem(served: &Served, parts: &[&str]) -> Result<()> {
    let problems = served.problems_until(1).await?;
    for part in parts {
        ensure!(problems[0].contains(part), "no {part:?} in {problems:?}");
    }
    Ok(())
}

async fn visit(served: &Served, visitor: u32) -> Result<()> {
    let said = served.said("localhost", "/shop/").await?;
    ensure!(said == format!("hello, visitor {visitor}\n"), "{said}");
    Ok(())
}

async fn bytes() -> Result<()> {
    let root = Root::new();
    root.hello("shop");
    let good = fs::read(guest("hello"))?;
    write(&root, &format!("componentBytes: {}", good.len()));
    let served = root.serve(&[])?;
    visit(&served, 1).await?;
    let seen = reading(&served, "componentBytes")?;
    ensure!(
        seen["used"] == good.len() && seen["limit"] == good.len(),
        "{seen}"
    );
    root.write("shop/hello.wasm", hello("larger")?);
    let parts = [
        "shop: shop/wythe.yaml:3:5: the component file shop/hello.wasm is larger than ",
        ", over the operator's `quotas.componentBytes`: wythe-host.yaml:4",
    ];
    problem(&served, &parts).await?;
    // The code before serves, and goes on doing so.
    visit(&served, 2).await?;
    write(&root, "componentBytes: 64MiB");
    ensure!(served.problems_until(0).await?.is_empty());
    served
        .until("localhost", "/shop/", "hello, visitor ")
        .await?;
    ensure!(reading(&served, "componentBytes")?["used"] == hello("larger")?.len());
    Ok(())
}

async fn time() -> Result<()> {
    let root = Root::new();
    root.hello("shop");
    let name = root.path().display().to_string();
    root.write("shop/hello.wasm", hello(&name)?);
    let served = root.serve(&[])?;
    visit(&served, 1).await?;
    let seen = reading(&served, "compileTime")?;
    ensure!(
        seen["unit"] == "milliseconds" && seen["limit"] == 120_000,
        "{seen}"
    );
    ensure!(seen["used"].as_u64() > Some(0), "{seen}");
    // No process begins and ends as quickly.
    write(&root, "compileTime: 1ms");
    while reading(&served, "compileTime")?["limit"] != 1 {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    visit(&served, 2).await?;
    root.write("shop/hello.wasm", hello(&format!("{name}/other"))?);
    let parts = [
        "shop: shop/wythe.yaml:3:5: ",
        "`shop/hello.wasm` (",
        " did not compile within 1ms; build a smaller component (in release mode), over the operator's `quotas.compileTime`: wythe-host.yaml:4",
    ];
    problem(&served, &parts).await?;
    visit(&served, 3).await?;
    write(&root, "compileTime: 2m");
    ensure!(served.problems_until(0).await?.is_empty());
    Ok(())
}
