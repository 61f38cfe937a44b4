//! `wythe migrate`: an app with actors goes on, on another store, as if nothing had been.

use super::{Ground, Standing, over};
use crate::crash::{command, run_in};
use anyhow::{Context, Result, ensure};
use host_tests::{Project, client, request};
use http::Method;
use libtest_mimic::Trial;
use serde_json::Value;
use std::process::Output;

const BANK: &str = "\
  - appID: account
    guest: account.wasm
    ingress: /
    grants: { actors: [account], publish: [pubsub/transfers], subscribe: [pubsub/transfers] }
";
const OLD: &str = "\
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: statestore }
spec: { type: state.redb, metadata: [{ name: actorStateStore, value: 'true' }] }
";

pub(super) fn trials(ground: Ground) -> Vec<Trial> {
    let name = format!("backends::an_app_moves_from_disk_to_{}", ground.name);
    vec![over(&name, ground, moved)]
}

/// Copies into a component of another name, and returns the text of one with the old name.
fn copied(standing: &Standing, project: &Project) -> Result<String> {
    let path = standing.resources(project)?;
    let file = path.join(format!("{}.yaml", standing.ground.name));
    let text = std::fs::read_to_string(file)?;
    let one = text.split("---").next().context("a component")?;
    let new = one.replace("name: statestore", "name: newstore");
    let new: Vec<_> = new
        .lines()
        .filter(|line| !line.contains("actorStateStore"))
        .collect();
    project.write("resources/new.yaml", new.join("\n"));
    let wrong = migrate(project, &["statestore", "nostore"])?;
    let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
    ensure!(
        said.contains("there is no state component `nostore`; there are: newstore, statestore"),
        "{said}"
    );
    let done = migrate(project, &["statestore", "newstore", "-o", "json"])?;
    ensure!(done.status.success(), "{done:?}");
    let done: Value = serde_json::from_slice(&done.stdout)?;
    ensure!(done["entries"].as_u64() >= Some(20), "{done}");
    let again = migrate(project, &["statestore", "newstore"])?;
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    ensure!(said.contains("expected an empty one"), "{said}");
    Ok(one.to_owned())
}

async fn moved(standing: Standing) -> Result<()> {
    let project = Project::new(BANK).with("old", OLD);
    let mut process = run_in(project.path(), &[])?;
    for number in 0..20 {
        let path = format!("/accounts/a{number}/deposit?amount=1{number:02}");
        posted(&process.url, &path).await?;
    }
    // While a host runs, nobody copies what it may change.
    let refused = migrate(&project, &["statestore", "newstore"])?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        !refused.status.success() && said.contains("runs already"),
        "{said}"
    );
    process.child.kill()?;
    process.child.wait()?;

    let new = copied(&standing, &project)?;
    // The new one takes the name of the old one.
    project.write("resources/new.yaml", new);
    std::fs::remove_file(project.path().join("resources/old.yaml"))?;
    let mut process = run_in(project.path(), &[])?;
    for number in 0..20 {
        let url = format!("{}/accounts/a{number}", process.url);
        let answer = request(&client(), Method::GET, &url, &[], "").await?;
        let balance = answer.json()["balance"].as_u64();
        ensure!(balance == Some(100 + number), "{number}: {answer:?}");
    }
    process.child.kill()?;
    process.child.wait()?;
    Ok(())
}

async fn posted(url: &str, path: &str) -> Result<()> {
    let answer = request(&client(), Method::POST, &format!("{url}{path}"), &[], "").await?;
    ensure!(answer.status == 200, "{answer:?}");
    Ok(())
}

fn migrate(project: &Project, args: &[&str]) -> Result<Output> {
    let mut command = command();
    command
        .arg("migrate")
        .args(args)
        .current_dir(project.path());
    Ok(command.output()?)
}
