//! Jobs in a whole host: what is scheduled runs, over a restart too, and what cannot be is told.

mod kills;

use crate::{
    case,
    command::{Step, check},
    crash::run,
};
use anyhow::{Result, ensure};
use host_tests::{Answer, MEMORY, Project, Running, client, guest, request};
use http::Method;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::time::{Duration, Instant, SystemTime};
use wythe_blocks::{Call, jobs::Status};

const REMINDER: &str = "\
  - appID: reminder
    guest: reminder.wasm
    ingress: /
    grants: { state: [statestore], jobs: [\"*\"] }
";

const JOBS: &str = "\
---
apiVersion: dapr.io/v1alpha1
kind: Component
metadata: { name: jobs }
spec: { type: jobs.memory, version: v1 }
";

/// Wrong requests: what is asked for, and the answer's status and message.
const WRONG: &[(&str, u16, &str)] = &[
    (
        "cron=0%200%200%2030%202%20*",
        400,
        "the schedule `0 0 0 30 2 *` never comes",
    ),
    (
        "cron=0%2061%20*%20*%20*%20*",
        400,
        "the schedule `0 61 * * * *` has the minute `61`; expected 0 to 59, or `*`, with `,`, `-` and `/`",
    ),
    (
        "cron=*%20*%20*%20*",
        400,
        "the schedule `* * * *` has 4 fields; expected 6: second, minute, hour, day of the month, month and day of the \
         week (or 5, without the second)",
    ),
    (
        "cron=@daily&zone=Europe/Berln",
        400,
        "there is no time zone `Europe/Berln`; did you mean `Europe/Berlin`?",
    ),
    (
        "in=1h&name=a%2Fb",
        400,
        "the job name `a/b`; expected 1 to 256 bytes of letters, digits, `-`, `_`, `.` and `:`",
    ),
    ("every=0s", 400, "`every` of 0ns; expected at least 1 ms"),
    (
        "every=1h&name=tea&times=0",
        400,
        "job `tea` has 0 repeats; expected at least 1, or none where there is no last one",
    ),
    (
        "in=1h&name=taken",
        409,
        "app `reminder` has a job `taken` already; schedule with `overwrite` to start it anew",
    ),
];

const SCRIPT: &[Step] = &[
    ("jobs list", 0, "", ""),
    (
        "jobs schedule tea --at 2100-01-01T00:00:00Z --data hot",
        0,
        "2100-01-01T00:00:00Z\n",
        "",
    ),
    (
        "jobs schedule tea --in 1h",
        1,
        "",
        "error: app `reminder` has a job `tea` already; schedule with `overwrite` to start it anew\n",
    ),
    (
        "jobs get tea",
        0,
        "name     tea\ntrigger  once\nnext     2100-01-01T00:00:00Z\nruns     0\nstate    scheduled\n\
         retry    after 1s, at most 3 times\nmisfire  one\ndata     hot\n",
        "",
    ),
    (
        "jobs schedule tea --every 90s --start 2100-01-01T01:00:00+01:00 --overwrite",
        0,
        "2100-01-01T00:00:00Z\n",
        "",
    ),
    (
        "jobs list",
        0,
        "NAME  NEXT                  TRIGGER    RUNS  STATE\n\
         tea   2100-01-01T00:00:00Z  every 90s  0     scheduled\n",
        "",
    ),
    ("jobs pause tea", 0, "", ""),
    (
        "jobs list t",
        0,
        "NAME  NEXT  TRIGGER    RUNS  STATE\ntea   -     every 90s  0     paused\n",
        "",
    ),
    ("jobs resume tea", 0, "", ""),
    ("jobs get tea -o json", 0, "{…", ""),
    (
        "jobs list x -o json",
        0,
        "{\"jobs\":[],\"next\":null}\n",
        "",
    ),
    ("jobs delete tea", 0, "", ""),
    ("jobs delete tea", 0, "", ""),
    (
        "jobs get tea",
        1,
        "",
        "error: app `reminder` has no job `tea`\n",
    ),
    (
        "jobs pause tea",
        1,
        "",
        "error: app `reminder` has no job `tea`\n",
    ),
    (
        "jobs schedule late --every 1m --start 2100-01-02T00:00:00Z --end 2100-01-01T00:00:00Z",
        1,
        "",
        "error: job `late` ends at 2100-01-01T00:00:00Z, before its start at 2100-01-02T00:00:00Z\n",
    ),
    (
        "jobs schedule late --at 2100-01-02T00:00:00Z --end 2100-01-01T00:00:00Z",
        1,
        "",
        "error: job `late` ends at 2100-01-01T00:00:00Z, before its first occurrence at 2100-01-02T00:00:00Z\n",
    ),
    (
        "jobs schedule late",
        2,
        "",
        "error: the following required arguments were not provided:\n…",
    ),
];

const ELSEWHERE: &str = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: elsewhere }\nspec: { type: state.memory }\n";

pub fn trials() -> Vec<Trial> {
    vec![
        case("jobs::a_reminder_comes_once_and_not_before_its_time", once),
        case("jobs::a_reminder_comes_so_many_times", repeats),
        case("jobs::a_reminder_survives_a_restart", restart),
        case("jobs::none_is_lost_across_kill_9", kills::none_is_lost),
        case("jobs::a_plugin_keeps_them_as_well", plugin),
        case("jobs::a_run_that_fails_says_why", failure),
        case("jobs::what_cannot_be_is_told", wrong),
        case("jobs::data_has_a_limit", data),
        case("jobs::a_job_needs_a_grant", grants),
        case("jobs::a_tenant_has_one_component", two),
        Trial::test("jobs::the_command_line_schedules_and_shows", || {
            let project = Project::new(REMINDER);
            SCRIPT
                .iter()
                .try_for_each(|step| check(project.path(), *step))
                .map_err(|error| format!("{error:#}").into())
        }),
        case("jobs::the_command_line_reaches_the_host_that_runs", live),
    ]
}

fn in_memory() -> Project {
    Project::new(REMINDER).with("memory", &format!("{MEMORY}{JOBS}"))
}

async fn remind(running: &Running, query: &str) -> Result<Answer> {
    let path = format!("/remind?{query}");
    running.send(Method::POST, &path, &[], "").await
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default().as_millis() as u64
}

fn count(answer: &Answer) -> usize {
    answer.json().as_array().map_or(0, Vec::len)
}

async fn reminded(running: &Running, times: usize) -> Result<Value> {
    let enough = |answer: &Answer| count(answer) >= times;
    Ok(running.eventually("/reminders", enough).await?.json())
}

async fn once() -> Result<()> {
    let running = in_memory().start().await?;
    let before = now();
    let answer = remind(&running, "in=1s&name=tea&text=hot").await?;
    ensure!(answer.status == 201, "{answer:?}");
    ensure!(answer.json() == json!({ "name": "tea" }), "{answer:?}");
    let found = reminded(&running, 1).await?;
    let after = now();
    ensure!(
        after >= before + 1_000,
        "it came after {} ms",
        after - before
    );
    let due = found[0]["due"].as_u64().unwrap_or_default();
    ensure!((before + 1_000..=after).contains(&due), "{found}");
    ensure!(
        found[0]["text"] == "hot" && found[0]["attempt"] == 1,
        "{found}"
    );
    // It is over, and does not come again.
    tokio::time::sleep(Duration::from_millis(300)).await;
    ensure!(count(&running.get("/reminders").await?) == 1);
    ensure!(running.get("/remind").await?.json() == json!([]));
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn repeats() -> Result<()> {
    let running = in_memory().start().await?;
    let answer = remind(&running, "every=100ms&times=3&name=tea&text=hot").await?;
    ensure!(answer.status == 201, "{answer:?}");
    reminded(&running, 3).await?;
    tokio::time::sleep(Duration::from_millis(400)).await;
    let found = running.get("/reminders").await?.json();
    let dues: Vec<u64> = found
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["due"].as_u64())
        .collect();
    ensure!(dues.len() == 3, "{found}");
    ensure!(
        dues.is_sorted_by(|one, next| one < next && (next - one) % 100 == 0),
        "{found}"
    );
    // A name that is free again may be taken again.
    ensure!(remind(&running, "in=1h&name=tea").await?.status == 201);
    let over = running
        .send(Method::PUT, "/remind?in=2h&name=tea", &[], "")
        .await?;
    ensure!(over.status == 201, "{over:?}");
    let gone = running
        .send(Method::DELETE, "/remind?name=tea", &[], "")
        .await?;
    ensure!(gone.status == 204, "{gone:?}");
    ensure!(running.get("/remind").await?.json() == json!([]));
    Ok(())
}

/// The embedded defaults need no declaration and lose nothing.
async fn restart() -> Result<()> {
    let project = Project::new(REMINDER);
    let running = project.start().await?;
    for query in ["in=2s&name=soon&text=tea", "in=1h&name=later"] {
        let answer = remind(&running, query).await?;
        ensure!(answer.status == 201, "{answer:?}");
    }
    ensure!(running.stop().await, "not everything finished");
    let running = project.start().await?;
    let found = reminded(&running, 1).await?;
    ensure!(
        found[0]["name"] == "soon" && found[0]["text"] == "tea",
        "{found}"
    );
    let has_ended = |answer: &Answer| answer.json() == json!(["later"]);
    running.eventually("/remind", has_ended).await?;
    ensure!(count(&running.get("/reminders").await?) == 1);
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn plugin() -> Result<()> {
    let agenda = JOBS.replace(
        "jobs.memory, version: v1",
        "jobs.wasm, version: v1, metadata: [ { name: path, value: PATH } ]",
    );
    let agenda = agenda.replace("PATH", &guest("agenda").display().to_string());
    let project = Project::new(REMINDER).with("memory", &format!("{MEMORY}{agenda}"));
    let running = project.start().await?;
    let answer = remind(&running, "every=100ms&times=3&name=tea&text=hot").await?;
    ensure!(answer.status == 201, "{answer:?}");
    for status in [201, 409] {
        let answer = remind(&running, "in=1h&name=later").await?;
        ensure!(answer.status == status, "{answer:?}");
    }
    reminded(&running, 3).await?;
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// An app that may not do what its runs need: each attempt fails, and the job keeps what it said.
async fn failure() -> Result<()> {
    let apps = REMINDER.replace("state: [statestore]", "state: [elsewhere]");
    let running = Project::new(&apps)
        .with("memory", &format!("{MEMORY}{JOBS}"))
        .with("elsewhere", ELSEWHERE)
        .start()
        .await?;
    let answer = remind(&running, "in=0s&name=tea").await?;
    ensure!(answer.status == 201, "{answer:?}");
    let expected = "denied: app `reminder` is not granted state component `statestore`; add it to \
                    `grants: { state: [statestore] }` at ";
    let begin = Instant::now();
    loop {
        let failure = status(&running, "tea")
            .await?
            .and_then(|status| status.failure);
        match failure {
            Some(failure) => {
                ensure!(failure.starts_with(expected), "{failure}");
                return Ok(());
            }
            None => ensure!(begin.elapsed() < Duration::from_secs(60), "it did not fail"),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn status(running: &Running, name: &str) -> Result<Option<Status>> {
    let (tenant, app) = ("default".parse()?, "reminder".parse()?);
    let caller = Call::operator(tenant, app, Instant::now() + Duration::from_secs(10));
    Ok(running.booted.tenant.jobs.get(&caller, name).await?)
}

async fn wrong() -> Result<()> {
    let running = in_memory().start().await?;
    let taken = remind(&running, "in=1h&name=taken").await?;
    ensure!(taken.status == 201, "{taken:?}");
    for (query, status, message) in WRONG {
        let answer = remind(&running, query).await?;
        ensure!(answer.status == *status, "{query}: {answer:?}");
        ensure!(answer.message() == *message, "{query}: {answer:?}");
    }
    ensure!(running.get("/remind").await?.json() == json!(["taken"]));
    Ok(())
}

async fn data() -> Result<()> {
    let running = in_memory().start().await?;
    for (bytes, status) in [(64 << 10, 201), ((64 << 10) + 1, 400)] {
        let path = format!("/remind?in=1h&name=size-{bytes}");
        let answer = running
            .send(Method::POST, &path, &[], vec![b'x'; bytes])
            .await?;
        ensure!(answer.status == status, "{bytes}: {answer:?}");
        let expected = "the data of job `size-65537` has 65537 bytes; at most 65536 are allowed";
        ensure!(status == 201 || answer.message() == expected, "{answer:?}");
    }
    Ok(())
}

async fn grants() -> Result<()> {
    let apps = REMINDER.replace("[\"*\"]", "[\"tea-*\"]");
    let resources = format!("{MEMORY}{JOBS}");
    let running = Project::new(&apps)
        .with("memory", &resources)
        .start()
        .await?;
    ensure!(remind(&running, "in=1h&name=tea-1").await?.status == 201);
    let answer = remind(&running, "in=1h&name=milk").await?;
    ensure!(answer.status == 403, "{answer:?}");
    let expected = "app `reminder` is not granted job `milk`; add it to `grants: { jobs: [milk] }` at wythe.yaml:4";
    ensure!(answer.message() == expected, "{answer:?}");
    running.stop().await;
    let apps = REMINDER.replace(", jobs: [\"*\"]", "");
    let problems = Project::new(&apps)
        .with("memory", &resources)
        .problems()
        .await;
    let expected = "app `reminder` imports `wythe:blocks/jobs@0.1.0`, which is not granted; add `grants: { jobs: [\"*\"] }` at wythe.yaml:4";
    ensure!(problems == [expected], "{problems:?}");
    Ok(())
}

async fn two() -> Result<()> {
    let more = JOBS.replace("name: jobs", "name: more");
    let problems = Project::new(REMINDER)
        .with("memory", &format!("{MEMORY}{JOBS}{more}"))
        .problems()
        .await;
    let expected = "component `more`: a tenant has one jobs component; `jobs` is it already";
    ensure!(
        problems.len() == 1 && problems[0].ends_with(expected),
        "{problems:?}"
    );
    Ok(())
}

async fn live() -> Result<()> {
    let project = Project::new(REMINDER);
    let mut process = run(&project, &[])?;
    check(
        project.path(),
        ("jobs schedule tea --in 1s --data hot", 0, "2…", ""),
    )?;
    let (url, begin) = (format!("{}/reminders", process.url), Instant::now());
    loop {
        let answer = request(&client(), Method::GET, &url, &[], "").await?;
        if count(&answer) == 1 {
            ensure!(answer.json()[0]["text"] == "hot", "{answer:?}");
            break;
        }
        ensure!(begin.elapsed() < Duration::from_secs(60), "{answer:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    process.child.kill()?;
    process.child.wait()?;
    Ok(())
}
