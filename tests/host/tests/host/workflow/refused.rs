//! The things that no host starts with, or does: each with what to do instead.

use super::{Desk, ERRANDS};
use crate::case;
use anyhow::{Result, ensure};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;
use wythe_blocks::workflow::Status;

/// A component that has workflows, as far as loading goes, and what else it has.
const COMPONENT: &str = r#"(component MORE (instance $h) (export "wythe:blocks/workflow-handler@0.1.0" (instance $h)))"#;

/// The imports, and the problem that is told of each.
const IMPORTS: [(&str, &str); 5] = [
    ("wasi:filesystem/types@0.2.12", VARIES),
    ("wasi:sockets/tcp@0.2.12", VARIES),
    ("wasi:http/outgoing-handler@0.2.12", VARIES),
    ("wythe:blocks/state@0.1.0", VARIES),
    (
        "acme:weather/forecast@1.0.0",
        "app `flow` imports `IMPORT`, which this host does not have; `wythe wit` writes out what it has",
    ),
];

const VARIES: &str = "app `flow` has workflows and imports `IMPORT`, which would not be the same when their code runs \
                      again; do that in an activity of another app, and call it by `ctx.call`";

pub fn trials() -> Vec<Trial> {
    vec![
        case("workflow::what_is_not_replayed_is_not_imported", imports),
        case("workflow::workflows_are_components_of_their_own", alone),
        case("workflow::work_by_another_app_needs_a_grant", grants),
    ]
}

fn project(component: &str, more: &str) -> Result<Project> {
    let project = Project::new(&format!(
        "  - appID: flow\n    guest: flow/app.wasm\n    {more}\n"
    ));
    project.write("flow/app.wasm", wat::parse_str(component)?);
    Ok(project)
}

async fn imports() -> Result<()> {
    for (import, expected) in IMPORTS {
        let more = format!(r#"(import "{import}" (instance (export "x" (func))))"#);
        let component = COMPONENT.replace("MORE", &more);
        // A grant does not help.
        let project = project(&component, "grants: { state: [statestore], http: [\"*\"] }")?;
        let problems = project.problems().await;
        ensure!(
            problems == [expected.replace("IMPORT", import)],
            "{problems:?}"
        );
    }
    Ok(())
}

async fn alone() -> Result<()> {
    let both = r#"(instance $i) (export "wythe:blocks/job-runner@0.1.0" (instance $i))"#;
    let cases = [
        (
            COMPONENT.replace("MORE", both),
            "",
            "app `flow` exports wythe:blocks/workflow-handler and others; expected a component that has workflows alone, \
             and another app for the rest",
        ),
        (
            COMPONENT.replace("MORE", ""),
            "env: { RATE: '3' }",
            "app `flow` has workflows and `env`, which may change before their code runs again; hand it on in the input",
        ),
        (
            format!(
                "(component {} (instance $i) (export \"wythe:blocks/job-runner@0.1.0\" (instance $i)))",
                r#"(import "wythe:blocks/workflow-context@0.1.0" (instance (export "x" (func))))"#
            ),
            "",
            "app `flow` imports `wythe:blocks/workflow-context@0.1.0`, which is for components that export \
             wythe:blocks/workflow-handler",
        ),
    ];
    for (component, more, expected) in cases {
        let problems = project(&component, more)?.problems().await;
        ensure!(problems == [expected], "{problems:?}");
    }
    Ok(())
}

/// An app needs a grant to have another app do its work.
async fn grants() -> Result<()> {
    let apps = ERRANDS.replace("invoke: [echo]", "invoke: [other]");
    let running = Project::new(&apps).with("memory", MEMORY).start().await?;
    let desk = Desk::of(&running)?;
    desk.start("chain", "one", "2").await?;
    let expected = "denied: app `errands` is not granted to invoke `echo`; add it to `grants: { invoke: [echo] }` at \
                    wythe.yaml:7";
    let reported = desk.end("one", Status::Failed).await?;
    ensure!(reported == expected, "{reported}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}
