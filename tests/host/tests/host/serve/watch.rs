//! `wythe run --watch`: the manifest and the resources of one project change while it runs.

use super::root::{HELLO, MEMORY};
use crate::{
    case,
    crash::{command, run_in},
};
use anyhow::{Result, ensure};
use host_tests::{client, guest, request};
use http::Method;
use libtest_mimic::Trial;
use std::{fs, path::Path, time::Duration};

pub fn trials() -> Vec<Trial> {
    vec![case(
        "serve::run_watch_follows_the_manifest_and_resources",
        follows,
    )]
}

async fn until(url: &str, expected: &str) -> Result<()> {
    let mut last = String::new();
    for _ in 0..600 {
        let answer = request(&client(), Method::GET, url, &[], "").await?;
        last = answer.text();
        if last.starts_with(expected) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("{url} never said `{expected}`, but `{last}`")
}

fn status(directory: &Path) -> Result<String> {
    let output = command().arg("status").arg("-p").arg(directory).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Asks until status says what is expected, or for half a minute.
async fn status_until(directory: &Path, expected: impl Fn(&str) -> bool) -> Result<String> {
    let mut reported = String::new();
    for _ in 0..300 {
        reported = status(directory)?;
        if expected(&reported) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(reported)
}

async fn follows() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let at = |name: &str| directory.path().join(name);
    fs::copy(guest("hello"), at("hello.wasm"))?;
    fs::write(at("wythe.yaml"), HELLO)?;
    let mut process = run_in(directory.path(), &["--watch"])?;
    let url = process.url.clone();
    until(&url, "hello, visitor 1\n").await?;
    // A directory of resources that was not there: its store takes the place of the default one.
    fs::create_dir(at("resources"))?;
    fs::write(at("resources/memory.yaml"), MEMORY)?;
    until(&url, "hello, visitor 1\n").await?;
    let second = HELLO.replace("version: 1\napps:\n", "");
    let second = second
        .replace("appID: hello", "appID: other")
        .replace("ingress: /", "ingress: /other");
    fs::write(at("wythe.yaml"), format!("{HELLO}{second}"))?;
    until(&format!("{url}/other"), "hello, visitor 1\n").await?;
    // A wrong one changes nothing, and is told until it is mended.
    fs::write(at("wythe.yaml"), format!("{HELLO}{second}    ingres: /x\n"))?;
    let reported = status_until(directory.path(), |reported| {
        reported.contains("ingres: unknown key")
    })
    .await?;
    ensure!(
        reported.contains("wythe.yaml:11:5: apps[1].ingres: unknown key"),
        "{reported}"
    );
    until(&format!("{url}/other"), "hello, visitor 2\n").await?;
    fs::write(at("wythe.yaml"), HELLO)?;
    until(&format!("{url}/other"), "hello, visitor ").await?;
    let is_mended =
        |reported: &str| !reported.contains("Not in force") && !reported.contains("other");
    let reported = status_until(directory.path(), is_mended).await?;
    process.child.kill()?;
    process.child.wait()?;
    ensure!(is_mended(&reported), "{reported}");
    Ok(())
}
