//! `wythe workflow`, as transcripts: with a host that runs, and without one.

use super::ERRANDS;
use crate::{
    case,
    command::{Step, check},
    crash::{command, run},
};
use anyhow::{Context, Result, ensure};
use host_tests::Project;
use libtest_mimic::Trial;
use serde_json::Value;
use std::path::Path;

/// A script without a host: what is written waits for one.
const SCRIPT: &[Step] = &[
    ("workflow list", 0, "", ""),
    ("workflow start ask --id one --input 60000", 0, "one\n", ""),
    (
        "workflow start ask --id one",
        1,
        "",
        "error: the instance id `one` is taken by one of workflow `ask` that is running\n",
    ),
    (
        "workflow start aks",
        1,
        "",
        "error: no app has the workflow `aks`; there are: errands/again, errands/ask, errands/calls, errands/chain, \
         errands/dice, errands/family, errands/fan, errands/nap, errands/panics, errands/rounds, errands/spin, \
         errands/waits\n",
    ),
    (
        "workflow start ask --id a/b",
        1,
        "",
        "error: the instance id `a/b`; expected 1 to 200 letters, digits, `-`, `_`, `.` and `:`\n",
    ),
    (
        "workflow history one",
        0,
        "ENTRY  TIME                      WHAT     TASK  ABOUT  TRIES  PAYLOAD\n0      2…",
        "",
    ),
    ("workflow suspend one --reason lunch", 0, "", ""),
    (
        "workflow get one",
        0,
        "id       one\nworkflow errands/ask\nstatus   suspended\nreason   lunch\ncreated  2…",
        "",
    ),
    ("workflow raise one answer --data true", 0, "", ""),
    ("workflow list --status running", 0, "", ""),
    (
        "workflow list --name ask --status suspended",
        0,
        "ID   WORKFLOW  STATUS     UPDATED…",
        "",
    ),
    ("workflow resume one --reason back", 0, "", ""),
    (
        "workflow purge one",
        1,
        "",
        "error: instance `one` is running; terminate it before it is purged\n",
    ),
    (
        "workflow rerun one --entries 1 --new-id two",
        0,
        "two\n",
        "",
    ),
    (
        "workflow rerun one --entries 9",
        1,
        "",
        "error: 9 entries of instance `one`; expected 1 to 4\n",
    ),
    (
        "workflow get one --wait 1ms",
        0,
        "id       one\nworkflow errands/ask\nstatus   running…",
        "",
    ),
    (
        "workflow get one --wait 2m",
        2,
        "",
        "error: invalid value '2m' for '--wait <DURATION>': expected at most 50s…",
    ),
    ("workflow terminate one --result enough", 0, "", ""),
    (
        "workflow raise one answer",
        1,
        "",
        "error: instance `one` is terminated; only one that has not ended can be told anything\n",
    ),
    ("workflow purge one", 0, "", ""),
    (
        "workflow get one",
        1,
        "",
        "error: there is no workflow instance `one`\n",
    ),
    ("workflow get two -o json", 0, "{…", ""),
    ("workflow purge --all ask", 0, "purged 0\n", ""),
    (
        "workflow terminate --all other/ask",
        0,
        "terminated 0\n",
        "",
    ),
    (
        "workflow terminate --all errands/ask",
        0,
        "terminated 1\n",
        "",
    ),
    (
        "workflow purge --all ask -o json",
        0,
        "{\"failed\":[],\"purged\":1}\n",
        "",
    ),
    (
        "workflow terminate",
        2,
        "",
        "error: the following required arguments were not provided:\n  <ID>…",
    ),
    (
        "workflow purge two --all ask",
        2,
        "",
        "error: the argument '[ID]' cannot be used with '--all <WORKFLOW>'…",
    ),
    ("workflow list -o json", 0, "{…", ""),
];

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("workflow::the_command_line_works_without_a_host", || {
            let project = Project::new(ERRANDS);
            SCRIPT
                .iter()
                .try_for_each(|step| check(project.path(), *step))
                .map_err(|error| format!("{error:#}").into())
        }),
        case(
            "workflow::the_command_line_reaches_the_host_that_runs",
            live,
        ),
    ]
}

fn json(directory: &Path, line: &str) -> Result<Value> {
    let words = line.split(' ');
    let output = command().args(words).current_dir(directory).output()?;
    serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))
}

/// The host does what was started before there was a host, and the history tells of each step.
async fn live() -> Result<()> {
    let project = Project::new(ERRANDS);
    let here = project.path();
    check(
        here,
        ("workflow start chain --id one --input 2", 0, "one\n", ""),
    )?;
    let mut process = run(&project, &[])?;
    check(
        here,
        ("workflow start ask --id two --input 60000", 0, "two\n", ""),
    )?;
    check(here, ("workflow raise two answer --data true", 0, "", ""))?;
    for (id, output) in [("one", "2"), ("two", "\"yes\"")] {
        let found = json(here, &format!("workflow get {id} --wait 50s -o json"))?;
        ensure!(
            found["status"] == "completed" && found["output"] == output,
            "{found}"
        );
    }
    let history = json(here, "workflow history one -o json")?;
    let entries = history["entries"].as_array().context("entries")?;
    let reported: Vec<_> = entries
        .iter()
        .map(|entry| format!("{} {} {}", entry["kind"], entry["about"], entry["payload"]))
        .collect();
    let expected = [
        r#""started" "chain" "2""#,
        r#""activity-scheduled" "increment" "0""#,
        r#""activity-completed" "" "1""#,
        r#""activity-scheduled" "increment" "1""#,
        r#""activity-completed" "" "2""#,
        r#""completed" "" "2""#,
    ];
    ensure!(reported == expected, "{reported:?}");
    check(here, ("workflow purge one", 0, "", ""))?;
    process.child.kill()?;
    process.child.wait()?;
    Ok(())
}
