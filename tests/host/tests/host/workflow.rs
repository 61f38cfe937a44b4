//! Workflows in a whole host: guests whose code is run again, and what is refused.

mod command;
mod hostile;
mod refused;

use crate::case;
use anyhow::{Context, Result, ensure};
use host_tests::{MEMORY, Project, Running};
use libtest_mimic::Trial;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use wythe_blocks::{
    Call,
    workflow::{Engine, Instance, Start, Status},
};

const ERRANDS: &str = "\
  - appID: echo
    guest: echo.wasm
    grants: { state: [statestore], publish: [pubsub], subscribe: [pubsub], invoke: [\"*\"] }
  - appID: errands
    guest: errands.wasm
    grants: { invoke: [echo] }
    limits: { stepFuel: 20000000 }
";

pub fn trials() -> Vec<Trial> {
    let mut trials = vec![
        case("workflow::a_guest_is_run_to_its_end", chain),
        case("workflow::clocks_and_chance_come_from_the_journal", dice),
        case("workflow::a_person_is_waited_for_over_a_restart", asked),
        case("workflow::children_and_rounds", family),
        case("workflow::code_that_goes_wrong_stalls", wrong),
        case("workflow::what_waits_is_not_in_memory", idle),
    ];
    trials.extend(command::trials());
    trials.extend(hostile::trials());
    trials.extend(refused::trials());
    trials
}

/// The operator's view of a host that runs.
struct Desk {
    engine: Arc<Engine>,
    caller: Call,
}

impl Desk {
    fn of(running: &Running) -> Result<Self> {
        let tenant = "default".parse()?;
        let engine = running.booted.tenant.workflows()?;
        let deadline = Instant::now() + Duration::from_secs(600);
        let caller = Call::operator(tenant, "test".parse()?, deadline);
        Ok(Desk { engine, caller })
    }

    async fn start(&self, name: &str, id: &str, input: &str) -> Result<()> {
        let start = Start {
            id: Some(id.to_owned()),
            at: None,
        };
        let input = input.to_owned().into();
        self.engine.start(&self.caller, name, input, start).await?;
        Ok(())
    }

    async fn until(&self, id: &str, wanted: impl Fn(&Instance) -> bool) -> Result<Instance> {
        let start = Instant::now();
        loop {
            let found = self.engine.get(&self.caller, id).await?;
            let instance = found.with_context(|| format!("no instance `{id}`"))?;
            if wanted(&instance) {
                return Ok(instance);
            }
            ensure!(start.elapsed().as_secs() < 120, "{instance:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Waits until it is as wanted, and returns its output, if it has one, else the reason.
    async fn end(&self, id: &str, status: Status) -> Result<String> {
        let is_over = |i: &Instance| i.status.has_ended() || i.status == Status::Stalled;
        let instance = self.until(id, is_over).await?;
        ensure!(instance.status == status, "{instance:?}");
        let output = instance.output.unwrap_or_default();
        let output = String::from_utf8_lossy(&output).into_owned();
        Ok(instance.reason.unwrap_or(output))
    }

    async fn event(&self, id: &str, name: &str, data: &str) -> Result<()> {
        let data = data.to_owned().into();
        Ok(self.engine.raise(&self.caller, id, name, data).await?)
    }
}

async fn chain() -> Result<()> {
    let running = Project::new(ERRANDS).with("memory", MEMORY).start().await?;
    let desk = Desk::of(&running)?;
    desk.start("chain", "one", "5").await?;
    desk.start("fan", "two", "30").await?;
    ensure!(desk.end("one", Status::Completed).await? == "5");
    ensure!(desk.end("two", Status::Completed).await? == "465");
    for id in ["one", "two"] {
        desk.engine.replay(id).await?;
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// Each of its two halves runs in another process; had it been told something else the second time, its journal would
/// not fit.
async fn dice() -> Result<()> {
    let project = Project::new(ERRANDS);
    let mut reported = Vec::new();
    for id in ["one", "two"] {
        let running = project.start().await?;
        let desk = Desk::of(&running)?;
        desk.start("dice", id, "").await?;
        desk.until(id, |i| i.entries == 4).await?;
        ensure!(running.stop().await, "not everything finished");
        let running = project.start().await?;
        let desk = Desk::of(&running)?;
        desk.event(id, "go", "").await?;
        let output = desk.end(id, Status::Completed).await?;
        desk.engine.replay(id).await?;
        ensure!(output.ends_with(" true\""), "{output}");
        reported.push(output);
        ensure!(running.stop().await, "not everything finished");
    }
    ensure!(
        reported[0] != reported[1],
        "chance is the same for all: {reported:?}"
    );
    Ok(())
}

async fn asked() -> Result<()> {
    let project = Project::new(ERRANDS);
    let running = project.start().await?;
    let desk = Desk::of(&running)?;
    desk.start("ask", "one", "60000").await?;
    desk.start("ask", "two", "1").await?;
    desk.until("one", |i| i.custom.as_deref() == Some("asking"))
        .await?;
    ensure!(desk.end("two", Status::Completed).await? == "\"nobody answered\"");
    ensure!(running.stop().await, "not everything finished");
    let running = project.start().await?;
    let desk = Desk::of(&running)?;
    desk.event("one", "answer", "true").await?;
    ensure!(desk.end("one", Status::Completed).await? == "\"yes\"");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn family() -> Result<()> {
    let running = Project::new(ERRANDS).with("memory", MEMORY).start().await?;
    let desk = Desk::of(&running)?;
    desk.start("family", "one", "3").await?;
    ensure!(desk.end("one", Status::Completed).await? == "9");
    ensure!(desk.end("one-other", Status::Completed).await? == "6");
    desk.start("rounds", "two", "[4, 0]").await?;
    ensure!(desk.end("two", Status::Completed).await? == "4");
    let entries = desk.until("two", |_| true).await?.entries;
    ensure!(entries == 2, "{entries}");
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

async fn wrong() -> Result<()> {
    let running = Project::new(ERRANDS).with("memory", MEMORY).start().await?;
    let desk = Desk::of(&running)?;
    let cases = [
        (
            "spin",
            "`errands` used the fuel of a step between two waits: compute in an activity, or see `limits.stepFuel`",
        ),
        (
            "nap",
            "a workflow does not sleep by its clock; use `ctx.sleep`, which outlasts the host",
        ),
        (
            "panics",
            "`errands` trapped: wasm trap: wasm `unreachable` instruction executed",
        ),
    ];
    for (name, _) in cases {
        desk.start(name, name, "").await?;
    }
    desk.start("chain", "chain", "2").await?;
    for (name, expected) in cases {
        let reported = desk.end(name, Status::Stalled).await?;
        ensure!(reported == expected, "{name}: {reported}");
        let history = desk.engine.history(name, 0, 10).await?;
        ensure!(history.entries.len() == 1, "{history:?}");
    }
    ensure!(desk.end("chain", Status::Completed).await? == "2");
    desk.start("chain", "text", "\"many\"").await?;
    let reported = desk.end("text", Status::Failed).await?;
    ensure!(
        reported.starts_with("invalid: not the JSON that was expected: "),
        "{reported}"
    );
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}

/// More instances than there are places: each gives its own up while it waits.
async fn idle() -> Result<()> {
    let running = Project::new(ERRANDS).with("memory", MEMORY).start().await?;
    let desk = Desk::of(&running)?;
    for n in 0..300 {
        desk.start("ask", &format!("i{n}"), "60000").await?;
    }
    for n in 0..300 {
        desk.until(&format!("i{n}"), |i| i.entries == 2).await?;
    }
    let start = Instant::now();
    while desk.engine.hot() > 0 {
        ensure!(start.elapsed().as_secs() < 120, "{}", desk.engine.hot());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for n in 0..300 {
        desk.event(&format!("i{n}"), "answer", "false").await?;
    }
    for n in 0..300 {
        let id = format!("i{n}");
        ensure!(desk.end(&id, Status::Completed).await? == "\"no\"");
    }
    ensure!(running.stop().await, "not everything finished");
    Ok(())
}
