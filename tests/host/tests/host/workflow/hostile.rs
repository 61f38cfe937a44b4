//! Workflows whose code would go on for ever: each stalls, and those of other apps are run meanwhile.

use super::{Desk, ERRANDS};
use crate::{
    case,
    crash::{command, run},
};
use anyhow::{Context, Result, ensure};
use host_tests::{MEMORY, Project};
use libtest_mimic::Trial;
use wythe_blocks::workflow::Status;

const FUEL: &str = "`errands` used the fuel of a step between two waits: compute in an activity, or see `limits.stepFuel`";
/// A workflow app beside the hostile one, which may compute for long.
const TWO: &str = "\
  - appID: echo
    guest: echo.wasm
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [\"*\"] }
  - appID: errands
    guest: errands.wasm
    grants: { invoke: [echo] }
    limits: { stepFuel: 4294967295 }
  - appID: others
    guest: errands.wasm
    grants: { invoke: [echo] }
";

pub fn trials() -> Vec<Trial> {
    vec![
        case("workflow::a_step_ends_whatever_it_calls", steps),
        case("workflow::an_app_has_its_share_of_places", permits),
        case("workflow::what_spun_when_its_host_died_stalls", killed),
    ]
}

async fn steps() -> Result<()> {
    let running = Project::new(ERRANDS).with("memory", MEMORY).start().await?;
    let desk = Desk::of(&running)?;
    let cases = [
        ("waits", "[1000000000000, 1]", FUEL),
        ("waits", "[1000000000000, 2000]", FUEL),
        ("calls", "1000000000000", FUEL),
        (
            "waits",
            "[1000000000000, 1000000]",
            "the code waits for 1000000 tasks at once; a journal has at most 50000 entries",
        ),
    ];
    for (n, (name, input, _)) in cases.iter().enumerate() {
        desk.start(name, &format!("i{n}"), input).await?;
    }
    desk.start("chain", "chain", "3").await?;
    ensure!(desk.end("chain", Status::Completed).await? == "3");
    for (n, (name, _, expected)) in cases.iter().enumerate() {
        let reported = desk.end(&format!("i{n}"), Status::Stalled).await?;
        ensure!(reported == *expected, "{name}: {reported}");
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// More instances than there are places, all of which compute: those of another app run to their end, and the host
/// stops as if there were none.
async fn permits() -> Result<()> {
    let running = Project::new(TWO).with("memory", MEMORY).start().await?;
    let desk = Desk::of(&running)?;
    for n in 0..130 {
        desk.start("errands/spin", &format!("i{n}"), "").await?;
    }
    desk.start("others/chain", "other", "3").await?;
    ensure!(desk.end("other", Status::Completed).await? == "3");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn killed() -> Result<()> {
    let project = Project::new(TWO);
    let mut process = run(&project, &[])?;
    for id in ["one", "two"] {
        let started = command()
            .args(["workflow", "start", "errands/waits", "--id", id])
            .args(["--input", "[1000000000000, 20000]"])
            .current_dir(project.path())
            .status()?;
        ensure!(started.success(), "{started}");
    }
    process.child.kill()?;
    process.child.wait()?;
    let running = project.start().await?;
    let desk = Desk::of(&running)?;
    desk.start("others/chain", "other", "3").await?;
    ensure!(desk.end("other", Status::Completed).await? == "3");
    for id in ["one", "two"] {
        desk.end(id, Status::Stalled)
            .await
            .with_context(|| format!("instance `{id}`"))?;
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}
