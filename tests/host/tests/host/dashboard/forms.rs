//! Forms: each does what the command of its name does, and says so on the next page.

use super::{
    pages::buy,
    visitor::{Seen, Visitor},
};
use crate::{case, crash::command, shop};
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;

const ERRANDS: &str = "\
  - appID: echo
    guest: echo.wasm
    ingress: /
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [\"*\"] }
  - appID: errands
    guest: errands.wasm
    grants: { invoke: [echo] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("dashboard::events_calls_and_jobs_by_form", shop_forms),
        case("dashboard::a_workflow_is_led_by_forms", workflow),
    ]
}

async fn shop_forms() -> Result<()> {
    let project = shop::project()?;
    let seen = Seen::start(&project, &["--dashboard"])?;
    let visitor = Visitor::enter(&seen.dashboard).await?;
    let job = "app=report&name=nightly-report";
    let cases = [
        (
            "publish",
            "component=pubsub&topic=checkout&data=%7B%7D",
            "Published as the event",
        ),
        (
            "publish",
            "component=none&topic=checkout&data=1",
            "not-found: ",
        ),
        (
            "invoke",
            "app=catalog&path=/products",
            "The app answered 200",
        ),
        ("invoke", "app=catalog&path=/products", "Pointing trowel"),
        ("invoke", "app=catalog&path=/none", "The app answered 404"),
        ("pause-job", job, "The job is paused."),
        ("resume-job", job, "The job goes on."),
        ("pause-job", "app=report&name=none", "not-found: "),
        (
            "redrive",
            "component=pubsub&topic=checkout&group=email",
            "Sent ",
        ),
    ];
    // The first order has the report scheduled.
    buy(&seen.url).await?;
    visitor.until("jobs", "nightly-report").await?;
    for (action, fields, expected) in cases {
        let page = visitor.send(action, fields).await?;
        ensure!(
            page.contains(expected),
            "{action} {fields}: no `{expected}` in {page}"
        );
        // A note is for one page.
        ensure!(!visitor.read("jobs").await?.contains("role=\"status\""));
    }
    Ok(())
}

/// Starts a workflow that waits for an answer.
fn begin(project: &Project, id: &str) -> Result<()> {
    let started = command()
        .args(["workflow", "start", "ask", "--id", id])
        .args(["--input", "600000", "-p"])
        .arg(project.path())
        .output()?;
    ensure!(started.status.success(), "{started:?}");
    Ok(())
}

async fn workflow() -> Result<()> {
    let project = Project::new(ERRANDS).with("memory", MEMORY);
    let seen = Seen::start(&project, &["--dashboard"])?;
    let visitor = Visitor::enter(&seen.dashboard).await?;
    for id in ["one", "two"] {
        begin(&project, id)?;
    }
    let page = visitor.until("workflow?id=one", "Waits for").await?;
    ensure!(page.contains("running"), "{page}");
    let page = visitor
        .until("workflow?id=one", "<bdi>answer</bdi>")
        .await?;
    // The event's name is in its form already.
    ensure!(page.contains("name=\"name\" value=\"answer\""), "{page}");
    let page = visitor.send("suspend", "id=one").await?;
    ensure!(
        page.contains("The workflow is suspended.") && page.contains("by the dashboard"),
        "{page}"
    );
    let page = visitor.send("resume", "id=one").await?;
    ensure!(page.contains("The workflow goes on."), "{page}");
    let page = visitor
        .send("raise", "id=one&name=answer&data=true")
        .await?;
    ensure!(page.contains("The event is with the workflow."), "{page}");
    visitor.until("workflow?id=one", "completed").await?;
    let page = visitor
        .send("raise", "id=one&name=answer&data=true")
        .await?;
    ensure!(
        page.contains("only one that has not ended can be told anything"),
        "{page}"
    );
    // What ends it for good is meant.
    let unsure = format!("form={}&id=two", visitor.token().await?);
    let url = visitor.page("default", "do/terminate");
    let answer = visitor
        .post(&url, &[("origin", &visitor.site)], unsure)
        .await?;
    ensure!(answer.status == 400, "{answer:?}");
    let page = visitor.send("terminate", "id=two&sure=yes").await?;
    ensure!(page.contains("The workflow is terminated."), "{page}");
    visitor.until("workflow?id=two", ">terminated<").await?;
    Ok(())
}
