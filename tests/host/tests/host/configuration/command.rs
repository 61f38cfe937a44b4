//! The command `wythe configuration` beside a host and without one.

use super::{FILE, flags, project, with};
use crate::{
    command::check,
    crash::{Process, command, run},
};
use anyhow::{Context, Result, ensure};
use host_tests::{client, request};
use http::Method;
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Asks until the answer is as expected.
async fn eventually(url: &str, expected: &str) -> Result<()> {
    let client = client();
    let mut last = None;
    for _ in 0..1200 {
        let answer = request(&client, Method::GET, url, &[], "").await?;
        if answer.text() == expected {
            return Ok(());
        }
        last = Some(answer);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    anyhow::bail!("not within a minute; the last answer was {last:?}")
}

pub(super) async fn heard(flags: String) -> Result<()> {
    let project = with(&flags);
    let path = project.path();
    let Process { mut child, url } = run(&project, &[])?;
    let steps = async {
        check(path, ("configuration get flags banner", 0, "old\n", ""))?;
        check(path, ("configuration set flags banner new", 0, "", ""))?;
        eventually(&format!("{url}/heard"), "banner=new\n").await?;
        eventually(&format!("{url}/flag/banner"), "new\n").await?;
        check(path, ("configuration delete flags banner other", 0, "", ""))?;
        eventually(&format!("{url}/heard"), "banner=new\n-banner\n").await
    };
    let steps = steps.await;
    child.kill()?;
    child.wait()?;
    steps
}

pub(super) async fn transcript() -> Result<()> {
    let project = with(&flags("redb", ""));
    let path = project.path();
    let steps = [
        ("configuration get flags", 0, "", ""),
        ("configuration set flags a.b 1", 0, "", ""),
        ("configuration set flags c x=y", 0, "", ""),
        ("configuration get flags", 0, "a.b=1\nc=x=y\n", ""),
        (
            "configuration get flags c nothing a.b",
            0,
            "a.b=1\nc=x=y\n",
            "",
        ),
        ("configuration get flags c", 0, "x=y\n", ""),
        (
            "configuration get flags nothing",
            1,
            "",
            "error: `flags` has no item `nothing`\n",
        ),
        ("-o json configuration get flags c", 0, "{…", ""),
        ("-o json configuration set flags c z", 0, "{}\n", ""),
        ("configuration delete flags c nothing", 0, "", ""),
        ("configuration get flags", 0, "a.b=1\n", ""),
        (
            "configuration get others",
            1,
            "",
            "error: no configuration component `others` for app `operator`\n",
        ),
        (
            "configuration watch flags",
            1,
            "",
            "error: no host runs this project; start it by `wythe run`\n",
        ),
        ("configuration delete flags", 2, "", "error: …"),
    ];
    steps.into_iter().try_for_each(|step| check(path, step))
}

pub(super) async fn watch() -> Result<()> {
    let project = with(&flags(
        "memory",
        "{ name: items, value: '{ \"a\": 1, \"b\": 2 }' }",
    ));
    let mut host = run(&project, &[])?;
    let watching = watched(project.path());
    host.child.kill()?;
    host.child.wait()?;
    watching
}

fn watched(path: &Path) -> Result<()> {
    let mut watching = command()
        .args(["configuration", "watch", "flags"])
        .current_dir(path)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut lines = BufReader::new(watching.stdout.take().context("no stdout")?).lines();
    let mut next = || {
        lines
            .next()
            .context("no line")?
            .map_err(anyhow::Error::from)
    };
    let steps = (|| {
        ensure!((next()?, next()?) == ("a=1".into(), "b=2".into()));
        check(path, ("configuration set flags b 3", 0, "", ""))?;
        ensure!(next()? == "b=3");
        check(path, ("configuration delete flags a", 0, "", ""))?;
        ensure!(next()? == "-a");
        let interrupt = ["-INT", &watching.id().to_string()];
        ensure!(Command::new("kill").args(interrupt).status()?.success());
        Ok(())
    })();
    if steps.is_err() {
        watching.kill()?;
    }
    let status = watching.wait()?;
    steps?;
    ensure!(status.code() == Some(0), "{status}");
    Ok(())
}

pub(super) async fn read_only() -> Result<()> {
    let project = project(FILE);
    let reported = "error: configuration component `flags` is read-only; its features say so; change it where it is kept\n";
    for line in [
        "configuration set flags a b",
        "configuration delete flags a",
    ] {
        check(project.path(), (line, 1, "", reported))?;
    }
    Ok(())
}
