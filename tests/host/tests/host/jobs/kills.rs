//! `kill -9` of a whole host while jobs come due: none is early, none is lost, and each is done once under its id.

use super::{REMINDER, count};
use crate::crash::run;
use anyhow::{Context, Result, ensure};
use futures::future::join_all;
use host_tests::{Answer, Project, client, request};
use http::Method;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

const CYCLES: usize = 6;
/// Jobs of a cycle, each due 30 ms after the one before.
const JOBS: usize = 40;

/// Names of those whose schedule was acknowledged. The host dies in the midst of it, after some of them came due.
async fn cycle(project: &Project, cycle: usize) -> Result<Vec<String>> {
    let mut process = run(project, &[])?;
    let (url, client) = (process.url.clone(), client());
    let ends = Instant::now() + Duration::from_millis(300 + 150 * cycle as u64);
    let mut names = Vec::new();
    for index in 0..JOBS {
        let name = format!("job-{cycle}-{index}");
        let due = 30 * index;
        let path = format!("{url}/remind?in={due}ms&name={name}");
        let answer = request(&client, Method::POST, &path, &[], "").await?;
        ensure!(answer.status == 201, "{answer:?}");
        names.push(name);
        if Instant::now() > ends {
            break;
        }
    }
    tokio::time::sleep(ends.saturating_duration_since(Instant::now())).await;
    // What is under way when it dies is neither acknowledged nor refused.
    let lost = (0..4).map(|index| {
        let path = format!("{url}/remind?in=10ms&name=lost-{cycle}-{index}");
        let client = client.clone();
        async move { request(&client, Method::POST, &path, &[], "").await }
    });
    let (_, killed) = tokio::join!(join_all(lost), async { process.child.kill() });
    killed?;
    process.child.wait()?;
    Ok(names)
}

pub(super) async fn none_is_lost() -> Result<()> {
    let project = Project::new(REMINDER);
    let mut expected = BTreeSet::new();
    for number in 0..CYCLES {
        expected.extend(cycle(&project, number).await?);
    }
    let running = project.start().await?;
    let enough = |answer: &Answer| {
        let done = names(answer);
        expected.iter().all(|name| done.contains(name))
    };
    let answer = running.eventually("/reminders", enough).await?;
    for reminder in answer.json().as_array().context("a list")? {
        let (due, at) = (&reminder["due"], &reminder["at"]);
        ensure!(
            due.is_u64() && due.as_u64() <= at.as_u64(),
            "early: {reminder}"
        );
    }
    // One job has one occurrence, and that one id, however often it ran.
    let done = names(&answer);
    ensure!(
        count(&answer) == done.len(),
        "one came under two ids: {answer:?}"
    );
    let has_ended = |answer: &Answer| count(answer) == 0;
    running.eventually("/remind", has_ended).await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

fn names(answer: &Answer) -> BTreeSet<String> {
    let reminders = answer.json();
    let reminders = reminders.as_array().into_iter().flatten();
    reminders
        .filter_map(|reminder| reminder["name"].as_str())
        .map(str::to_owned)
        .collect()
}
